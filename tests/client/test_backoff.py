"""How often and how long to wait for a server."""

from __future__ import annotations

import pytest
from headrace_client import _resume
from headrace_client._resume import Backoff


@pytest.fixture(autouse=True)
def usual_delays(short_delays: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_resume, "FIRST_DELAY", 0.1)
    monkeypatch.setattr(_resume, "LONGEST_DELAY", 5.0)


def delays(backoff: Backoff) -> list[float | None]:
    return [backoff.next_delay() for _ in range(11)]


def test_delays_double_up_to_a_limit_and_then_end() -> None:
    backoff = Backoff(10, chance=lambda: 1.0)
    backoff.answered()

    assert delays(backoff) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0, None]


def test_chance_shortens_a_delay_by_half_at_most() -> None:
    assert Backoff(10, chance=lambda: 0.0).next_delay() == pytest.approx(0.05)
    assert Backoff(10, chance=lambda: 0.5).next_delay() == pytest.approx(0.075)


def test_a_server_that_never_answered_gets_fewer_tries() -> None:
    backoff = Backoff(10, chance=lambda: 1.0)

    assert delays(backoff)[:5] == [0.1, 0.2, 0.4, 0.8, None]


def test_an_answer_alone_does_not_start_the_count_afresh() -> None:
    backoff = Backoff(2, chance=lambda: 1.0)

    assert [backoff.next_delay(), backoff.next_delay()] == [0.1, 0.2]
    backoff.answered()
    assert backoff.next_delay() is None


def test_progress_starts_the_count_afresh() -> None:
    backoff = Backoff(2, chance=lambda: 1.0)

    assert [backoff.next_delay(), backoff.next_delay()] == [0.1, 0.2]
    backoff.progressed()
    assert [backoff.next_delay(), backoff.next_delay(), backoff.next_delay()] == [0.1, 0.2, None]


def test_a_delay_that_was_asked_for_is_the_least() -> None:
    assert Backoff(10, chance=lambda: 0.0).next_delay(3.0) == pytest.approx(3.05)


def test_no_retries_means_none() -> None:
    assert Backoff(0).next_delay() is None
