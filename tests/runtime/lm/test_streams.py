"""Streams that are not quite what they should be: wrongly labelled, finished too early, broken off."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import orjson
import pytest
from headrace.errors import (
    LMError,
    LMRateLimitError,
    LMRequestRejectedError,
    LMServerError,
    LMStreamBrokenError,
    LMTimeoutError,
)
from headrace.lm import LM
from headrace_mock import MockLM, Reply
from runtime.lm.ways import WAYS, way_to
from runtime.lm.wire_shapes import chunk, events, usage

BOUND = 20.0
SOON = 0.3
EVENTS = events(chunk({"content": "Hel"}), chunk({"content": "lo"}), chunk({}, "stop"))
WHOLE = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
OBJECT = json.dumps(WHOLE).encode()
INDENTED = json.dumps(WHOLE, indent=2).encode()
LABELS = [
    "text/event-stream",
    "application/json",
    "application/json; charset=utf-8",
    "application/x-ndjson",
    "application/octet-stream",
    "text/html",
    "text/plain",
    "",
]
BODIES = {
    "events": EVENTS,
    "events with CR": EVENTS.replace(b"\n", b"\r"),
    "events with CRLF": EVENTS.replace(b"\n", b"\r\n"),
    "events after a mark, a comment and fields": b"\xef\xbb\xbf: hi\n\nretry: 5\nevent: x\n" + EVENTS,
    "events after blank lines": b"\n\n \r\n" + EVENTS,
    "an object": OBJECT,
    "an object over several lines": INDENTED,
    "an object and [DONE]": OBJECT + b"\ndata: [DONE]\n\n",
    "an object as an event of several lines": b"data: " + INDENTED.replace(b"\n", b"\ndata: ") + b"\n\n",
    "an object a line": EVENTS.replace(b"data: ", b"").replace(b"\n\n", b"\n"),
    "an array of chunks": orjson.dumps([chunk({"content": "Hello"}), chunk({}, "stop")]),
}  # fmt: skip

Play = Callable[[Reply], Awaitable[None]]


async def ask(play: Play, *, way: str = "direct", model: str = "openai/any", **options: Any) -> Any:
    """The first answer to a request that is played to like this."""
    models = {model.partition("/")[2]: play, "": play}  # Gemini has its model in the path

    async with MockLM(models) as mock, asyncio.timeout(BOUND):
        base = mock.base_url if model.startswith("openai/") else mock.base_url.removesuffix("/v1")

        with pytest.MonkeyPatch.context() as environment:
            arguments = {**way_to(base, way, environment), **options}
            lm = LM(model, api_key="k", num_retries=0, **arguments)

            return (await lm.acall("hi"))[0]


def saying(body: bytes, content_type: str = "text/event-stream", **headers: str) -> Play:
    async def play(reply: Reply) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        await reply.body(200, body, content_type=content_type, headers=names)

    return play


def streaming(*pieces: bytes, then: Callable[[Reply], Any] = Reply.end) -> Play:
    """Sends pieces of a stream, and ends it in a given way."""

    async def play(reply: Reply) -> None:
        await reply.open()

        for one in pieces:
            await reply.send(one)

        if (ending := then(reply)) is not None:
            await ending

    return play


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("body", BODIES)
async def test_a_body_is_read_for_what_it_is(body: str, label: str) -> None:
    assert await ask(saying(BODIES[body], label)) == "Hello"


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_may_come_byte_by_byte(body: str) -> None:
    data = BODIES[body]
    pieces = [data[at : at + 1] for at in range(len(data))]

    assert await ask(streaming(*pieces, then=Reply.close_body)) == "Hello"


@pytest.mark.parametrize("body", ["events", "an object over several lines"])
async def test_a_compressed_body_is_read_too(body: str) -> None:
    play = saying(gzip.compress(BODIES[body]), "application/json", content_encoding="gzip")

    assert await ask(play) == "Hello"


@pytest.mark.parametrize("label", ["text/html", "text/event-stream", "application/json"])
async def test_a_page_is_refused_as_one(label: str) -> None:
    with pytest.raises(LMStreamBrokenError, match="a page of HTML"):
        await ask(saying(b"\n<!doctype html>\n<p>Log in</p>", label))


@pytest.mark.parametrize("body", [b"upstream connect error", gzip.compress(EVENTS)])
async def test_a_body_that_is_nothing_we_know_is_refused_as_that(body: bytes) -> None:
    with pytest.raises(LMStreamBrokenError, match="neither events nor JSON"):
        await ask(saying(body, "text/plain"))


LIMITED = {"message": "slow down", "code": 429}
ERRORS: dict[str, tuple[bytes, type[LMError]]] = {
    "an object": (orjson.dumps({"error": LIMITED}), LMRateLimitError),
    "an object over several lines": (json.dumps({"error": LIMITED}, indent=2).encode(), LMRateLimitError),
    "an array": (orjson.dumps([{"error": LIMITED}]), LMRateLimitError),
    "an event": (events({"error": LIMITED}), LMRateLimitError),
    "an event by itself": (events({"object": "error", **LIMITED}), LMRateLimitError),
    "an object after events": (EVENTS[:90] + b"\n\n" + orjson.dumps({"error": LIMITED}), LMStreamBrokenError),
    "a text": (orjson.dumps({"error": "oh"}), LMServerError),
    "an invalid request": (
        events({"error": {"message": "no", "type": "invalid_request_error"}}), LMRequestRejectedError,
    ),
    "an array of anything": (b'["a", 1]', LMStreamBrokenError),
    "an empty array": (b"[]", LMStreamBrokenError),
}  # fmt: skip


@pytest.mark.parametrize("label", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("error", ERRORS)
async def test_an_error_with_status_200_is_one(error: str, label: str) -> None:
    body, kind = ERRORS[error]

    with pytest.raises(kind):
        await ask(saying(body, label))


async def test_an_error_over_several_lines_ends_a_stream() -> None:
    error = json.dumps({"error": LIMITED}, indent=2).encode() + b"\n\n"

    with pytest.raises(LMRateLimitError):
        await ask(streaming(events(chunk({"content": "Hel"}), done=False), error))


def text(content: str, reason: str | None = "stop") -> bytes:
    return events(chunk({"content": content}, reason), done=False)


EARLY = {
    "in every chunk": [text("One "), text("two "), text("three")],
    "in the first chunk": [text("One "), text("two ", None), text("three", None)],
    "alone, before the text": [text("", "stop"), text("One two "), text("three", None)],
    "and usage after it": [
        text("One "),
        text("two three"),
        events({"choices": [], "usage": usage(1, 2)}, done=False),
    ],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", [Reply.end, Reply.close_body])
@pytest.mark.parametrize("early", EARLY)
async def test_an_early_finish_reason_does_not_end_an_answer(
    early: str, ending: Any, way: str
) -> None:
    assert await ask(streaming(*EARLY[early], then=ending), way=way) == "One two three"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", [Reply.cut, Reply.reset])
@pytest.mark.parametrize("early", EARLY)
async def test_an_answer_that_breaks_off_after_an_early_finish_reason_is_none(
    early: str, ending: Any, way: str
) -> None:
    with pytest.raises(LMStreamBrokenError):
        await ask(streaming(*EARLY[early], then=ending), way=way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("early", EARLY)
async def test_a_pause_after_an_early_finish_reason_is_bounded_by_idle_timeout(
    early: str, way: str
) -> None:
    with pytest.raises(LMTimeoutError) as raised:
        await ask(streaming(*EARLY[early], then=Reply.hang), way=way, idle_timeout=SOON)

    assert (raised.value.phase, raised.value.seconds) == ("idle", SOON)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", [Reply.cut, Reply.reset, Reply.hang])
async def test_an_answer_is_whole_after_a_finish_reason_that_nothing_followed(
    ending: Any, way: str
) -> None:
    pieces = [text("Hello", None), text("", "stop"), events({"choices": [], "usage": usage(1, 1)}, done=False)]  # fmt: skip

    assert await ask(streaming(*pieces, then=ending), way=way, idle_timeout=SOON) == "Hello"


async def test_a_pause_after_a_finish_reason_beside_text_ends_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headrace.lm.deadlines.TRAILER", 0.01)

    async def play(reply: Reply) -> None:
        await reply.open()
        await reply.send(text("Hel"))
        await asyncio.wait({asyncio.ensure_future(reply.hang())}, timeout=SOON)  # many trailers
        await reply.send(text("lo"))
        await reply.end()

    assert await ask(play) == "Hello"


async def test_done_counts_though_the_connection_breaks_in_the_same_moment() -> None:
    async def play(reply: Reply) -> None:
        await reply.open()
        await reply.send(b"".join([text("Hel"), text("lo"), b"data: [DONE]\n\n"]))
        reply.reset()

    assert await ask(play) == "Hello"


async def test_a_break_between_two_completions_is_no_answer_of_one() -> None:
    first = events(chunk({"content": "a"}), chunk({}, "stop"), done=False)

    with pytest.raises(LMStreamBrokenError):
        await ask(streaming(first, then=Reply.cut), n=2)


def anthropic(*contents: dict[str, Any]) -> list[bytes]:
    return [
        f"event: {one['type']}\ndata: ".encode() + orjson.dumps(one) + b"\n\n" for one in contents
    ]


def gemini(content: str, reason: str | None = None) -> bytes:
    candidate = {"content": {"role": "model", "parts": [{"text": content}]}, "index": 0}
    candidate |= {"finishReason": reason} if reason else {}

    return b"data: " + orjson.dumps({"candidates": [candidate]}) + b"\r\n\r\n"


MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "x",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
HEL = anthropic(
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
)
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
UNAVAILABLE = {"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}
FAMILIES: dict[str, tuple[str, Sequence[bytes]]] = {
    "openai": ("openai/any", [text("Hel", None)]),
    "anthropic": ("anthropic/claude-x", HEL),
    "gemini": ("gemini/gemini-x", [gemini("Hel"), gemini("lo")]),
    "gemini, a reason in every chunk": ("gemini/gemini-x", [gemini("Hel", "STOP"), gemini("lo", "STOP")]),
}  # fmt: skip


def told(family: str, ending: Any, *more: bytes, **options: Any) -> Awaitable[Any]:
    model, pieces = FAMILIES[family]

    return ask(streaming(*pieces, *more, then=ending), way="litellm", model=model, **options)


@pytest.mark.parametrize("ending", [Reply.cut, Reply.reset])
@pytest.mark.parametrize("family", FAMILIES)
async def test_a_broken_connection_breaks_the_answer_of_any_family(
    family: str, ending: Any
) -> None:
    with pytest.raises(LMStreamBrokenError):
        await told(family, ending)


@pytest.mark.parametrize("family", ["openai", "anthropic"])
async def test_an_end_without_a_finish_reason_breaks_the_answer_of_any_family(family: str) -> None:
    with pytest.raises(LMStreamBrokenError):
        await told(family, Reply.close_body)


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_pause_of_any_family_is_bounded_by_idle_timeout(family: str) -> None:
    with pytest.raises(LMTimeoutError) as raised:
        await told(family, Reply.hang, idle_timeout=SOON)

    assert raised.value.phase == "idle"


@pytest.mark.parametrize(
    ("family", "error"),
    [
        ("openai", events({"error": {"message": "no", "code": 503}}, done=False)),
        ("anthropic", anthropic(OVERLOADED)[0]),
        ("gemini", b"data: " + orjson.dumps(UNAVAILABLE) + b"\r\n\r\n"),
    ],
)
async def test_an_error_inside_a_stream_of_any_family_is_the_providers(
    family: str, error: bytes
) -> None:
    with pytest.raises(LMServerError, match="the provider failed"):
        await told(family, Reply.close_body, error)
