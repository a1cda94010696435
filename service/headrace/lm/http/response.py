"""A response: its head, and a body that is unpacked and handed on piece by piece."""

from __future__ import annotations

import abc
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

Take: TypeAlias = Callable[[bytes], bool]
"""Takes a piece of a body; gives True when it has had enough."""


STEP = 256 * 1024
"""Bytes unpacked at once, at most: about what one read of a socket gives."""
FREE = 4 * 1024 * 1024
"""Bytes a body may unpack to, however few came."""
RATIO = 64
"""Bytes it may unpack to beyond that for each that came: two or three times what answers do."""
AUTOMATIC = 32 + zlib.MAX_WBITS
"""Tells gzip and zlib apart by themselves."""
ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
"""Encodings that an Unpacker reads."""


class Broken(Exception):
    """The connection could not be had, or broke. Its text says how, in a few words."""


class ConnectTimeout(Broken):
    """There was no connection in time."""


class Overfull(ValueError):
    """A body unpacks to more than its size allows."""


class Unpacker:
    """Unpacks one body, however its bytes are cut, a little at a time and in proportion to what came.

    A few kilobytes can unpack to many megabytes, which would fill the memory and hold up the event loop.
    """

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(AUTOMATIC)
        self._room = FREE

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """The unpacked bytes, piece by piece. Raises zlib.error and Overfull."""
        self._room += RATIO * len(packed)
        size = STEP

        while size == STEP:  # else nothing is left, neither of these bytes nor inside zlib
            piece = self._zlib.decompress(packed, STEP)
            packed, size = self._zlib.unconsumed_tail, len(piece)
            self._room -= size

            if self._room < 0:
                raise Overfull

            yield piece


class Response(abc.ABC):
    """A provider's answer: its head is there, `stream` reads its body; then `leave`."""

    def __init__(self) -> None:
        self.status = 0
        """0 until the head is there."""
        self.headers: Mapping[str, str] = {}
        """By name in small letters."""
        self.complete = False
        """The whole body has come."""
        self._unpacker: Unpacker | None = None

    @abc.abstractmethod
    async def stream(self, take: Take) -> None:
        """Hands the body to `take`, as it comes, until it ends or `take` has enough.

        Raises what `take` raised, and Broken.
        """

    @abc.abstractmethod
    def leave(self) -> None:
        """Says that nobody reads any more. Unless it is complete, the connection is closed at once."""

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Takes the head. Raises Broken for a body that nobody can read."""
        self.status, self.headers = status, headers
        encoding = headers.get("content-encoding", "identity").strip().lower()

        if encoding in ENCODINGS:
            self._unpacker = Unpacker()
        elif encoding not in ("", "identity"):
            raise Broken(f"it sends {encoding[:20]}, which it was not asked for")

    def _hand_on(self, take: Take, body: bytes) -> bool:
        """Hands on a piece of the body, unpacked; gives what `take` gives. Raises Broken."""
        if self._unpacker is None:
            return take(body)

        try:
            return any(map(take, self._unpacker.pieces(body)))
        except zlib.error:
            raise Broken("it sends broken gzip") from None
        except Overfull:
            raise Broken("its answer unpacks to many times its size") from None
