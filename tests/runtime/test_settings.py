"""Settings: what is in force where, and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from headrace.calls import BaseCallback
from headrace.errors import UsageError
from headrace.module import Module
from headrace.settings import captured_context, configure, context, settings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = settings.num_threads

    yield

    configure(num_threads=before)


def test_an_override_holds_inside_its_block_and_goes_over_what_is_configured() -> None:
    configure(num_threads=2)

    with context(num_threads=3):
        inside = settings.num_threads

        with context(track_usage=True):
            nested = settings.num_threads, settings.track_usage

    assert inside == 3
    assert nested == (3, True)
    assert (settings.num_threads, settings.track_usage) == (2, False)


async def test_every_task_has_its_own_overrides() -> None:
    async def see(number: int) -> int:
        with context(num_threads=number):
            await asyncio.sleep(0)
            return int(settings.num_threads)

    assert await asyncio.gather(*map(see, range(1, 20))) == list(range(1, 20))


def test_every_thread_has_its_own_overrides() -> None:
    def see(number: int) -> int:
        with context(num_threads=number):
            return int(settings.num_threads)

    with ThreadPoolExecutor(4) as pool, context(num_threads=99):
        assert list(pool.map(see, range(1, 20))) == list(range(1, 20))
        assert pool.submit(lambda: settings.num_threads).result() == 8


def test_in_a_captured_context_settings_stay_as_they_were() -> None:
    configure(num_threads=2)

    with context(track_usage=True):
        then = captured_context()

    configure(num_threads=3)

    assert then.run(lambda: (settings.num_threads, settings.track_usage)) == (2, True)
    assert settings.num_threads == 3


def test_a_program_that_configures_sees_it() -> None:
    def program() -> Any:
        configure(num_threads=5)
        return settings.num_threads

    assert captured_context().run(program) == 5
    assert settings.num_threads == 5


def test_a_setting_is_configured_by_assignment_too() -> None:
    settings.num_threads = 6

    assert settings.num_threads == 6


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        UsageError, match="unknown setting 'num_thread'; did you mean 'num_threads'"
    ):
        configure(num_thread=1)

    with pytest.raises(AttributeError, match="no setting named 'num_thread'"):
        _ = settings.num_thread


@pytest.mark.parametrize("name", ["num_threads", "async_max_workers"])
def test_a_limit_that_lets_nobody_in_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is at least 1, not 0"):
        configure(**{name: 0})


@pytest.mark.parametrize("callbacks", [BaseCallback(), [BaseCallback], [print]], ids=repr)
def test_what_are_no_callbacks_is_refused(callbacks: Any) -> None:
    with pytest.raises(UsageError, match="callback"):
        configure(callbacks=callbacks)

    with pytest.raises(UsageError, match="callback"):
        Module(callbacks=callbacks)
