"""Crossing between sync and async programs by hand, for code that is not a module.

Modules answer to `()` and `acall` alike and need none of this.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from headrace.errors import UsageError
from headrace.module import Module
from headrace.settings import settings
from headrace.threads import portal

_limits: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, asyncio.Semaphore]] = (
    WeakKeyDictionary()
)
_has_turn: ContextVar[bool] = ContextVar("headrace_has_turn", default=False)


def asyncify(program: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Gives an async function that calls the program; sync code runs in a worker thread.

    At most `settings.async_max_workers` run at once per loop; None means no limit. Calls inside such a
    call are not counted: they would wait for it, and it for them.
    """
    demand_callable(program, "asyncify")
    work = program.acall if isinstance(program, Module) else program

    @functools.wraps(program, updated=())
    async def call(*args: Any, **kwargs: Any) -> Any:
        async with _turn():
            return await portal.call(work, *args, **kwargs)

    return call


@asynccontextmanager
async def _turn() -> AsyncGenerator[None, None]:
    limit = _limit()

    if limit is None or _has_turn.get():
        yield
        return

    async with limit:
        token = _has_turn.set(True)

        try:
            yield
        finally:
            _has_turn.reset(token)


def _limit() -> asyncio.Semaphore | None:
    size = settings.async_max_workers

    if size is None:
        return None

    by_size = _limits.setdefault(asyncio.get_running_loop(), {})

    return by_size.setdefault(size, asyncio.Semaphore(size))


def syncify(program: Callable[..., Any], in_place: bool = True) -> Callable[..., Any]:
    """Gives a program that sync code can call.

    A module can already be called so and is returned as it is, whatever `in_place` says; an async
    function is wrapped.
    """
    demand_callable(program, "syncify")

    if isinstance(program, Module):
        return program

    @functools.wraps(program)
    def call(*args: Any, **kwargs: Any) -> Any:
        return portal.result_of(program(*args, **kwargs))

    return call


def demand_callable(program: object, taker: str) -> None:
    """Raises UsageError for what is no program: a class, or something that cannot be called."""
    if isinstance(program, type) or not callable(program):
        raise UsageError(f"{taker} takes a module or a function, not {program!r}")
