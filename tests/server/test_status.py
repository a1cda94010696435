"""Errors as statuses: one table, small details, plain trailers, nothing internal."""

from __future__ import annotations

import itertools
import math

import pytest
from google.rpc import (  # type: ignore[import-untyped]  # has no py.typed
    error_details_pb2,
    status_pb2,
)
from grpc import StatusCode
from headrace import errors
from headrace.server import errors as server_errors
from headrace.server.wire.status import CODES, RpcStatus, failure_of, status_of
from headrace.server.wire.text import line, sound, status_message
from hypothesis import given
from hypothesis import strategies as st


def trailers(status: RpcStatus) -> dict[str, str | bytes]:
    return dict(status.trailers)


def details(status: RpcStatus) -> dict[str, object]:
    packed = trailers(status)["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    found: dict[str, object] = {}

    for detail in status_pb2.Status.FromString(packed).details:
        name = detail.type_url.rpartition(".")[2]
        message = getattr(error_details_pb2, name)()
        detail.Unpack(message)
        found[name] = message

    return found


def info(status: RpcStatus) -> error_details_pb2.ErrorInfo:
    found = details(status)["ErrorInfo"]
    assert isinstance(found, error_details_pb2.ErrorInfo)

    return found


def all_reasons() -> set[str]:
    classes = [*vars(errors).values(), *vars(server_errors).values()]

    return {
        one.reason
        for one in classes
        if isinstance(one, type) and issubclass(one, errors.HeadraceError)
    }


def test_every_reason_has_its_code() -> None:
    assert all_reasons() | {"OWNER_LOST"} == set(CODES)


def test_unavailable_is_never_used_for_a_run_that_is_over() -> None:
    over = {
        one.reason
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.RunError)
    }

    assert StatusCode.UNAVAILABLE not in {CODES[reason] for reason in over}


def test_details_say_who_what_and_where() -> None:
    error = errors.LMTimeoutError("idle", 30, model="openai/gpt")
    status = status_of(error, {"run_id": "r1", "program": "p"}, {"headrace-run-id": "r1"})

    assert status.code is StatusCode.DEADLINE_EXCEEDED
    assert info(status) == error_details_pb2.ErrorInfo(
        reason="LM_TIMEOUT",
        domain="headrace.dev",
        metadata={"run_id": "r1", "program": "p", "model": "openai/gpt", "phase": "idle"},
    )
    assert trailers(status)["headrace-run-id"] == "r1"
    assert trailers(status)["headrace-error-reason"] == "LM_TIMEOUT"


def test_a_delay_is_in_the_details_in_a_trailer_and_for_the_channel() -> None:
    status = status_of(errors.ServerBusy("full", retry_delay=1.5), {}, {})

    assert status.code is StatusCode.UNAVAILABLE
    assert details(status)["RetryInfo"].retry_delay.ToMilliseconds() == 1500  # type: ignore[attr-defined]
    assert trailers(status)["headrace-retry-delay-ms"] == "1500"
    assert trailers(status)["grpc-retry-pushback-ms"] == "1500"


def test_the_provider_s_delay_is_passed_on_without_pushback() -> None:
    status = status_of(errors.LMRateLimitError("slow down", retry_after=7), {}, {})

    assert trailers(status)["headrace-retry-delay-ms"] == "7000"
    assert "grpc-retry-pushback-ms" not in trailers(status)


@pytest.mark.parametrize("delay", [math.inf, math.nan, -1.0, 1e300, None])
def test_a_delay_that_no_message_holds_is_left_out(delay: float | None) -> None:
    error = errors.LMRateLimitError("slow down", retry_after=delay)

    assert "headrace-retry-delay-ms" not in trailers(status_of(error, {}, {}))
    assert not failure_of(error).HasField("retry_delay")


def test_violations_are_named_by_field() -> None:
    error = errors.InputInvalid([errors.FieldViolation("inputs.qestion", "unknown")])
    bad_request = details(status_of(error, {}, {}))["BadRequest"]

    assert bad_request == error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field="inputs.qestion", description="unknown"
            )
        ]
    )


def test_internal_parts_of_an_error_do_not_cross() -> None:
    error = errors.LMAuthError("the provider refuses the key", detail="sk-secret")
    error.__cause__ = RuntimeError("sk-secret")
    parse = errors.AdapterParseError("ChatAdapter", "no answer", lm_response="sk-secret")

    for one in (error, parse):
        assert b"sk-secret" not in repr(status_of(one, {}, {})).encode()
        assert "sk-secret" not in str(failure_of(one))


@given(st.text(), st.dictionaries(st.text(), st.text(min_size=50)), st.lists(st.text()))
def test_whatever_an_error_says_its_status_is_small_and_sound(
    text: str, metadata: dict[str, str], fields: list[str]
) -> None:
    violations = [errors.FieldViolation(field * 9, text * 20) for field in fields * 20]
    error = errors.InputInvalid(violations)
    error.message, error.metadata = text * 100, metadata
    status = status_of(error, {"run_id": "r" * 64}, {"headrace-run-id": "r" * 64})

    assert len(status.message) <= 500
    assert all(len(value) < 4096 for value in trailers(status).values())
    assert all(
        isinstance(value, bytes) or (value.isascii() and value.isprintable())
        for value in trailers(status).values()
    )
    status.message.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\nb\x1b[31m", "a b [31m"), ("\ud800x", "\ufffdx"), ("x" * 600, "x" * 499 + "…")],
)
def test_messages_are_one_short_line(text: str, expected: str) -> None:
    assert line(text) == expected


@given(st.text(st.characters(codec="utf-16", categories=["Lo", "Cs", "So", "Cc"])))
def test_sound_text_can_be_encoded_and_keeps_its_length(text: str) -> None:
    assert len(sound(text)) == len(text)
    sound(text).encode()


@given(st.text(max_size=2000))
def test_a_status_message_stays_small_when_percent_encoded(text: str) -> None:
    encoded = status_message(text).encode()

    assert sum(1 if 0x20 <= byte <= 0x7E and byte != 0x25 else 3 for byte in encoded) <= 1024


@pytest.mark.parametrize("names", [*itertools.permutations(["run_id", "program", "model"])])
def test_equal_facts_give_equal_bytes(names: tuple[str, ...]) -> None:
    error = errors.ProgramError("boom")
    facts = dict.fromkeys(sorted(names), "x")

    assert status_of(error, dict.fromkeys(names, "x"), {}) == status_of(error, facts, {})
