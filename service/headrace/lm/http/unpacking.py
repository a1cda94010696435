"""Unpacking a compressed body: a little at a time, and in proportion to what came.

A few kilobytes can unpack to many megabytes, which would fill the memory and hold up the event loop.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

STEP = 256 * 1024
"""Bytes unpacked at once, at most: about what one read of a socket gives."""
FREE = 4 * 1024 * 1024
"""Bytes a body may unpack to, however few came."""
RATIO = 64
"""Bytes it may unpack to beyond that for each that came: two or three times what answers do."""
AUTOMATIC = 32 + zlib.MAX_WBITS
"""Tells gzip and zlib apart by themselves."""
ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""What an Unpacker reads."""


class Overfull(ValueError):
    """A body unpacks to more than its size allows."""


class Unpacker:
    """Unpacks one body, however its bytes are cut."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(AUTOMATIC)
        self._room = FREE

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """What these bytes unpack to, piece by piece. Raises zlib.error and Overfull."""
        self._room += RATIO * len(packed)
        size = STEP

        while size == STEP:  # else nothing is left, neither of these bytes nor inside zlib
            piece = self._zlib.decompress(packed, STEP)
            packed, size = self._zlib.unconsumed_tail, len(piece)
            self._room -= size

            if self._room < 0:
                raise Overfull

            yield piece
