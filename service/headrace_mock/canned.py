"""Canned answers: a value for each field a request asks for, and prose that says that it is canned.

The prose quotes an input, so that different questions get different answers; the same request always
gets the same one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from headrace_mock.reply import Chunk, cut
from headrace_mock.requests import Asked, read_request, write_answer
from headrace_mock.schemas import Prose, example
from headrace_mock.tool_calls import ARGUMENTS, TOOL, call_deltas, call_number, next_call, next_turn


class Answer(NamedTuple):
    """An answer, as Reply.answer takes it."""

    chunks: Sequence[Chunk]
    finish_reason: str


def canned_answer(body: Mapping[str, Any]) -> Answer:
    """A call of a tool that the request offers, as long as there is one to make; then an answer."""
    call = next_call(body, read_request(body).topic)

    if call is None:
        return Answer(canned(body), "stop")

    return Answer([*call_deltas([call], call_number(body))], "tool_calls")


def canned(body: Mapping[str, Any]) -> list[str]:
    """The canned answer to a chat-completions request, in chunks."""
    return cut(answer_to(body))


def answer_to(body: Mapping[str, Any], given: Mapping[str, Any] | None = None) -> str:
    """The canned answer as one text, with the values that are given, by field."""
    asked = read_request(body)
    values = {**canned_values(asked), **(given or {})}

    if asked.dialect == "schema":
        values = example(asked.whole, prose_on(asked.topic), known=values)

    return write_answer(asked, values or {"": prose("", asked.topic)})


def canned_values(asked: Asked) -> dict[str, Any]:
    """A value for each field that is asked for."""
    write = prose_on(asked.topic)
    turn = next_turn(asked)
    known = {TOOL: turn.name, ARGUMENTS: dict(turn.arguments)} if turn else {}

    return {
        name: known[name] if name in known else example(schema, write, name=name)
        for name, schema in asked.schemas.items()
    }


def prose_on(topic: str) -> Prose:
    """Writes prose for fields."""
    return lambda field: prose(field, topic)


def prose(field: str, topic: str) -> str:
    """Two sentences for one field."""
    subject = f"the field {field}" if field else "an answer"

    return (
        f"This is canned prose from mock-lm for {subject}; no model was asked. "
        f"The request spoke of “{topic}”, and water in a headrace runs to the wheel."
    )
