"""Single flight: calls that ask the same at the same time share one request.

Each gets the deltas live, those from before it joined included. The request belongs to none of them:
it ends with the last call that waits for it, and its provider's connection closes then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TypeAlias

from headrace.errors import LMError
from headrace.events import LmCall, Usage
from headrace.lm.asking import Records
from headrace.lm.base import Completion, Delta, Receive
from headrace.lm.litellm.costs import per_model

Work: TypeAlias = Callable[[Receive, Records], Awaitable[Completion]]
Place: TypeAlias = tuple[asyncio.AbstractEventLoop, str]

_flights: dict[Place, SharedCall] = {}


async def share(key: str, work: Work, receive: Receive, records: Records) -> Completion:
    """The answer of the flight with that key on this loop; starts it if there is none."""
    place = asyncio.get_running_loop(), key
    flight = _flights.get(place) or SharedCall(place, work)

    return await flight.join(receive, records)


@dataclass(slots=True, eq=False)
class Waiter:
    """One call on a flight. The first owns the request: attempts and usage are recorded there."""

    receive: Receive
    records: Records
    outcome: asyncio.Future[Completion]


class SharedCall:
    """One request and the calls that wait for it."""

    def __init__(self, place: Place, work: Work) -> None:
        self._place = place
        self._work = work
        self._seats: list[Waiter] = []
        self._heard: list[Delta] = []
        self._lm: LmCall | None = None
        self._counted = 0
        """Attempts that stand in the records of owners who left."""
        _flights[place] = self
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def join(self, receive: Receive, records: Records) -> Completion:
        """Waits for the answer. The last one to leave ends the request, and waits until it has."""
        for delta in self._heard:
            receive(delta)

        seat = Waiter(receive, records, asyncio.get_running_loop().create_future())
        self._seats.append(seat)

        try:
            return await seat.outcome
        finally:
            self._leave(seat)

            if not self._seats and not self._task.done():
                self._land()
                self._task.cancel()
                await asyncio.wait({self._task})

    def begin(self, lm: LmCall) -> None:
        """An attempt begins."""
        self._lm = lm
        self._seats[0].records.begin(self._owned(lm))

    def spent(self, usage: Usage) -> None:
        """The provider has counted, whether or not its answer is of use."""
        self._seats[0].records.spent(usage)

    def failed(self, error: LMError) -> None:
        """An attempt failed, and another will follow."""
        self._seats[0].records.failed(error)

    async def _run(self) -> None:
        try:
            completion = await self._work(self._spread, self)
        except asyncio.CancelledError:
            for seat in self._seats:
                seat.outcome.cancel()

            raise
        except Exception as error:  # noqa: BLE001 - it is raised again in every call
            for seat in self._waiting():
                seat.outcome.set_exception(error)
        else:
            owner = self._seats[0]

            for seat in self._waiting():
                seat.outcome.set_result(self._for(seat is owner, completion))
        finally:
            self._land()

    def _spread(self, delta: Delta) -> None:
        self._heard.append(delta)

        for seat in self._waiting():
            try:
                seat.receive(delta)
            except Exception as error:  # noqa: BLE001 - it stops that call, not the others
                seat.outcome.set_exception(error)

    def _waiting(self) -> list[Waiter]:
        return [seat for seat in self._seats if not seat.outcome.done()]

    def _for(self, owner: bool, completion: Completion) -> Completion:
        """The completion as one call gets it: the others' is a copy that cost nothing."""
        lm = completion.lm

        if lm is None or lm.cached:
            return deepcopy(completion)

        if owner:
            return replace(completion, lm=self._owned(lm))

        return as_reused(completion, replace(lm, attempt=0))

    def _owned(self, lm: LmCall) -> LmCall:
        return replace(lm, attempt=lm.attempt - self._counted)

    def _leave(self, seat: Waiter) -> None:
        owner = self._seats[0]
        self._seats.remove(seat)

        if seat is owner and self._seats and self._lm is not None:
            self._counted = self._lm.attempt
            self._seats[0].records.begin(self._owned(self._lm))

    def _land(self) -> None:
        if _flights.get(self._place) is self:
            del _flights[self._place]


def as_reused(completion: Completion, lm: LmCall) -> Completion:
    """A copy of an answer that another call paid for."""
    usage = per_model(lm.model, Usage(cache_hits=1))

    return Completion(deepcopy(completion.choices), usage, completion.model, lm)
