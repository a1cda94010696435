"""The faults of the mock, by model name: each breaks one exchange in one exact way.

A fault's docstring is its line in `headrace mock-lm --list` and in docs/mock-lm.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator

from headrace_mock.canned import canned, canned_answer
from headrace_mock.reply import Reply

Fault = Callable[[Reply], Awaitable[None]]

FAULTS: dict[str, Fault] = {}
OPENING = ["[[ ## ", "answer", " ## ]]\n"]
"""Chunks that come before a fault in the middle of an answer."""
TRICKLE = 0.02
"""Seconds between comments, or between the bytes of a slow header."""
STATUS = re.compile(r"fault-status-(\d{3})(?:-(once|twice))?(?:-retry-after-([\d.]+))?")


def find_fault(name: str) -> Fault | None:
    """The fault of that name; None for a model that answers. A mistyped fault answers with 404."""
    if not name.startswith("fault-"):
        return None

    if status := STATUS.fullmatch(name):
        return _status(int(status[1]), {"once": 1, "twice": 2}.get(status[2]), status[3])

    return FAULTS.get(name, unknown)


def described() -> Iterator[tuple[str, str]]:
    """Every fault's name with its description."""
    for name, fault in FAULTS.items():
        yield name, " ".join((fault.__doc__ or "").split())

    yield "fault-status-429", " ".join((_status.__doc__ or "").split())


async def unknown(reply: Reply) -> None:
    """Answers 404, naming the faults there are."""
    await reply.error(404, f"no such fault; there are {', '.join(FAULTS)}", code="model_not_found")


def fault(function: Fault) -> Fault:
    """Registers a fault under its function's name."""
    FAULTS["fault-" + getattr(function, "__name__").replace("_", "-")] = function  # noqa: B009

    return function


def _status(status: int, times: int | None, retry_after: str | None) -> Fault:
    """Answers with any HTTP status, here 429. `-once` and `-twice` add a good answer after that,
    `-retry-after-0.5` the header of that name, in seconds."""

    async def answer(reply: Reply) -> None:
        if times is not None and reply.attempt > times:
            await reply.answer(*canned_answer(reply.request.body))
        elif retry_after is not None:
            await reply.error(status, retry_after=retry_after)
        else:
            await reply.error(status)

    return answer


async def _opening(reply: Reply) -> None:
    await reply.open()
    await reply.chunks(OPENING)


# Silence


@fault
async def hang_before_headers(reply: Reply) -> None:
    """Takes the request and never answers."""
    await reply.hang()


@fault
async def slow_headers(reply: Reply) -> None:
    """Sends header bytes one at a time, without end."""
    await reply.raw(b"HTTP/1.1 200 OK\r\nx-slow: ")

    while True:
        await reply.raw(b"x")
        await asyncio.sleep(TRICKLE)


@fault
async def hang_after_headers(reply: Reply) -> None:
    """Sends the headers of a stream, then nothing."""
    await reply.open()
    await reply.hang()


@fault
async def trickle_comments(reply: Reply) -> None:
    """Sends SSE comments for ever and never a token."""
    await reply.open()
    await _comments(reply)


@fault
async def hang_mid_stream(reply: Reply) -> None:
    """Sends three chunks, then nothing."""
    await _opening(reply)
    await reply.hang()


@fault
async def trickle_mid_stream(reply: Reply) -> None:
    """Sends three chunks, then SSE comments for ever."""
    await _opening(reply)
    await _comments(reply)


@fault
async def endless(reply: Reply) -> None:
    """Sends tokens for ever."""
    await reply.open()

    while True:
        await reply.chunks(["more "])
        await asyncio.sleep(TRICKLE)


@fault
async def hang_after_finish(reply: Reply) -> None:
    """Answers whole, up to the finish reason, then leaves the connection open without [DONE]."""
    await reply.open()
    await reply.chunks(canned(reply.request.body))
    await reply.finish()
    await reply.hang()


async def _comments(reply: Reply) -> None:
    while True:
        await reply.send(b": keep-alive\n\n")
        await asyncio.sleep(TRICKLE)


# Broken connections


@fault
async def reset_before_headers(reply: Reply) -> None:
    """Resets the connection instead of answering."""
    reply.reset()


@fault
async def close_before_headers(reply: Reply) -> None:
    """Closes the connection instead of answering."""
    reply.cut()


