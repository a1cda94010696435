"""The in-process face: a program as a stream of text, statuses and its result."""

from headrace.asyncify import asyncify, syncify
from headrace.calls import StatusMessageProvider
from headrace.events import CustomEvent
from headrace.streaming.listeners import StreamListener
from headrace.streaming.responses import StatusMessage, StreamResponse
from headrace.streaming.sse import streaming_response
from headrace.streaming.streamify import streamify
from headrace.streaming.sync import apply_sync_streaming

__all__ = [
    "CustomEvent",
    "StatusMessage",
    "StatusMessageProvider",
    "StreamListener",
    "StreamResponse",
    "apply_sync_streaming",
    "asyncify",
    "streamify",
    "streaming_response",
    "syncify",
]
