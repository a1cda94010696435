"""FieldWriter: turns a predictor call's field deltas into tokens, and keeps the text they make.

It counts offsets, and sees to it that every field that started has exactly one `is_last` token.
Writing and closing may happen in different threads: what a run leaves behind is ended by its loop.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Container

from headrace.events import Event, Token
from headrace.parsing import FieldDelta

UTF_8 = "utf-8", "surrogatepass"


class _Field:
    """One field: its text as bytes, for pieces of strings take six times as much."""

    __slots__ = ("ended", "offset", "text", "typed")

    def __init__(self, typed: bool) -> None:
        self.typed = typed
        self.text = bytearray()
        self.offset = 0
        self.ended = False


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
        self.predictor = predictor
        """Its address."""
        self._call_id = call_id
        self._typed = typed
        self._fields: dict[str, _Field] = {}
        self._closed = False
        self._lock = threading.RLock()

    @property
    def wrote(self) -> bool:
        """True once anyone may have seen some of it."""
        return bool(self._fields)

    def texts(self) -> dict[str, str]:
        """The text of each field so far, in the order the fields began."""
        return {name: field.text.decode(*UTF_8) for name, field in self._fields.items()}

    def write(self, delta: FieldDelta, cached: bool = False) -> None:
        """Records more text of a field; dropped where the field has ended."""
        name, chunk, is_last = delta

        with self._lock:
            field = self._fields.get(name)

            if field is None:
                if self._closed:
                    return

                field = self._fields[name] = _Field(name in self._typed)
            elif field.ended:
                return

            offset = field.offset
            field.offset = offset + len(chunk)
            field.text += chunk.encode(*UTF_8)
            field.ended = is_last
            self._emit(
                Token(
                    self.predictor,
                    name,
                    chunk,
                    is_last,
                    offset,
                    self._call_id,
                    cached,
                    field.typed,
                )
            )

    def close(self) -> None:
        """Ends the fields that started and have not ended; whatever comes later is dropped."""
        with self._lock:
            for name in self._fields:
                self.write(FieldDelta(name, "", True))

            self._closed = True
