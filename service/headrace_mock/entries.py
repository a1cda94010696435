"""The answers of a script: each a text, fields, tool calls or an error, at its own pace."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from headrace.errors import UsageError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from headrace_mock.canned import Answer, answer_to, canned_answer
from headrace_mock.reply import Chunk, cut
from headrace_mock.requests import read_request
from headrace_mock.tool_calls import ARGUMENTS, TOOL, Call, call_deltas, call_number


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolCall(_Part):
    """A call of a tool."""

    name: Annotated[str, Field(min_length=1)]
    arguments: dict[str, Any] = {}


class Failure(_Part):
    """An error in place of an answer, or in the middle of one."""

    status: Annotated[int, Field(ge=400, le=599)] = 500
    message: str = ""
    code: str | None = None
    retry_after: Annotated[float, Field(ge=0)] | None = None
    """Seconds, as the header of that name says them."""
    after: Annotated[int, Field(ge=0)] | None = None
    """Chunks of a stream that come first; None = no stream begins."""


class Entry(_Part):
    """One answer of a script. Where it names neither text, fields nor tool calls, the answer is canned."""

    when: str = ""
    """For requests whose prompt has this in it."""
    text: str | None = None
    fields: dict[str, Any] = {}
    """Values by name, written as the request asks for them; fields not named here are canned."""
    tool_calls: tuple[ToolCall, ...] = ()
    error: Failure | None = None
    finish_reason: str | None = None
    delay: Annotated[float, Field(ge=0)] = 0.0
    """Seconds before the answer begins."""
    pace: Annotated[float, Field(ge=0)] | None = None
    """Seconds before each chunk, if not as everywhere."""

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of(self) -> Entry:
        if self.text is not None and self.fields:
            raise ValueError("an answer has text or fields, not both")

        return self

    def answer(self, body: Mapping[str, Any]) -> Answer:
        """The answer to a request. Raises UsageError where its dialect has no place for it."""
        if self.text is None and not self.fields and not self.tool_calls:
            canned = canned_answer(body)
            return canned._replace(finish_reason=self.finish_reason or canned.finish_reason)

        fields = dict(self.fields)
        calls = [Call(one.name, one.arguments) for one in self.tool_calls]

        if calls and TOOL in read_request(body).schemas:  # an agent that asks in its prompt
            fields |= _turn(calls)
            calls = []

        text = answer_to(body, fields) if fields else self.text or ""
        pieces: list[Chunk] = [*cut(text), *call_deltas(calls, call_number(body))]

        return Answer(pieces, self.finish_reason or ("tool_calls" if calls else "stop"))


def _turn(calls: Sequence[Call]) -> dict[str, Any]:
    """The fields of an agent's turn. Raises UsageError for more calls than it takes."""
    if len(calls) > 1:
        raise UsageError(f"{len(calls)} tool calls, but an agent's turn takes one")

    return {TOOL: calls[0].name, ARGUMENTS: calls[0].arguments}


KEYS = [*Entry.model_fields, *Failure.model_fields, *ToolCall.model_fields]


def read_entry(value: object, place: str) -> Entry:
    """An answer of a script. Raises UsageError that names the place, the key and the rule."""
    try:
        return Entry.model_validate(value)
    except ValidationError as error:
        one = error.errors(include_input=False, include_url=False, include_context=False)[0]
        path = ".".join(str(step) for step in one["loc"])
        rule = one["msg"].removeprefix("Value error, ")

        if one["type"] == "extra_forbidden":
            rule = f"unknown key; {_hint(path.rpartition('.')[2])}"
        elif one["type"] == "model_type":
            rule = 'expected a text, or an object such as {"text": "Hello"}'

        raise UsageError(f"{place}: {path}{': ' if path else ''}{rule}") from None


def _hint(key: str) -> str:
    near = difflib.get_close_matches(key, KEYS, n=1)

    return f"did you mean {near[0]}?" if near else f"there are {', '.join(Entry.model_fields)}"