@fault
async def garbage_status_line(reply: Reply) -> None:
    """Answers with something that is not HTTP."""
    await reply.raw(b"\x16\x03\x01 nonsense\r\n\r\n")
    reply.cut()


@fault
async def reset_after_headers(reply: Reply) -> None:
    """Sends the headers of a stream, then resets the connection."""
    await reply.open()
    reply.reset()


@fault
async def reset_mid_stream(reply: Reply) -> None:
    """Sends three chunks, then resets the connection."""
    await _opening(reply)
    reply.reset()


@fault
async def close_mid_stream(reply: Reply) -> None:
    """Sends three chunks, then closes the connection in the middle of the body."""
    await _opening(reply)
    reply.cut()


# Streams that end too early, yet cleanly


@fault
async def no_finish_reason(reply: Reply) -> None:
    """Sends three chunks, then ends the body cleanly: no finish reason, no [DONE]."""
    await _opening(reply)
    await reply.close_body()


@fault
async def done_without_finish_reason(reply: Reply) -> None:
    """Sends three chunks and [DONE], but never a finish reason."""
    await _opening(reply)
    await reply.end()


@fault
async def truncated_json(reply: Reply) -> None:
    """Ends the body cleanly in the middle of an event's JSON."""
    await _opening(reply)
    await reply.send(b'data: {"id":"x","choices":[{"index":0,"delta":{"conte')
    await reply.close_body()


@fault
async def empty_body(reply: Reply) -> None:
    """Answers 200 with an event stream of no bytes."""
    await reply.open()
    await reply.close_body()


@fault
async def only_done(reply: Reply) -> None:
    """Sends [DONE] and nothing else."""
    await reply.open()
    await reply.end()


# Answers that are not what they claim to be


@fault
async def html(reply: Reply) -> None:
    """Answers 200 with a page of HTML, as a proxy's login page would."""
    await reply.body(200, b"<html><body>Please log in</body></html>", content_type="text/html")


@fault
async def html_as_stream(reply: Reply) -> None:
    """Answers 200 with HTML that calls itself an event stream."""
    await reply.body(200, b"<html>\n<body>Hi</body></html>", content_type="text/event-stream")


@fault
async def malformed_json(reply: Reply) -> None:
    """Sends an event in the middle whose JSON is malformed, then goes on as if nothing were."""
    await _opening(reply)
    await reply.send(b'data: {"choices": [}\n\n')
    await reply.chunks(["more"])
    await reply.finish()
    await reply.end()


@fault
async def not_an_object(reply: Reply) -> None:
    """Sends an event in the middle that is JSON, but no chunk."""
    await _opening(reply)
    await reply.send(b'data: ["surprise"]\n\n')
    await reply.finish()
    await reply.end()


@fault
async def endless_line(reply: Reply) -> None:
    """Sends one line without end."""
    await reply.open()
    await reply.send(b'data: {"choices":[{"delta":{"content":"')

    while True:
        await reply.send(b"x" * 1_000_000)
        await asyncio.sleep(TRICKLE)


@fault
async def error_event(reply: Reply) -> None:
    """Answers 200, then sends an error inside the stream before any token."""
    await reply.open()
    await reply.event({"error": {**_error(reply), "code": 500}})
    await reply.close_body()


@fault
async def error_event_rate_limit(reply: Reply) -> None:
    """Answers 200, then sends a rate-limit error inside the stream before any token."""
    await reply.open()
    await reply.event({"error": {**_error(reply), "code": 429}})
    await reply.close_body()


@fault
async def error_event_mid_stream(reply: Reply) -> None:
    """Sends three chunks, then an error inside the stream."""
    await _opening(reply)
    await reply.event({"error": _error(reply)})
    await reply.end()


def _error(reply: Reply) -> dict[str, str]:
    return {"message": f"mock error. You said: {reply.request.prompt}", "type": "server_error"}


# Refusals


@fault
async def hang_in_refusal(reply: Reply) -> None:
    """Answers 401, and never sends the rest of the body that says why."""
    await reply.head(401, "application/json", {"content-length": "1000"})
    await reply.raw(b'{"error": {"message": "the key ')
    await reply.hang()


@fault
async def context_window(reply: Reply) -> None:
    """Answers 400: the prompt is longer than the model's context window."""
    message = "This model's maximum context length is 8 tokens."
    await reply.error(400, message, code="context_length_exceeded")


