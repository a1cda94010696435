"""What the mock remembers of a request: what was asked, and when its peer left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SECRET_HEADERS = frozenset({"authorization", "api-key", "x-api-key", "cookie"})


@dataclass(slots=True, eq=False)
class Received:
    """One request, and how its exchange went. Times are `time.monotonic()` seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case; of secret values only the last four characters are kept."""
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    arrived: float = field(default_factory=time.monotonic)
    answered: float | None = None
    """When the whole answer was written; None = not yet, or never."""
    left: float | None = None
    """When the connection ended before the whole answer was written."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the request is answered or its peer left."""

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.body.get("model", ""))

    @property
    def prompt(self) -> str:
        """What its messages say."""
        messages: Sequence[Mapping[str, Any]] = self.body.get("messages", ())

        return "\n".join(text_of(message) for message in messages)

    def note_answered(self) -> None:
        """The answer is complete."""
        if not self.over.is_set():
            self.answered = time.monotonic()
            self.over.set()

    def note_left(self) -> None:
        """The connection ended; counts only if the answer was not complete."""
        if not self.over.is_set():
            self.left = time.monotonic()
            self.over.set()

    def facts(self) -> dict[str, Any]:
        """The record as JSON-safe values, without the prompt."""
        return {
            "model": self.model,
            "path": self.path,
            "arrived": self.arrived,
            "answered": self.answered,
            "left": self.left,
        }


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, whether it is written as one or in parts."""
    content: str | Sequence[Mapping[str, Any]] | None = message.get("content")

    if isinstance(content, str):
        return content

    return "\n".join(str(part.get("text", "")) for part in content or ())


def mask(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with secrets cut to their last four characters."""
    return {
        name: f"…{value[-4:]}" if name in SECRET_HEADERS else value
        for name, value in headers.items()
    }
