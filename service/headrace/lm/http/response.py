"""A response: its head, and a body that is unpacked and handed on piece by piece."""

from __future__ import annotations

import abc
import asyncio
import contextvars
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


class PushedResponse(Response):
    """A response that its connection pushes on where the bytes arrive."""

    def __init__(self, leave: Callable[[], None]) -> None:
        super().__init__()
        self._leave = leave
        self._kept: list[bytes] = []  # what came before anyone read
        self._take: Take | None = None
        self._context: contextvars.Context  # of whoever reads
        self._error: BaseException | None = None
        self._waiting: asyncio.Future[None] | None = None

    def leave(self) -> None:
        """See Response.leave."""
        self._leave()

    async def begun(self) -> None:
        """Waits for the head. Raises Broken."""
        while not self.status:
            await self._change()

    async def stream(self, take: Take) -> None:
        """See Response.stream. `take` runs in this context but outside this task, in the same turn."""
        self._context = contextvars.copy_context()
        self._take = take
        kept, self._kept = b"".join(self._kept), []

        try:
            if kept:
                self.receive(kept)

            while self._take is not None and not self.complete:
                await self._change()

            if self._error is not None:
                raise self._error
        finally:
            self._take = None

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head has come."""
        try:
            self._begin(status, headers)
        except Broken as error:
            self.fail(error)

        self._wake()

    def receive(self, body: bytes) -> None:
        """More of the body has come."""
        if self._take is None:
            self._kept.append(body)
            return

        try:
            if self._unpacker is None:
                enough = self._context.run(self._take, body)
            else:
                enough = self._context.run(self._hand_on, self._take, body)
        except BaseException as error:  # noqa: BLE001 - raised where the response is read
            self.fail(error)
        else:
            if enough:
                self._take = None
                self._wake()

    def end(self) -> None:
        """The body has ended."""
        self.complete = True
        self._wake()

    def lost(self, *, clean: bool) -> None:
        """The connection has ended: with some bodies, that is their end, if it was closed and not reset."""
        bounded = "content-length" in self.headers or "transfer-encoding" in self.headers

        if self.status and clean and not bounded:
            self.end()
        else:
            self.fail(Broken("the connection broke"))

    def fail(self, error: BaseException) -> None:
        """It will not become complete."""
        self._error = self._error or error
        self._take = None
        self._wake()

    async def _change(self) -> None:
        if self._error is not None:
            raise self._error

        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
