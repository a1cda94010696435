"""History: earlier turns of a conversation, as the value of an input field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from headrace.signatures import Field, Signature
from headrace.signatures.annotations import alternatives


class History(BaseModel):
    """Earlier turns, oldest first: each a mapping of a turn's input and output fields to values.

        class Chat(headrace.Signature):
            question: str = headrace.InputField()
            history: headrace.History = headrace.InputField()
            answer: str = headrace.OutputField()

        chat(question="And its river?", history=History(messages=[{"question": …, "answer": …}]))

    The model sees each turn as a user message and its own answer to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: list[dict[str, Any]]


def history_field(signature: type[Signature]) -> Field | None:
    """The input that holds a History, if there is one."""
    fields = signature.input_fields.values()

    return next((one for one in fields if History in alternatives(one.annotation)), None)


def turns_of(value: object) -> list[dict[str, Any]]:
    """The turns in the value of a history field: a History, its messages, or nothing."""
    if value is None:
        return []

    if isinstance(value, Mapping | History):
        return History.model_validate(value).messages

    return History.model_validate({"messages": value}).messages
