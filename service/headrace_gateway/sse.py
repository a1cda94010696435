"""Server-Sent Events, as bytes: an event is a JSON object on one `data:` line, under an optional id."""

from __future__ import annotations

import json
from collections.abc import Mapping

COMMENT = b":\n\n"
"""Says that the stream is alive; readers ignore it."""

HEADERS = {
    "cache-control": "no-store",
    "content-type": "text/event-stream",
    "x-accel-buffering": "no",  # nginx would keep events back
}

RECONNECT_AFTER = 1000
"""Milliseconds that a browser waits before it connects anew."""


def event(payload: Mapping[str, object], event_id: str = "") -> bytes:
    """An event. Its id is what a browser sends back as `Last-Event-ID`; empty: the one before counts."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))

    return f"{_id_line(event_id)}data: {text}\n\n".encode()


def opening(payload: Mapping[str, object]) -> bytes:
    """The first event."""
    return b"retry: %d\n" % RECONNECT_AFTER + event(payload)


def done(event_id: str) -> bytes:
    """The last event of a stream that ended well."""
    return f"{_id_line(event_id)}data: [DONE]\n\n".encode()


def _id_line(event_id: str) -> str:
    return f"id: {event_id}\n" if event_id else ""
