"""JSONAdapter: the JSON dialect, one object whose keys are the output fields.

How completions are read stands in `headrace.parsing.json`. A model that can be held to JSON, or to
a schema, is. Dialects that models now and then fail to keep to fall back on this one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from headrace.adapters.base import Adapter
from headrace.adapters.conversion import repair_json
from headrace.adapters.prompt import outputs_present
from headrace.adapters.prompt_text import asked_type, json_text, shown_value, type_note
from headrace.adapters.strict_schema import strict_schema
from headrace.calls import BaseCallback
from headrace.lm.base import BaseLM
from headrace.parsing import FieldParser, JSONParser
from headrace.signatures import Field, Signature

WRAPPERS = 3
"""Objects around the fields, at most."""
OPENINGS = ("{", "[", "```")
"""The beginnings of a text that is an object."""

_DECODER = json.JSONDecoder(strict=False)


class JSONAdapter(Adapter):
    """Speaks the JSON dialect. Inputs stand under `[[ ## name ## ]]` headers."""

    def parser(self, signature: type[Signature]) -> FieldParser:
        """A parser of the JSON dialect."""
        fields = signature.output_fields.items()

        return JSONParser({name: field.streams_text for name, field in fields})

    def lm_options(self, lm: BaseLM, signature: type[Signature]) -> dict[str, Any]:
        """The strictest response_format that both the model and the signature allow."""
        if lm.supports("response_schema") and (schema := strict_schema(signature)):
            described = {"name": "outputs", "strict": True, "schema": schema}

            return {"response_format": {"type": "json_schema", "json_schema": described}}

        if lm.supports("response_format"):
            return {"response_format": {"type": "json_object"}}

        return {}

    def repaired(self, signature: type[Signature], completion: str) -> dict[str, str]:
        """The fields in the first thing in the completion that is nearly an object with any.

        An object without any may be a wrapper: then they are those of the only object inside it, at
        most WRAPPERS deeper, that holds some.
        """
        fields = signature.output_fields

        for one in _nearly_objects(completion):
            if found := _holder(_opened(one), fields, WRAPPERS):
                texts = {name: _text(fields[name], found[name]) for name in fields if name in found}

                return {name: text for name, text in texts.items() if text is not None}

        return {}

    def format_field_structure(self, signature: type[Signature]) -> str:
        """The headers of the inputs, and the object of the outputs."""
        inputs = self.format_placeholders(signature.input_fields.values())
        outputs = ",\n".join(
            f'  "{name}": "{{{name}}}"' if field.streams_text else f'  "{name}": {{{name}}}'
            for name, field in signature.output_fields.items()
        )
        notes = "\n".join(
            f"`{name}` {note}."
            for name, field in signature.output_fields.items()
            if (note := type_note(field, json_text))
        )
        opening = "Inputs come in this structure, with values in place of the {names}:"
        asked = "Your answer is one JSON object of this structure:"
        parts = [opening, *inputs, asked, f"{{\n{outputs}\n}}", notes]

        return "\n\n".join(part for part in parts if part)

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Mapping[str, Any],
        missing_field_message: str | None = None,
    ) -> str:
        """The outputs as one object."""
        present = outputs_present(signature, outputs, missing_field_message)
        plain = {name: shown_value(value) for name, value in present.items()}

        return json.dumps(plain, ensure_ascii=False, indent=2)

    def user_message_output_requirements(self, signature: type[Signature]) -> str:
        """The keys to write, in order."""
        keys = [f"`{name}`{asked_type(field)}" for name, field in signature.output_fields.items()]

        return (
            "Respond with one JSON object and nothing else. "
            f"It has these fields, in this order: {', then '.join(keys)}."
        )


class FallbackAdapter(Adapter):
    """Asks again in JSON after an answer that did not parse and of which nothing was written.

    With `use_json_adapter_fallback=False` such an answer is an AdapterParseError at once.
    """

    def __init__(
        self,
        callbacks: Sequence[BaseCallback] | None = None,
        use_json_adapter_fallback: bool = True,
    ) -> None:
        super().__init__(callbacks)
        self.use_json_adapter_fallback = use_json_adapter_fallback

    def fallback(self) -> Adapter | None:
        """A JSONAdapter, if that is wanted."""
        return JSONAdapter(self.callbacks) if self.use_json_adapter_fallback else None


def _nearly_objects(completion: str) -> Iterator[object]:
    """The JSON in a text, or what is nearly JSON, repaired."""
    with suppress(ValueError, RecursionError):
        yield _DECODER.raw_decode(completion, completion.index("{"))[0]

    with suppress(ValueError, RecursionError):
        found = repair_json(completion)

        yield from cast("list[object]", found) if isinstance(found, list) else [found]


def _holder(value: object, fields: Mapping[str, Field], deeper: int) -> dict[str, Any] | None:
    """The object that holds fields: the value itself, or the only one inside it that does."""
    if not isinstance(value, dict):
        return None

    known = cast("dict[str, Any]", value)

    if any(name in fields and _may_be(fields[name], one, deeper) for name, one in known.items()):
        return known

    if not deeper:
        return None

    inside = [_holder(_opened(one), fields, deeper - 1) for one in known.values()]
    found = [one for one in inside if one is not None]

    return found[0] if len(found) == 1 else None


def _may_be(field: Field, value: object, deeper: int) -> bool:
    """True if a value may be a field's: inside a wrapper a text is no object, which is a schema."""
    return deeper == WRAPPERS or not (field.streams_text and isinstance(value, dict | list))


def _opened(value: object) -> object:
    """The object that a value stands for: as text, or as the only one of a list."""
    if isinstance(value, str) and value.lstrip().startswith(OPENINGS):
        return next(_nearly_objects(value), None)

    if isinstance(value, list):
        several = cast("list[object]", value)

        return several[0] if len(several) == 1 else None

    return value


def _text(field: Field, value: object) -> str | None:
    """The text that the parser would have given for a value; None for a text field that is null."""
    if field.streams_text and (value is None or isinstance(value, str)):
        return value

    return json.dumps(value, ensure_ascii=False)
