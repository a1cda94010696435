"""FieldWriter: turns a predictor call's field deltas into tokens.

It counts offsets, and sees to it that every field that started has exactly one `is_last` token.
"""

from __future__ import annotations

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

    def write(self, field: str, chunk: str, is_last: bool, cached: bool = False) -> None:
        """Records more text of a field."""
        if field in self._ended:
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
        """Ends the fields that started and have not ended; later text of theirs is dropped."""
        for field in self._offsets:
            self.write(field, "", True)
