"""Adapters: how a signature is put to a model and its answer read, one dialect per file."""

from headrace.adapters.base import Adapter
from headrace.adapters.chat import ChatAdapter, adapter_in_use
from headrace.adapters.history import History
from headrace.adapters.json import JSONAdapter
from headrace.adapters.xml import XMLAdapter

__all__ = ["Adapter", "ChatAdapter", "History", "JSONAdapter", "XMLAdapter", "adapter_in_use"]
