"""JSONAdapter: the JSON dialect, one object whose keys are the output fields.

How completions are read stands in `headrace.parsing.json`. A model that can be held to JSON, or to
a schema, is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from headrace.adapters.base import Adapter
from headrace.adapters.prompt import outputs_present
from headrace.adapters.repair import mended
from headrace.adapters.strict_schema import strict_schema
from headrace.adapters.wording import asked_type, json_text, shown_value, type_note
from headrace.lm.base import BaseLM
from headrace.parsing import FieldParser, JSONParser
from headrace.signatures import Field, Signature


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
        """The fields in the first thing in the completion that is nearly an object with any."""
        fields = signature.output_fields

        for one in _nearly_objects(completion):
            texts = {name: _text(fields[name], one[name]) for name in fields if name in one}

            if texts:
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


def _nearly_objects(completion: str) -> list[dict[str, Any]]:
    """The objects in a text, as a library that is made for it reads nearly-JSON."""
    try:
        found = mended(completion)
    except (ValueError, RecursionError):
        return []

    several = cast("list[object]", found) if isinstance(found, list) else [found]

    return [cast("dict[str, Any]", one) for one in several if isinstance(one, dict)]


def _text(field: Field, value: object) -> str | None:
    """The text that the parser would have given for a value; None for a text field that is null."""
    if field.streams_text and (value is None or isinstance(value, str)):
        return value

    return json.dumps(value, ensure_ascii=False)
