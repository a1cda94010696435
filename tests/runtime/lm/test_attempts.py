"""Deadlines and retries are ours: bounded, visible, and never two requests where one was meant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from headrace.calls import RunScope, enter_run
from headrace.errors import (
    LMError,
    LMNotConfiguredError,
    LMRateLimitError,
    LMServerError,
    LMTimeoutError,
    LMTransportError,
    LMUnsupportedError,
    UsageError,
)
from headrace.events import Event, LmCall, Outcome, Phase, Status
from headrace.lm import LM, Delta
from headrace.lm.attempts import Retries
from headrace.lm.errors import retry_after, said_in_stream
from headrace_mock import MockLM, Reply
from runtime.lm.test_cancellation import unconnectable

ENGINES = ["direct", "litellm"]


def lm_for(model: str, engine: Any, mock: MockLM, **arguments: Any) -> LM:
    settings: Mapping[str, Any] = {"api_key": "k", "retry_delay": 0.01, **arguments}

    return LM(f"openai/{model}", engine=engine, api_base=mock.base_url, **settings)


async def statuses_of(lm: LM) -> list[Status]:
    """The statuses a call leaves in its run, whether it fails or not."""
    events: list[Event] = []

    with enter_run(RunScope(events.append)):
        await asyncio.gather(lm.acall("hi"), return_exceptions=True)

    return [event for event in events if isinstance(event, Status)]


def untimed(lm: LmCall | None) -> LmCall | None:
    return lm and replace(lm, time_to_first_token=None)


@pytest.mark.parametrize("engine", ENGINES)
async def test_each_attempt_is_a_status_of_the_call(engine: str, mock: MockLM) -> None:
    model = f"openai/fault-status-503-twice@{engine}"
    lm = lm_for(model.removeprefix("openai/"), engine, mock)

    statuses = await statuses_of(lm)

    seen = [(one.phase, untimed(one.lm), type(one.failure)) for one in statuses]
    assert seen == [
        (Phase.START, LmCall(model), type(None)),
        (Phase.UPDATE, LmCall(model, engine, attempt=1), LMServerError),
        (Phase.UPDATE, LmCall(model, engine, attempt=2), LMServerError),
        (Phase.END, LmCall(model, engine, "stop", attempt=3), type(None)),
    ]
    assert len(mock.requests) == 3


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_call_that_fails_tells_its_engine_attempts_and_usage(
    engine: str, mock: MockLM
) -> None:
    statuses = await statuses_of(lm_for("fault-status-503", engine, mock, num_retries=1))

    end = statuses[-1]
    assert (end.outcome, end.lm) == (
        Outcome.ERROR,
        LmCall("openai/fault-status-503", engine, attempt=2),
    )
    assert end.usage is not None
    assert end.usage.models["openai/fault-status-503"].lm_calls == 1
    assert len(mock.requests) == 2


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_answer_that_was_refused_is_still_counted(engine: str, mock: MockLM) -> None:
    end = (await statuses_of(lm_for("fault-content-filter", engine, mock)))[-1]

    assert end.usage is not None
    assert (end.outcome, end.usage.output_tokens) == (Outcome.ERROR, 3)


@pytest.mark.parametrize("engine", ENGINES)
async def test_nothing_is_retried_once_a_piece_went_out(engine: str) -> None:
    async def fail_late(reply: Reply) -> None:
        await reply.open()
        await reply.chunks(["once "])
        await reply.event({"error": {"message": "overloaded", "code": 503}})
        await reply.close_body()

    received: list[Delta] = []

    async with MockLM({"late": fail_late}) as mock:
        with pytest.raises(LMServerError):
            await lm_for("late", engine, mock).complete(
                [{"role": "user", "content": "hi"}], received.append
            )

        assert ([delta.text for delta in received], len(mock.requests)) == (["once "], 1)


@pytest.mark.parametrize("engine", ENGINES)
async def test_zero_retries_ask_once(engine: str, mock: MockLM) -> None:
    with pytest.raises(LMServerError):
        await lm_for("fault-status-500", engine, mock, num_retries=0).acall("hi")

    assert len(mock.requests) == 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_retry_after_is_told_and_a_long_one_is_not_waited_for(
    engine: str, mock: MockLM
) -> None:
    with pytest.raises(LMRateLimitError) as raised:
        await lm_for("fault-status-429-retry-after-120", engine, mock).acall("hi")

    assert (raised.value.retry_after, raised.value.status_code) == (120.0, 429)
    assert len(mock.requests) == 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_total_timeout_spans_retries(engine: str, mock: MockLM) -> None:
    lm = lm_for("fault-status-503", engine, mock, num_retries=1000, retry_delay=0.02, timeout=0.4)

    with pytest.raises((LMTimeoutError, LMServerError)):
        await asyncio.wait_for(lm.acall("hi"), 5)

    assert 1 < len(mock.requests) < 50


@pytest.mark.parametrize("engine", ENGINES)
async def test_connecting_has_a_deadline_of_its_own(engine: Any) -> None:
    async with unconnectable() as base:
        lm = LM("openai/any", engine=engine, api_base=base, api_key="k", num_retries=0)

        with pytest.raises(LMTimeoutError) as raised:
            await lm.copy(connect_timeout=0.1).acall("hi")

    assert (raised.value.phase, raised.value.seconds) == ("connect", 0.1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("base", ["http://127.0.0.1:9/v1", "http://nowhere.invalid/v1"])
async def test_an_address_nobody_answers_at_is_a_transport_error(engine: Any, base: str) -> None:
    lm = LM("openai/any", engine=engine, api_base=base, api_key="k", num_retries=0)

    with pytest.raises(LMTransportError):
        await lm.acall("hi")


def test_pauses_double_and_vary_by_at_most_half() -> None:
    retries = Retries(number=5, delay=1.0)
    error = LMServerError("failed", status_code=500)

    pauses = [retries.pause(attempt, error, remaining=600) for attempt in (1, 2, 3)]

    assert [
        low <= (pause or 0) <= high
        for pause, (low, high) in zip(pauses, [(0.5, 1), (1, 2), (2, 4)], strict=True)
    ] == [True, True, True]


def test_a_pause_longer_than_what_remains_is_not_begun() -> None:
    error = LMServerError("failed", status_code=500, retry_after=5.0)

    assert Retries().pause(1, error, remaining=4.0) is None


@pytest.mark.parametrize(
    "arguments",
    [{"timeout": 0}, {"idle_timeout": -1}, {"num_retries": -1}, {"engine": "fast"}],
    ids=str,
)
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LM("openai/any", **arguments)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_call_may_set_its_own_deadlines(engine: str, mock: MockLM) -> None:
    with pytest.raises(LMTimeoutError) as raised:
        await lm_for("fault-hang-after-headers", engine, mock).acall("hi", first_token_timeout=0.1)

    assert (raised.value.phase, raised.value.seconds) == ("first_token", 0.1)
    assert "first_token_timeout" not in mock.requests[0].body


async def test_a_call_cannot_take_its_key_elsewhere(mock: MockLM) -> None:
    with pytest.raises(UsageError, match="api_base, api_key belongs to the LM"):
        await lm_for("any", "auto", mock).acall("hi", api_base="http://elsewhere", api_key="k")

    assert mock.requests == []


@pytest.mark.parametrize("key", [None, ""], ids=["unset", "empty"])
async def test_without_a_key_nothing_is_asked(
    key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)

    lm = LM("openai/gpt-4o-mini")

    with pytest.raises(LMNotConfiguredError, match="OPENAI_API_KEY"):
        await lm.acall("hi")

    with pytest.raises(LMNotConfiguredError, match="OPENAI_API_KEY"):
        await lm.check()


async def test_an_address_of_ones_own_needs_no_key(
    mock: MockLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_BASE", mock.base_url)

    for engine in ENGINES:
        await LM("openai/gpt-4o-mini", engine=engine, cache=False).acall("hi")  # type: ignore[arg-type] # a loop over literals

    assert ["authorization" in one.headers for one in mock.requests] == [False, True]


async def test_the_direct_engine_says_what_it_cannot_do() -> None:
    lm = LM("anthropic/claude-3-5-sonnet-20240620", engine="direct", api_key="k")

    with pytest.raises(LMUnsupportedError, match="anthropic"):
        await lm.acall("hi")


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_parameter_the_model_does_not_take_is_named(engine: Any) -> None:
    lm = LM("openai/o3-mini", engine=engine, api_key="k", temperature=0.3)

    with pytest.raises(LMUnsupportedError, match="temperature"):
        await lm.acall("hi")


@pytest.mark.parametrize(("joins", "expected"), [(False, ["a", "b", "c"]), (True, ["abc"])])
async def test_a_run_may_want_the_text_that_arrives_together_as_one(
    joins: bool, expected: list[str]
) -> None:
    async def burst(reply: Reply) -> None:
        await reply.open()
        chunks = [{"delta": {"content": text}} for text in "abc"]
        events = [{"choices": [chunk]} for chunk in [*chunks, {"finish_reason": "stop"}]]
        await reply.send(b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in events))
        await reply.close_body()

    async with MockLM({"burst": burst}) as mock:
        lm = lm_for("burst", "direct", mock, cache=False)
        texts: list[str] = []

        with enter_run(RunScope(lambda _: None, joins_text=joins)):
            await lm.complete(
                [{"role": "user", "content": "hi"}], lambda delta: texts.append(delta.text)
            )

    assert texts == expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "-7"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e300"}, None),
        ({"retry-after-ms": "9" * 400}, None),
        ({}, None),
    ],
    ids=str,
)
def test_a_wish_to_wait_is_a_time_or_none(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (429, LMRateLimitError),
        ("503", LMServerError),
        ("9" * 5000, LMServerError),
        ("\u0664\u0662\u0669", LMServerError),
        (10**30, LMServerError),
        ([429], LMServerError),
        (200, LMServerError),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_code_in_a_stream_is_a_status_or_none(code: object, kind: type[LMError]) -> None:
    error = said_in_stream({"code": code, "message": "failed"}, model="m")

    assert type(error) is kind
    assert error.status_code in (429, 503, None)
