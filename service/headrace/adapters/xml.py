"""XMLAdapter: the XML dialect, each field between `<name>` and `</name>`.

How completions are read stands in `headrace.parsing.xml`. Values that are not text are JSON inside
their tags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from headrace.adapters.base import Adapter
from headrace.adapters.json import JSONAdapter
from headrace.adapters.prompt import outputs_present, placeholder
from headrace.adapters.wording import asked_type, type_note, value_text
from headrace.context import BaseCallback
from headrace.parsing import FieldParser, XMLParser
from headrace.signatures import Signature


class XMLAdapter(Adapter):
    """Speaks the XML dialect.

    An answer that does not parse, and of which nothing was written, is asked for again in JSON,
    unless `use_json_adapter_fallback` is off.
    """

    def __init__(
        self,
        callbacks: Sequence[BaseCallback] | None = None,
        use_json_adapter_fallback: bool = True,
    ) -> None:
        super().__init__(callbacks)
        self.use_json_adapter_fallback = use_json_adapter_fallback

    def parser(self, signature: type[Signature]) -> FieldParser:
        """A parser of the XML dialect."""
        return XMLParser(signature.output_fields)

    def fallback(self) -> Adapter | None:
        """A JSONAdapter, if that is wanted."""
        return JSONAdapter(self.callbacks) if self.use_json_adapter_fallback else None

    def format_field(self, name: str, text: str) -> str:
        """A field between its tags, with `&`, `<` and `>` escaped."""
        return f"<{name}>\n{escape(text)}\n</{name}>"

    def format_field_structure(self, signature: type[Signature]) -> str:
        """The tags of all fields, in order."""
        inputs = [
            self.format_field(name, placeholder(field))
            for name, field in signature.input_fields.items()
        ]
        outputs = [
            f"<{name}>\n{placeholder(field, type_note(field))}\n</{name}>"
            for name, field in signature.output_fields.items()
        ]
        opening = "Every interaction has this structure, with values in place of the {names}."

        return "\n\n".join([opening, *inputs, *outputs])

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Mapping[str, Any],
        missing_field_message: str | None = None,
    ) -> str:
        """The outputs between their tags."""
        present = outputs_present(signature, outputs, missing_field_message)

        return "\n\n".join(
            self.format_field(name, value_text(value)) for name, value in present.items()
        )

    def user_message_output_requirements(self, signature: type[Signature]) -> str:
        """The tags to write, in order."""
        tags = [f"`<{name}>`{asked_type(field)}" for name, field in signature.output_fields.items()]

        return (
            f"Respond with the output fields between their tags, in this order: {', then '.join(tags)}. "
            "In values, write & as &amp; and < as &lt;."
        )
