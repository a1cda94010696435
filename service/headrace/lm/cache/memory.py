"""A cache in memory: least recently used out first, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict

OVERHEAD = 200
"""Bytes an entry costs beside its value."""


class MemoryCache:
    """Bytes by key. Safe from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes in use."""
        return self._size

    def get(self, key: str) -> bytes | None:
        """The value, which is now the most recently used."""
        with self._lock:
            value = self._entries.get(key)

            if value is not None:
                self._entries.move_to_end(key)

            return value

    def put(self, key: str, value: bytes) -> None:
        """Keeps a value; lets the oldest go where the limit asks for it."""
        with self._lock:
            self._drop(key)
            self._entries[key] = value
            self._size += len(value) + OVERHEAD

            while self._size > self._limit:
                self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        value = self._entries.pop(key, None)

        if value is not None:
            self._size -= len(value) + OVERHEAD
