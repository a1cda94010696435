"""Which adapter the settings name."""

from __future__ import annotations

from headrace.adapters.base import Adapter
from headrace.adapters.chat import ChatAdapter
from headrace.errors import UsageError
from headrace.settings import settings


def adapter_in_use() -> Adapter:
    """The adapter in the settings; a ChatAdapter where none is. Raises UsageError for what is none."""
    adapter = settings.adapter

    if adapter is None:
        return ChatAdapter()

    if isinstance(adapter, Adapter):
        return adapter

    raise UsageError(f"adapter must be an Adapter, as in adapter=JSONAdapter(), not {adapter!r}")
