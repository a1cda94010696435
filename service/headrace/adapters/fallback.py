"""The dialects that models now and then fail to keep to, and what is done then."""

from __future__ import annotations

from collections.abc import Sequence

from headrace.adapters.base import Adapter
from headrace.adapters.json import JSONAdapter
from headrace.calls import BaseCallback


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
