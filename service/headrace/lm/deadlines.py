"""Deadlines on a provider that cost nothing per token.

The read loop notes when something last came; a timer wakes rarely, looks at that, and goes back to
sleep for the rest. Only real progress counts: neither bytes nor SSE comments keep a call alive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import TracebackType
from typing import Any, Protocol, Self

from headrace.errors import LMTimeoutError, UsageError

OPTIONS: Mapping[str, str] = {
    "connect_timeout": "connect",
    "first_token_timeout": "first_token",
    "idle_timeout": "idle",
    "timeout": "total",
}
"""Options of a call that are deadlines."""
TRAILER = 2.0
"""Seconds a whole answer waits for its usage and its end."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Limits on the time an LM call may take, in seconds."""

    connect: float = 10.0
    """To connect, name lookup and TLS included."""
    first_token: float = 60.0
    """From the start of an attempt to the first piece of the answer."""
    idle: float = 30.0
    """From one piece to the next."""
    total: float = 600.0
    """For the whole call, retries and their pauses included."""

    def __post_init__(self) -> None:
        for limit in fields(self):
            if not getattr(self, limit.name) > 0:
                raise UsageError(f"the {limit.name} timeout of an LM must be above 0 seconds")

    def of_call(self, options: Mapping[str, Any]) -> Deadlines:
        """The deadlines as the options of a call change them."""
        changed = {limit: options[name] for name, limit in OPTIONS.items() if name in options}
        limits = replace(self, **changed) if changed else self

        if not options.get("stream", True):
            return replace(limits, first_token=limits.total)  # the answer comes all at once

        return limits


class Timeout(Protocol):
    """A block with an end that can be put off, as asyncio's: then it raises TimeoutError."""

    def reschedule(self, when: float) -> None:
        """Sets the end, by the event loop's clock."""
        ...

    async def __aenter__(self) -> object: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> object: ...


class Watchdog:
    """Ends the block it surrounds with LMTimeoutError when the provider makes no progress.

    One block is one attempt. `phase` goes first_token -> idle, and to trailer when nothing but the
    usage and the end can follow. The timeout is asyncio's unless another is given. `when_begun` is
    called once, when first_token is over.
    """

    def __init__(
        self,
        deadlines: Deadlines,
        model: str,
        timeout: Timeout | None = None,
        *,
        when_begun: Callable[[], object] = lambda: None,
    ) -> None:
        self._limits = {
            "first_token": deadlines.first_token,
            "idle": deadlines.idle,
            "trailer": min(deadlines.idle, TRAILER),
        }
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._scope = timeout or asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._when_begun = when_begun
        self.phase = "first_token"
        self.progressed_at = time.monotonic()
        """When the last piece of the answer came, by the clock of event loops; set by its reader."""

    def enter(self, phase: str) -> None:
        """A phase begins, unless it has, and its own limit counts."""
        if phase != self.phase:
            begins = self.phase == "first_token"
            self.phase = phase
            self._watch()

            if begins:
                self._when_begun()

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()
        self._watch()

        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

        try:
            await self._scope.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise LMTimeoutError(self.phase, self._limits[self.phase], model=self._model) from None

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

        due = self.progressed_at + self._limits[self.phase]

        if due > time.monotonic():
            self._timer = self._loop.call_at(due, self._watch)
        else:
            self._scope.reschedule(due)


class Total:
    """Ends the block it surrounds with LMTimeoutError when the whole call takes too long."""

    def __init__(self, seconds: float, model: str) -> None:
        self._seconds = seconds
        self._model = model
        self._due = asyncio.get_running_loop().time() + seconds
        self._scope = asyncio.timeout_at(self._due)

    @property
    def remaining(self) -> float:
        """Seconds left."""
        return self._due - asyncio.get_running_loop().time()

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()

        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._scope.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise LMTimeoutError("total", self._seconds, model=self._model) from None
