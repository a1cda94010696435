"""Claims: who of several starters of one run is first, and that only he builds it.

A place is reserved, then the store is asked, and only then is anything built. So a claim is never
withdrawn for want of room, and who was not first has spent nothing: a place comes back to where it was.
Within a process starters of one run come in one after another; between processes the store decides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

from headrace.hosting.port import StartRequest
from headrace.log_context import contained
from headrace.runs.admission import Admission
from headrace.runs.limits import Limits
from headrace.runs.live import LiveRun
from headrace.runs.record import RunKey, RunRecord
from headrace.runs.run import Run
from headrace.runs.stores.base import RunStore
from headrace.values import utf8_size

Build: TypeAlias = Callable[[], LiveRun]
"""Makes the run of a record once that has been claimed."""


class Claims:
    """Makes new runs, one for each key."""

    def __init__(self, store: RunStore, admission: Admission) -> None:
        self._store = store
        self._admission = admission
        self._starting: dict[RunKey, asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, key: RunKey) -> AsyncGenerator[None, None]:
        """Lets one starter of a run in; others wait here until it is known what became of it."""
        while (decided := self._starting.get(key)) is not None:
            await decided.wait()

        decided = self._starting[key] = asyncio.Event()

        try:
            yield
        finally:
            del self._starting[key]
            decided.set()

    async def make(self, record: RunRecord, build: Build) -> Run:
        """A LiveRun, to be admitted; or the run of a starter elsewhere, who was first.

        Raises what Admission raises, and leaves nothing behind.
        """
        principal = record.key.principal
        self._admission.reserve(principal)

        try:
            run = await self._store.claim(record) or await self._built(record, build)
        except BaseException:
            self._admission.give_back(principal)
            raise

        if not isinstance(run, LiveRun):
            self._admission.give_back(principal)

        return run

    async def _built(self, record: RunRecord, build: Build) -> LiveRun:
        try:
            return build()
        except BaseException:
            with contained("dropping a run"):
                await self._store.drop(record.key)

            raise


def new_record(
    key: RunKey, request: StartRequest, limits: Limits, *, keeps_content: bool
) -> RunRecord:
    """The record of a run that is asked for now."""
    return RunRecord(
        key,
        request.program.name,
        request.program.revision,
        request.digest,
        create_time=time.time(),
        timeout=limits.max_timeout if request.timeout is None else request.timeout,
        linger=limits.default_linger if request.linger is None else request.linger,
        labels=request.labels,
        peer=request.peer,
        inputs_json=_bounded(request.inputs_json, limits) if keeps_content else None,
        interface_revision=request.program.interface_revision,
    )


def _bounded(inputs_json: str, limits: Limits) -> str | None:
    """Inputs as they are kept, no larger than a request: their types may make many times of what came."""
    return inputs_json if utf8_size(inputs_json) <= limits.max_message_bytes else None
