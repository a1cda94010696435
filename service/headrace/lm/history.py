"""History: the last LM calls of the process, for people who look over a program's shoulder.

Bounded in bytes, kept in this process only. A server turns it off: it holds prompts.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TextIO

HISTORY_BYTES = 4 * 1024 * 1024


class Exchange(NamedTuple):
    """One LM call as it is shown."""

    model: str
    messages: Sequence[tuple[str, str]]
    """(role, content)."""
    answers: Sequence[str]

    @property
    def size(self) -> int:
        """Characters of text."""
        return sum(len(text) for _, text in self.messages) + sum(map(len, self.answers))


_lock = threading.Lock()
_exchanges: deque[Exchange] = deque()
_size = 0
_limit = HISTORY_BYTES


def configure_history(limit: int = HISTORY_BYTES) -> None:
    """Keeps so many characters of text from now on; 0 keeps nothing. What was kept is dropped."""
    global _limit, _size

    with _lock:
        _limit, _size = limit, 0
        _exchanges.clear()


def remember(model: str, messages: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> None:
    """Keeps an exchange; lets the oldest go."""
    global _size

    if not _limit:
        return

    said = [(str(one.get("role", "")), str(one.get("content", ""))) for one in messages]
    exchange = Exchange(model, said, list(answers))

    with _lock:
        _exchanges.append(exchange)
        _size += exchange.size

        while _size > _limit:
            _size -= _exchanges.popleft().size


def exchanges() -> list[Exchange]:
    """The kept exchanges, oldest first."""
    with _lock:
        return list(_exchanges)


def inspect_history(n: int = 1, file: TextIO | None = None) -> None:
    """Writes the last `n` exchanges with LMs, prompts and answers, to a file or to stdout."""
    out = file or sys.stdout

    for exchange in exchanges()[-n:] if n > 0 else ():
        out.write(f"---- {exchange.model} ----\n")

        for role, content in exchange.messages:
            out.write(f"\n{role}:\n\n{content}\n")

        for answer in exchange.answers:
            out.write(f"\nanswer:\n\n{answer}\n")
