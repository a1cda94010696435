"""headrace hosts LM programs and streams what happens inside them, as typed events.

The names are those the field knows: signatures, predictors, modules, tools, adapters, `streamify`.
"""

from importlib.util import find_spec

if find_spec("pydantic") is None:
    raise ImportError("headrace's runtime needs its extra: pip install 'headrace[service]'")

from headrace import streaming
from headrace.adapters import Adapter, ChatAdapter, History, JSONAdapter, XMLAdapter
from headrace.asking import ask, ask_sync
from headrace.asyncify import asyncify, syncify
from headrace.calls import BaseCallback, emit
from headrace.chain_of_thought import ChainOfThought
from headrace.errors import HeadraceError
from headrace.events import CustomEvent
from headrace.hosting import Program
from headrace.lm import LM, BaseLM, configure_cache, inspect_history
from headrace.module import Module
from headrace.parallel import Parallel
from headrace.predict import Predict
from headrace.react import ReAct
from headrace.settings import configure, context, settings
from headrace.signatures import (
    InputField,
    OutputField,
    Reasoning,
    Signature,
    ensure_signature,
    make_signature,
)
from headrace.streaming import (
    StatusMessage,
    StatusMessageProvider,
    StreamListener,
    StreamResponse,
    apply_sync_streaming,
    streamify,
    streaming_response,
)
from headrace.tools import Tool
from headrace.values import Completions, Example, Prediction

__all__ = [
    "LM",
    "Adapter",
    "BaseCallback",
    "BaseLM",
    "ChainOfThought",
    "ChatAdapter",
    "Completions",
    "CustomEvent",
    "Example",
    "HeadraceError",
    "History",
    "InputField",
    "JSONAdapter",
    "Module",
    "OutputField",
    "Parallel",
    "Predict",
    "Prediction",
    "Program",
    "ReAct",
    "Reasoning",
    "Signature",
    "StatusMessage",
    "StatusMessageProvider",
    "StreamListener",
    "StreamResponse",
    "Tool",
    "XMLAdapter",
    "apply_sync_streaming",
    "ask",
    "ask_sync",
    "asyncify",
    "configure",
    "configure_cache",
    "context",
    "emit",
    "ensure_signature",
    "inspect_history",
    "make_signature",
    "settings",
    "streamify",
    "streaming",
    "streaming_response",
    "syncify",
]
