"""FieldWriter: turns a predictor call's field deltas into tokens.

It counts offsets, and sees to it that every field that started has exactly one `is_last` token.
Writing and closing may happen in different threads: what a run leaves behind is ended by its loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container

from headrace.events import Event, Token


class FieldWriter:
    """Writes the output fields of one predictor call."""

    def __init__(
        self,
        emit: Callable[[Event], object],
        predictor: str,
        call_id: int,
        typed: Container[str],
    ) -> None:
        self._emit = emit
        self._predictor = predictor
        self._call_id = call_id
        self._typed = typed
        self._offsets: dict[str, int] = {}
        self._ended: set[str] = set()
        self._closed = False
        self._lock = threading.RLock()

    def write(self, field: str, chunk: str, is_last: bool, cached: bool = False) -> None:
        """Records more text of a field."""
        with self._lock:
            if self._closed or field in self._ended:
                return

            offset = self._offsets.get(field, 0)
            self._offsets[field] = offset + len(chunk)

            if is_last:
                self._ended.add(field)

            self._emit(
                Token(
                    self._predictor,
                    field,
                    chunk,
                    is_last,
                    offset,
                    self._call_id,
                    cached,
                    field in self._typed,
                )
            )

    def close(self) -> None:
        """Ends the fields that started and have not ended; whatever comes later is dropped."""
        with self._lock:
            for field in self._offsets:
                self.write(field, "", True)

            self._closed = True
