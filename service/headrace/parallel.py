"""Parallel: many module calls at once, from sync or async code, results in order."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from headrace.errors import UsageError
from headrace.module import Module
from headrace.settings import settings
from headrace.threads import portal
from headrace.values import Example

Pair: TypeAlias = tuple[Module, Mapping[str, Any] | Example]
"""A module and the inputs of one call to it."""
Call: TypeAlias = Callable[[], Awaitable[Any]]


class Parallel:
    """Calls modules with inputs, at most `num_threads` at once (the setting of that name by default).

    The calls are part of the caller's run: they stream, and are told apart by call id. The first error
    cancels the other calls and is raised as it is.
    """

    def __init__(self, num_threads: int | None = None) -> None:
        if num_threads is not None and num_threads < 1:
            raise UsageError(
                f"num_threads is at least 1, not {num_threads}; None takes the setting"
            )

        self.num_threads = num_threads

    async def acall(self, pairs: Sequence[Pair]) -> list[Any]:
        """Gives the results in the order of the pairs."""
        calls = [_call_of(pair) for pair in pairs]
        limit = asyncio.Semaphore(self.num_threads or settings.num_threads)

        async def limited(call: Call) -> Any:
            async with limit:
                return await call()

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(limited(call)) for call in calls]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

        return [task.result() for task in tasks]

    def __call__(self, pairs: Sequence[Pair]) -> list[Any]:
        """`acall` for sync code."""
        return portal.run(self.acall, pairs)


def _call_of(pair: Pair) -> Call:
    match pair:
        case (Module() as module, Example() as example):
            return functools.partial(module.acall, **example.inputs())
        case (Module() as module, Mapping() as inputs):
            return functools.partial(module.acall, **inputs)
        case _:
            raise UsageError(f"Parallel takes pairs (module, inputs by name), not {pair!r}")
