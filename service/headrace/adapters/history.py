"""History: earlier turns of a conversation, as the value of an input field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from headrace.errors import UsageError
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
    """The turns in the value of a history field: a History, its messages, or nothing.

    Raises UsageError for anything else.
    """
    if value is None:
        return []

    whole = isinstance(value, Mapping | History)

    try:
        return History.model_validate(value if whole else {"messages": value}).messages
    except ValidationError as error:
        raise UsageError(
            "a history holds turns, each a dict of fields to values: "
            "History(messages=[{'question': '...', 'answer': '...'}])"
        ) from error
