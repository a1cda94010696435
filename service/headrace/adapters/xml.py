"""XMLAdapter: the XML dialect, each field between `<name>` and `</name>`.

How completions are read stands in `headrace.parsing.xml`. Values that are not text are JSON inside
their tags. Inputs are shown as they are; only what the model is to read as its own is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from headrace.adapters.json import FallbackAdapter
from headrace.adapters.prompt import STRUCTURE, outputs_present
from headrace.adapters.prompt_text import asked_type, type_note, value_text
from headrace.lm.base import BaseLM
from headrace.parsing import FieldParser, XMLParser
from headrace.signatures import Signature


class XMLAdapter(FallbackAdapter):
    """Speaks the XML dialect."""

    def parser(self, signature: type[Signature]) -> FieldParser:
        """A parser of the XML dialect."""
        return XMLParser(signature.output_fields)

    def lm_options(self, lm: BaseLM, signature: type[Signature]) -> dict[str, Any]:
        """Reasoning tags without those that are tags of fields."""
        tags = lm.reasoning_tags or ()
        apart = [tag for tag in tags if tag not in signature.output_fields]

        return {} if len(apart) == len(tags) else {"reasoning_tags": apart}

    def format_field(self, name: str, text: str) -> str:
        """A field between its tags."""
        return f"<{name}>\n{text}\n</{name}>"

    def format_field_structure(self, signature: type[Signature]) -> str:
        """The tags of all fields, in order."""
        inputs = self.format_placeholders(signature.input_fields.values())
        outputs = self.format_placeholders(signature.output_fields.values(), type_note)

        return "\n\n".join([STRUCTURE, *inputs, *outputs])

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Mapping[str, Any],
        missing_field_message: str | None = None,
    ) -> str:
        """The outputs between their tags, with `&`, `<` and `>` escaped."""
        present = outputs_present(signature, outputs, missing_field_message)

        return "\n\n".join(
            self.format_field(name, escape(value_text(value))) for name, value in present.items()
        )

    def user_message_output_requirements(self, signature: type[Signature]) -> str:
        """The tags to write, in order."""
        tags = [f"`<{name}>`{asked_type(field)}" for name, field in signature.output_fields.items()]

        return (
            f"Respond with the output fields between their tags, in this order: {', then '.join(tags)}. "
            "In values, write & as &amp; and < as &lt;."
        )
