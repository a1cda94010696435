"""Sync streaming: an async stream read from sync code."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Generator
from typing import TypeVar

from headrace.context import portal
from headrace.errors import UsageError

T = TypeVar("T")


def apply_sync_streaming(async_generator: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """Gives a sync generator over an async one, which runs on a background loop.

    Closing it, or breaking off a loop over it, closes the async one before it returns. Raises
    UsageError for what is no async generator.
    """
    if not isinstance(async_generator, AsyncGenerator):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise UsageError(
            "apply_sync_streaming takes what a streamified program gives when called, not "
            f"{async_generator!r}"
        )

    return _items(async_generator)


def _items(async_generator: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    try:
        while True:
            try:
                item = portal.run(async_generator.__anext__)
            except StopAsyncIteration:
                return

            yield item
    finally:
        if not sys.is_finalizing():  # at exit the background loop's thread is gone already
            portal.run(async_generator.aclose)
