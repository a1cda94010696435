"""Parallel: many module calls at once, from sync or async code, results in order."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.context import portal, settings
from headrace.module import Module
from headrace.values import Example

Pair = tuple[Module, Mapping[str, Any] | Example]
"""A module and the inputs of one call to it."""


class Parallel:
    """Calls modules with inputs, at most `num_threads` at once (the setting of that name by default).

    The calls are part of the caller's run: they stream, and are told apart by call id. The first error
    cancels the other calls and is raised as it is.
    """

    def __init__(self, num_threads: int | None = None) -> None:
        self.num_threads = num_threads

    async def acall(self, pairs: Sequence[Pair]) -> list[Any]:
        """Gives the results in the order of the pairs."""
        limit = asyncio.Semaphore(self.num_threads or settings.num_threads)

        async def call(module: Module, inputs: Mapping[str, Any] | Example) -> Any:
            async with limit:
                return await module.acall(**_named(inputs))

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(call(*pair)) for pair in pairs]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

        return [task.result() for task in tasks]

    def __call__(self, pairs: Sequence[Pair]) -> list[Any]:
        """`acall` for sync code."""
        return portal.run(self.acall, pairs)


def _named(inputs: Mapping[str, Any] | Example) -> dict[str, Any]:
    return dict(inputs.inputs().items() if isinstance(inputs, Example) else inputs)
