"""Disconnects: a request is answered only for as long as whoever asked is there, or the gateway is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import CancelScope, create_task_group
from starlette.types import Receive

T = TypeVar("T")


class OpenRequests:
    """The requests that wait for a run. A run does not end with them: it lingers."""

    def __init__(self) -> None:
        self._scopes: set[CancelScope] = set()

    async def while_there(
        self, work: Awaitable[T], gone: Callable[[], Awaitable[None]]
    ) -> T | None:
        """Gives what `work` gives; None once `gone` returns, or the gateway ends. Raises what either raises."""
        group = create_task_group()
        self._scopes.add(group.cancel_scope)

        try:
            async with group:
                group.start_soon(_cancel_after, gone, group.cancel_scope)
                given = await work
                group.cancel_scope.cancel()

                return given
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors.exceptions[0].__cause__
        finally:
            self._scopes.discard(group.cancel_scope)

        return None

    def end(self) -> None:
        """Ends them all; browsers connect anew and go on where they were."""
        for scope in self._scopes:
            scope.cancel()


async def _cancel_after(gone: Callable[[], Awaitable[None]], scope: CancelScope) -> None:
    await gone()
    scope.cancel()


async def left(receive: Receive) -> None:
    """Returns once whoever sent the request has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
