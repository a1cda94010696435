"""Single flight: calls that ask the same at the same time share one request.

Each gets the deltas live, those from before it joined included. The request belongs to none of them:
it ends with the last call that waits for it, and its provider's connection closes then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from headrace.errors import LMError
from headrace.events import LmCall, Usage
from headrace.lm.base import Completion, Delta, Receive, Request
from headrace.lm.layers import Layer, Records, per_model

Ask: TypeAlias = Callable[[Receive, Records], Awaitable[Completion]]
FlightKey: TypeAlias = tuple[asyncio.AbstractEventLoop, str]

_flights: dict[FlightKey, SharedCall] = {}


@dataclass(frozen=True, slots=True)
class SingleFlight:
    """The layer that lets calls of one key, on one event loop, share a request."""

    key: str
    below: Layer

    async def ask(self, request: Request, receive: Receive, records: Records) -> Completion:
        """See Layer.ask."""
        key = asyncio.get_running_loop(), self.key
        shared = _flights.get(key) or SharedCall(key, partial(self.below.ask, request))

        return await shared.join(receive, records)


@dataclass(slots=True, eq=False)
class Waiter:
    """One call that shares a request. The first owns it: attempts and usage are recorded there."""

    receive: Receive
    records: Records
    outcome: asyncio.Future[Completion]


class SharedCall:
    """One request and the calls that wait for it."""

    def __init__(self, key: FlightKey, ask: Ask) -> None:
        self._key = key
        self._ask = ask
        self._waiters: list[Waiter] = []
        self._heard: list[Delta] = []
        self._lm: LmCall | None = None
        self._counted = 0
        """Attempts that stand in the records of owners who left."""
        _flights[key] = self
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def join(self, receive: Receive, records: Records) -> Completion:
        """Waits for the answer. The last one to leave ends the request, and waits until it has."""
        for delta in self._heard:
            receive(delta)

        waiter = Waiter(receive, records, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)

        try:
            return await waiter.outcome
        finally:
            self._leave(waiter)

            if not self._waiters and not self._task.done():
                self._close()
                self._task.cancel()
                await asyncio.wait({self._task})

    def begin(self, lm: LmCall) -> None:
        """An attempt begins."""
        self._lm = lm
        self._waiters[0].records.begin(self._owned(lm))

    def answering(self, lm: LmCall) -> None:
        """The first of an attempt's answer came."""
        self._lm = lm
        self._waiters[0].records.answering(self._owned(lm))

    def spent(self, usage: Usage) -> None:
        """The provider has counted, whether or not its answer is of use."""
        self._waiters[0].records.spent(usage)

    def failed(self, error: LMError) -> None:
        """An attempt failed, and another will follow."""
        self._waiters[0].records.failed(error)

    async def _run(self) -> None:
        try:
            completion = await self._ask(self._spread, self)
        except asyncio.CancelledError:
            for waiter in self._waiters:
                waiter.outcome.cancel()

            raise
        except Exception as error:  # noqa: BLE001 - it is raised again in every call
            for waiter in self._waiting():
                waiter.outcome.set_exception(error)
        else:
            owner = self._waiters[0]

            for waiter in self._waiting():
                waiter.outcome.set_result(self._for(waiter is owner, completion))
        finally:
            self._close()

    def _spread(self, delta: Delta) -> None:
        self._heard.append(delta)

        for waiter in self._waiting():
            try:
                waiter.receive(delta)
            except Exception as error:  # noqa: BLE001 - it stops that call, not the others
                waiter.outcome.set_exception(error)

    def _waiting(self) -> list[Waiter]:
        return [waiter for waiter in self._waiters if not waiter.outcome.done()]

    def _for(self, owner: bool, completion: Completion) -> Completion:
        """The completion as one call gets it: the others' is a copy that cost nothing."""
        lm = completion.lm

        if lm is None or lm.cached:
            return deepcopy(completion)

        if owner:
            return replace(completion, lm=self._owned(lm))

        return as_reused(completion, replace(lm, attempt=0, time_to_first_token=None))

    def _owned(self, lm: LmCall) -> LmCall:
        return replace(lm, attempt=lm.attempt - self._counted)

    def _leave(self, waiter: Waiter) -> None:
        owner = self._waiters[0]
        self._waiters.remove(waiter)

        if waiter is owner and self._waiters and self._lm is not None:
            self._counted = self._lm.attempt
            self._waiters[0].records.begin(self._owned(self._lm))

    def _close(self) -> None:
        """Lets nobody else join."""
        if _flights.get(self._key) is self:
            del _flights[self._key]


def as_reused(completion: Completion, lm: LmCall) -> Completion:
    """A copy of an answer that another call paid for."""
    usage = per_model(lm.model, Usage(cache_hits=1))

    return Completion(deepcopy(completion.choices), usage, completion.model, lm)