@fault
async def content_filter_prompt(reply: Reply) -> None:
    """Answers 400: a content filter refuses the prompt."""
    message = "The response was filtered due to the content management policy."
    await reply.error(400, message, code="content_filter")


@fault
async def content_filter(reply: Reply) -> None:
    """Sends three chunks, then ends with finish reason "content_filter"."""
    await reply.answer(OPENING, "content_filter")


@fault
async def refusal(reply: Reply) -> None:
    """Streams a refusal in place of content, as OpenAI does for structured outputs."""
    await reply.answer([{"refusal": "I cannot "}, {"refusal": "help with that."}])


@fault
async def quota(reply: Reply) -> None:
    """Answers 429 with code "insufficient_quota": the account cannot pay."""
    await reply.error(429, "You exceeded your current quota.", code="insufficient_quota")


# Oddities that still are right answers


@fault
async def length(reply: Reply) -> None:
    """Sends half an answer that ends with finish reason "length"."""
    chunks = canned(reply.request.body)
    await reply.answer(chunks[: len(chunks) // 2], "length")


@fault
async def bad_utf8(reply: Reply) -> None:
    """Has a byte in the answer that is not UTF-8."""
    await _odd(reply, [_content(b"caf\xe9 ")])


@fault
async def cut_utf8(reply: Reply) -> None:
    """Cuts a character's UTF-8 bytes in two, each half in an event of its own."""
    await _odd(reply, [_content(b"ol\xc3"), _content(b"\xa9 ")])


@fault
async def cut_utf8_at_end(reply: Reply) -> None:
    """Ends the answer in the middle of a character's UTF-8 bytes."""
    await _odd(reply, [], _content(b"ol\xc3"))


@fault
async def split_surrogates(reply: Reply) -> None:
    r"""Cuts an escaped surrogate pair in two: "\ud83d" in one event, "\ude00" in the next."""
    await _odd(reply, [_content(rb"\ud83d"), _content(rb"\ude00 ")])


@fault
async def lone_surrogate(reply: Reply) -> None:
    r"""Has half a surrogate pair, "\ud800", in the answer and never the other half."""
    await _odd(reply, [_content(rb"a\ud800b ")])


@fault
async def repeated_chunk(reply: Reply) -> None:
    """Sends the same chunk 200 times, which is a right answer."""
    await reply.answer(["ha "] * 200)


@fault
async def huge_event(reply: Reply) -> None:
    """Sends one event of a million characters."""
    await reply.answer(["x" * 1_000_000])


@fault
async def split_bytes(reply: Reply) -> None:
    """Sends a good answer in pieces of three bytes, which cut lines and characters anywhere."""
    await reply.open()
    events = b"".join(_content(chunk.encode()) for chunk in [*canned(reply.request.body), "é漢😀"])
    events += b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'

    for at in range(0, len(events), 3):
        await reply.send(events[at : at + 3])

    await reply.end()


@fault
async def json_for_stream(reply: Reply) -> None:
    """Answers a request for a stream with one whole JSON body."""
    whole = {"index": 0, "message": {"content": "all at once"}, "finish_reason": "stop"}
    await reply.body(200, {"model": reply.request.model, "choices": [whole]})


@fault
async def noise(reply: Reply) -> None:
    """Sends a good answer among comments, unknown fields, empty events, CRLF, and data after [DONE]."""
    await reply.open()
    await reply.send(b": hello\r\n\r\nevent: message\r\nid: 7\r\nretry: 10\r\n\r\n")
    await reply.event({"object": "ping", "choices": []})
    await reply.event({"choices": [{"index": 0, "delta": None, "finish_reason": None}]})
    await reply.send(b'data:{"choices":[{"delta":{"content":"fi","odd":{}},"index":0}]}\r\n\r\n')
    await reply.chunks(["ne", {"content": None}, {"role": "assistant"}])
    await reply.finish()
    await reply.send(b"data: [DONE]\n\n")
    await reply.chunks(["never read"])
    await reply.close_body()


def _content(text: bytes) -> bytes:
    """An event whose content is these bytes, already escaped for JSON, right or wrong."""
    return b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % text


async def _odd(reply: Reply, odd: list[bytes], last: bytes = b"") -> None:
    """A good answer with odd events at its beginning, and perhaps one at its end."""
    await reply.answer([*odd, *canned(reply.request.body), *([last] if last else [])])
