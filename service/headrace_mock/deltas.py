"""Deltas as OpenAI writes them: tool calls in pieces, and the whole message that pieces come to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

Chunk: TypeAlias = str | Mapping[str, Any] | bytes
"""A piece of an answer: text, a `delta` object as OpenAI writes it, or raw bytes of the stream."""

CHUNK = 4
"""Characters per chunk."""


class Call(NamedTuple):
    """A call of a tool."""

    name: str
    arguments: Mapping[str, Any]


def cut(text: str, size: int = CHUNK) -> list[str]:
    """The text in chunks of `size` characters."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def call_deltas(calls: Iterable[Call], number: int = 1) -> Iterator[Chunk]:
    """The calls one after the other, their arguments cut small. `number` is that of the first."""
    for index, call in enumerate(calls):
        opening = {"name": call.name, "arguments": ""}
        start = {"id": f"call_{number + index}", "type": "function", "function": opening}
        yield {"tool_calls": [{"index": index, **start}]}

        for piece in cut(json.dumps(call.arguments, ensure_ascii=False)):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def whole_message(pieces: Iterable[Chunk]) -> dict[str, Any]:
    """The message that a request for no stream is answered with in place of the pieces."""
    texts: dict[str, str] = {}
    calls: dict[int, dict[str, Any]] = {}

    for piece in pieces:
        for name, value in _delta(piece).items():
            if name == "tool_calls":
                for part in value:
                    _add(calls, part)
            elif isinstance(value, str) and name != "role":
                texts[name] = texts.get(name, "") + value

    content = {"content": None if calls else ""}

    return {"role": "assistant", **content, **texts} | (
        {"tool_calls": list(calls.values())} if calls else {}
    )


def _delta(piece: Chunk) -> Mapping[str, Any]:
    if isinstance(piece, str):
        return {"content": piece}

    return {} if isinstance(piece, bytes) else piece


def _add(calls: dict[int, dict[str, Any]], part: Mapping[str, Any]) -> None:
    """Adds a piece of a call to what came before of it."""
    index, function = part["index"], part["function"]

    if index not in calls:
        calls[index] = {**part, "function": {**function}}
        del calls[index]["index"]
    else:
        calls[index]["function"]["arguments"] += function["arguments"]
