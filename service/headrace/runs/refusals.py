"""Refusals: runs that were cancelled before they came, and so will not be started when they do.

A refusal claims its id as a start does, so the store decides which of the two was first, in whatever
processes they are. It is kept for a minute, and only so many are: the oldest go first, which are those
that have expired, if any have.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from headrace.errors import RunCancelled
from headrace.runs.claims import Claims
from headrace.runs.record import Ending, RunKey, RunRecord
from headrace.runs.run import NO_EVENTS, Run
from headrace.runs.stores.base import RunStore

REFUSED_FOR = 60.0
"""Seconds."""

MAX_PER_PRINCIPAL = 1_000
"""Refusals of one principal's runs that are kept."""

MAX_REFUSALS = 10_000
"""Of all principals together."""


class Refusals:
    """Makes refusals, and drops the oldest where there are too many."""

    def __init__(self, store: RunStore, claims: Claims) -> None:
        self._store = store
        self._claims = claims
        self._made: OrderedDict[RunKey, None] = OrderedDict()  # the oldest first
        self._by_principal: dict[str, OrderedDict[RunKey, None]] = {}

    async def refuse(self, key: RunKey, reason: str) -> Run:
        """The refusal of a run, in the turn of its key; or the run that was first after all."""
        now = time.time()
        record = RunRecord(
            key,
            program="",
            revision="",
            digest="",
            create_time=now,
            timeout=0.0,
            linger=0.0,
            ending=Ending(RunCancelled("caller", reason)),
            end_time=now,
            expire_time=now + REFUSED_FOR,
        )
        present = await self._store.claim(record)

        if present is None:
            self._note(key)

        return present or Run(record, NO_EVENTS)

    async def bound(self, principal: str) -> None:
        """Drops what is too much. Outside of any turn: it takes those of what it drops."""
        for key in self._surplus(principal):
            async with self._claims.turn(key):
                run = await self._store.get(key)

                if run is not None and run.record.refused:
                    await self._store.drop(key)

    def _surplus(self, principal: str) -> list[RunKey]:
        """Forgets those that have to go for newer ones."""
        surplus: list[RunKey] = []

        while len(self._of(principal)) > MAX_PER_PRINCIPAL:
            surplus.append(self._forget(next(iter(self._of(principal)))))

        while len(self._made) > MAX_REFUSALS:
            surplus.append(self._forget(next(iter(self._made))))

        return surplus

    def _note(self, key: RunKey) -> None:
        self._forget(key)
        self._made[key] = None
        self._of(key.principal)[key] = None

    def _forget(self, key: RunKey) -> RunKey:
        own = self._of(key.principal)
        self._made.pop(key, None)
        own.pop(key, None)

        if not own:
            del self._by_principal[key.principal]

        return key

    def _of(self, principal: str) -> OrderedDict[RunKey, None]:
        return self._by_principal.setdefault(principal, OrderedDict())
