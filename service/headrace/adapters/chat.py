"""ChatAdapter: the chat dialect, `[[ ## name ## ]]` headers with a closing `[[ ## completed ## ]]`.

How completions are read stands in `headrace.parsing.chat`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.adapters.base import Adapter
from headrace.adapters.json import FallbackAdapter
from headrace.adapters.prompt import STRUCTURE, outputs_present
from headrace.adapters.prompt_text import asked_type, type_note, value_text
from headrace.errors import UsageError
from headrace.parsing import ChatParser, FieldParser
from headrace.settings import settings
from headrace.signatures import Signature

END = "[[ ## completed ## ]]"


class ChatAdapter(FallbackAdapter):
    """Speaks the chat dialect; the default."""

    def parser(self, signature: type[Signature]) -> FieldParser:
        """A parser of the chat dialect."""
        return ChatParser(signature.output_fields)

    def format_field_structure(self, signature: type[Signature]) -> str:
        """The headers of all fields, in order."""
        inputs = self.format_placeholders(signature.input_fields.values())
        outputs = self.format_placeholders(signature.output_fields.values(), type_note)

        return "\n\n".join([STRUCTURE, *inputs, *outputs, END])

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Mapping[str, Any],
        missing_field_message: str | None = None,
    ) -> str:
        """The outputs under their headers, and the closing marker."""
        present = outputs_present(signature, outputs, missing_field_message)
        fields = [self.format_field(name, value_text(value)) for name, value in present.items()]

        return "\n\n".join([*fields, END])

    def user_message_output_requirements(self, signature: type[Signature]) -> str:
        """The headers to write, in order."""
        headers = [
            f"`[[ ## {name} ## ]]`{asked_type(field)}"
            for name, field in signature.output_fields.items()
        ]

        return (
            f"Respond with the output fields, starting with the field {', then '.join(headers)}, "
            f"and end with the marker `{END}`."
        )


def adapter_in_use() -> Adapter:
    """The adapter in the settings; a ChatAdapter where none is. Raises UsageError for what is none."""
    adapter = settings.adapter

    if adapter is None:
        return ChatAdapter()

    if isinstance(adapter, Adapter):
        return adapter

    raise UsageError(f"adapter must be an Adapter, as in adapter=JSONAdapter(), not {adapter!r}")
