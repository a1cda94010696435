"""Prompts: the order in which every dialect says the same, and the parts that a dialect writes.

One system message (fields, structure, task), then demos and earlier turns as pairs of user and
assistant messages, then the request. Every `format_*` method may be overridden on its own.
"""

from __future__ import annotations

import abc
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from headrace.adapters.history import history_field, turns_of
from headrace.adapters.prompt_text import INCOMPLETE, NOT_SUPPLIED, field_list, value_text
from headrace.lm.base import Message
from headrace.signatures import Field, Signature

STRUCTURE = "Every interaction has this structure, with values in place of the {names}."


def no_note(field: Field) -> str:
    """For fields of which nothing is to be said."""
    return ""


def placeholder(field: Field, note: str) -> str:
    """A placeholder for a value, where the structure of an interaction is shown."""
    return f"{{{field.name}}}" + (f"        # note: the value {note}" if note else "")


class PromptWriter(abc.ABC):
    """Writes a signature, demos, history and inputs as messages."""

    @abc.abstractmethod
    def format_field_structure(self, signature: type[Signature]) -> str:
        """The look of an interaction in this dialect, with a placeholder for every value."""

    @abc.abstractmethod
    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Mapping[str, Any],
        missing_field_message: str | None = None,
    ) -> str:
        """An answer as the model is to give it.

        Outputs that are missing are left out, or stand as `missing_field_message`.
        """

    @abc.abstractmethod
    def user_message_output_requirements(self, signature: type[Signature]) -> str:
        """The end of the request: which fields the answer is to have, and in which form."""

    def format_field(self, name: str, text: str) -> str:
        """A field with its value as text."""
        return f"[[ ## {name} ## ]]\n{text}"

    def format_placeholders(
        self, fields: Iterable[Field], note: Callable[[Field], str] = no_note
    ) -> list[str]:
        """Fields with placeholders for their values, and what `note` says the values must be."""
        return [self.format_field(one.name, placeholder(one, note(one))) for one in fields]

    def format(
        self, signature: type[Signature], demos: Sequence[Any], inputs: Mapping[str, Any]
    ) -> list[Message]:
        """The messages of one request. `demos` are mappings or Examples of fields to values."""
        turns: list[dict[str, Any]] = []

        if history := history_field(signature):
            turns = turns_of(inputs.get(history.name))
            signature = signature.delete(history.name, "input")

        return [
            {"role": "system", "content": self.format_system_message(signature)},
            *self.format_demos(signature, demos),
            *self.format_conversation_history(signature, turns),
            {
                "role": "user",
                "content": self.format_user_message_content(signature, inputs, main_request=True),
            },
        ]

    def format_system_message(self, signature: type[Signature]) -> str:
        """Fields, structure and task."""
        return "\n\n".join(
            [
                self.format_field_description(signature),
                self.format_field_structure(signature),
                self.format_task_description(signature),
            ]
        )

    def format_field_description(self, signature: type[Signature]) -> str:
        """The inputs and outputs with their types, descriptions and constraints."""
        inputs = field_list(signature.input_fields.values())
        outputs = field_list(signature.output_fields.values())

        return f"Your input fields are:\n{inputs}\nYour output fields are:\n{outputs}"

    def format_task_description(self, signature: type[Signature]) -> str:
        """The signature's instructions."""
        task = textwrap.indent(textwrap.dedent(signature.instructions).strip(), " " * 8)

        return f"In adhering to this structure, your objective is:\n{task}"

    def format_user_message_content(
        self,
        signature: type[Signature],
        inputs: Mapping[str, Any],
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,
    ) -> str:
        """The inputs that are there, field by field; with `main_request`, what is asked for too."""
        fields = [
            self.format_field(name, value_text(field.going_out(inputs[name])))
            for name, field in signature.input_fields.items()
            if name in inputs
        ]
        request = self.user_message_output_requirements(signature) if main_request else ""

        return "\n\n".join(part for part in [prefix, *fields, suffix, request] if part)

    def format_demos(self, signature: type[Signature], demos: Sequence[Any]) -> list[Message]:
        """Demos as pairs of messages: first those with gaps, marked as such, then whole ones.

        A demo without any input or without any output shows nothing and is left out.
        """
        known = [
            {name: value for name, value in demo.items() if value is not None} for demo in demos
        ]
        names = {*signature.input_fields, *signature.output_fields}
        whole = [demo for demo in known if names <= demo.keys()]
        gapped = [
            demo
            for demo in known
            if not names <= demo.keys()
            and demo.keys() & signature.input_fields
            and demo.keys() & signature.output_fields
        ]

        return [
            *(one for demo in gapped for one in self._pair(signature, demo, INCOMPLETE)),
            *(one for demo in whole for one in self._pair(signature, demo)),
        ]

    def format_conversation_history(
        self, signature: type[Signature], turns: Iterable[Mapping[str, Any]]
    ) -> list[Message]:
        """Earlier turns as pairs of messages; of a turn without outputs, what the user said."""
        messages: list[Message] = []

        for turn in turns:
            user, assistant = self._pair(signature, turn)
            messages += [user] if turn.keys() & signature.input_fields else []
            messages += [assistant] if turn.keys() & signature.output_fields else []

        return messages

    def _pair(
        self, signature: type[Signature], values: Mapping[str, Any], prefix: str = ""
    ) -> tuple[Message, Message]:
        asked = self.format_user_message_content(signature, values, prefix)
        missing = NOT_SUPPLIED if prefix else None
        answered = self.format_assistant_message_content(signature, values, missing)

        return {"role": "user", "content": asked}, {"role": "assistant", "content": answered}


def outputs_present(
    signature: type[Signature], outputs: Mapping[str, Any], missing: str | None
) -> dict[str, Any]:
    """The outputs in the signature's order; those not there as `missing`, if that is a text."""
    stated = {
        name: field.going_out(outputs.get(name, missing))
        for name, field in signature.output_fields.items()
    }

    return {name: value for name, value in stated.items() if name in outputs or value is not None}
