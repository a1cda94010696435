"""Sync streaming: an async stream read from sync code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import NoReturn, TypeVar

from headrace.errors import UsageError
from headrace.threads import portal

T = TypeVar("T")


def apply_sync_streaming(async_generator: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Gives a sync generator over an async one, which runs on a background loop.

    Breaking off a loop over it closes the async one, and `close` returns once that is done. Raises
    UsageError for what is no async generator.
    """
    if not isinstance(async_generator, AsyncGenerator):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise UsageError(
            "apply_sync_streaming takes what a streamified program gives when called, not "
            f"{async_generator!r}"
        )

    return SyncStream(async_generator)


class SyncStream(Generator[T, None, None]):
    """An async generator, read step by step on one loop.

    A class and not a generator function, because a generator that is dropped runs its `finally`
    wherever the collector happens to be, on a loop's own thread too, and must not wait there. When this
    is dropped, the async generator is, and its loop closes it.
    """

    def __init__(self, stream: AsyncGenerator[T, None]) -> None:
        self._stream = stream
        self._loop: asyncio.AbstractEventLoop | None = None

    def send(self, value: None, /) -> T:
        """The next item."""
        try:
            return portal.run_on(self._own_loop(), self._stream.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def throw(
        self,
        kind: type[BaseException] | BaseException,
        value: object = None,
        traceback: TracebackType | None = None,
        /,
    ) -> NoReturn:
        """Closes the stream and raises the exception."""
        self.close()

        raise kind

    def close(self) -> None:
        """Closes the stream, and waits until its run is over."""
        portal.run_on(self._own_loop(), self._stream.aclose)

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = portal.loop_from_here()

        return self._loop
