"""Presence: answering a request only for as long as whoever asked is there, or the gateway is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.types import Receive

T = TypeVar("T")


class OpenRequests:
    """The requests that wait for a run. A run does not end with them: it lingers."""

    def __init__(self) -> None:
        self._watches: set[asyncio.Task[None]] = set()

    async def while_there(
        self, work: Coroutine[Any, Any, T], gone: Coroutine[Any, Any, None]
    ) -> T | None:
        """What `work` gives; None once `gone` returns, or the gateway ends. Raises what `work` raises."""
        working = asyncio.ensure_future(work)
        watch = asyncio.ensure_future(gone)
        self._watches.add(watch)

        try:
            await asyncio.wait({working, watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._watches.discard(watch)
            left_early = not working.done()
            working.cancel()
            watch.cancel()
            await asyncio.gather(working, watch, return_exceptions=True)

        return None if left_early else working.result()

    def end(self) -> None:
        """Ends them all; browsers connect anew and go on where they were."""
        for watch in self._watches:
            watch.cancel()


async def left(receive: Receive) -> None:
    """Returns once whoever sent the request has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
