"""Registry: owns every run of this server, from admission to expiry (law 1).

Starting and joining are one call, because a caller whose connection broke cannot know which of the
two it is doing. Whoever comes second to a run id, even while the first is still being let in, joins
what the first has started, builds nothing and spends nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

import anyio

from headrace.calls import Observer
from headrace.errors import HeadraceError, RunCancelled, RunIdReused, RunNotFound, ServerFault
from headrace.hosting.port import StartRequest, check_revision, unmet_revision
from headrace.lm import set_cache_scope
from headrace.log_context import contained, log_context
from headrace.runs.admission import Admission
from headrace.runs.claims import Claims, new_record
from headrace.runs.expiry import Expiry
from headrace.runs.jobs import Jobs
from headrace.runs.limits import Limits
from headrace.runs.live import LiveRun
from headrace.runs.record import RunKey, RunRecord
from headrace.runs.refusals import Refusals
from headrace.runs.run import Run
from headrace.runs.settling import Settling
from headrace.runs.stores.base import RunStore
from headrace.runs.stores.listing import ALL, PagePlace, RunFilter
from headrace.runs.stores.memory import MemoryStore

STOP_WAIT = 6.0
"""Seconds to wait for a stopped run to be over; longer than a program is given to unwind."""

CLOSE_WAIT = 1.0
"""Seconds that a closing registry gives its store to take what it was handed."""


class Registry:
    """Starts, joins, finds, cancels, deletes and drains runs, inside an `async with` block.

    keeps_content: whether runs that start now record the inputs and outputs of their calls.
    tell_cause: what readers may be told of the cause of a failure, beside its message.
    observers: told of the calls of every run.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        store: RunStore | None = None,
        *,
        keeps_content: Callable[[], bool] = lambda: False,
        tell_cause: Callable[[HeadraceError], str] = lambda failure: "",
        observers: Sequence[Observer] = (),
    ) -> None:
        self.limits = limits or Limits()
        self.store: RunStore = store or MemoryStore(self.limits)
        self._admission = Admission(self.limits)
        self._claims = Claims(self.store, self._admission)
        self._refusals = Refusals(self.store, self._claims)
        self._expiry = Expiry(self.store)
        self._live: dict[RunKey, LiveRun] = {}
        self._jobs = Jobs()
        self._settling = Settling(self._jobs, self._forget)
        self._something_settled = asyncio.Event()
        self._keeps_content = keeps_content
        self._tell_cause = tell_cause
        self._observers = observers
        self._context = contextvars.copy_context()

    async def __aenter__(self) -> Self:
        self.open()

        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def open(self) -> None:
        """Begins the work in the background. Another task than this one may `close`."""
        self._jobs.open()
        self._jobs.start("settling runs", self._settling.run)
        self._jobs.start("expiring runs", self._expiry.run)

    async def close(self) -> None:
        """Stops everything at once and forgets it."""
        await self.drain(0.0, unwind=0.0)
        await self._settled()
        await self._jobs.close()

        with contained("closing the store of runs"):
            await self.store.close()

    @property
    def live_count(self) -> int:
        """Runs that are queued or running."""
        return len(self._live)

    async def start(self, request: StartRequest) -> Run:
        """The run that was asked for: the one that has its id, a new one, or the refusal of one that
        was cancelled before it came (see RunRecord.refused), which is over.

        Raises RunIdReused, RevisionMismatch, RunNotFound for a request that only joins, and what
        Admission raises.
        """
        key = RunKey(request.principal, request.run_id or uuid.uuid4().hex)

        async with self._claims.turn(key):
            present = await self._present(key) if request.run_id else None

            if request.resumes and (present is None or present.record.refused):
                raise _not_found(key)

            return _joined(present or await self._start(key, request), request)

    async def find(self, principal: str, run_id: str) -> Run:
        """A principal's run. Raises RunNotFound: unknown, expired, or another's."""
        key = RunKey(principal, run_id)
        run = await self._find(key)

        if run is None or run.record.refused:
            raise _not_found(key)

        return run

    async def named(self, run_id: str) -> Sequence[Run]:
        """The runs of that name, whoever started them: for those who may answer others' questions."""
        runs = [self._live.get(run.key, run) for run in await self.store.named(run_id)]

        return [run for run in runs if not run.record.refused]

    async def page(
        self, principal: str, wanted: RunFilter = ALL, *, size: int, token: str = ""
    ) -> tuple[Sequence[Run], str]:
        """Those of a principal's runs that are wanted, newest first, and the token of the next page.

        The token names the place after the last run of a page, so that runs which start or expire
        in between neither repeat nor hide others. Raises RequestInvalid for one that is no token.
        """
        after = PagePlace.named_by(token) if token else None
        page = await self.store.page(principal, wanted, after=after, size=size)
        runs = [self._live.get(run.key, run) for run in page.runs]
        following = PagePlace.of(runs[-1]).token if page.has_more else ""

        return [run for run in runs if wanted.takes(run)], following

    async def cancel(self, principal: str, run_id: str, detail: str = "") -> Run:
        """Stops a run and gives it once it is over; an ended one is given unchanged.

        Where no run has the id, that is the refusal of the one that may be on its way.
        """
        key = RunKey(principal, run_id)

        async with self._claims.turn(key):
            run = await self._present(key) or await self._refusals.refuse(key, detail)

        if run.record.refused:
            self._expiry.notice(run.expire_time)
            await self._refusals.bound(principal)
        else:
            run.stop(RunCancelled("caller", detail))
            await _over([run], STOP_WAIT)

        return run

    async def delete(self, principal: str, run_id: str) -> None:
        """Ends a run if need be, and forgets all of it: its id is free again. Raises RunNotFound.

        A program that does not unwind in STOP_WAIT is left behind: its run is over and forgotten
        without it, and what it still tells is kept nowhere.
        """
        key = RunKey(principal, run_id)

        async with self._claims.turn(key):
            run = await self.find(principal, run_id)

            if isinstance(run, LiveRun):
                await _end([run], RunCancelled("caller", "it was deleted"), STOP_WAIT)

            self._live.pop(key, None)
            await self.store.drop(key)

    async def drain(self, timeout: float, unwind: float = STOP_WAIT) -> int:
        """Takes no new runs, lets those there are end within `timeout` seconds, then stops them.

        Stopped programs get `unwind` seconds to end; after that all runs are over. Gives how many had
        to be stopped.
        """
        self._admission.draining = True
        await _over(self._live.values(), timeout)
        rest = [run for run in self._live.values() if not run.over]
        await _end(rest, RunCancelled("drain"), unwind)

        return len(rest)

    async def _find(self, key: RunKey) -> Run | None:
        return self._live.get(key) or await self.store.get(key)

    async def _present(self, key: RunKey) -> Run | None:
        """What stands in the way of a run, in the turn of its key: another, or a refusal that holds."""
        run = await self._find(key)

        if run is not None and run.record.refused and (run.expire_time or 0.0) <= time.time():
            await self.store.drop(key)
            return None

        return run

    async def _start(self, key: RunKey, request: StartRequest) -> Run:
        check_revision(request.program, request)
        keeps_content = self._keeps_content()
        record = new_record(key, request, self.limits, keeps_content=keeps_content)
        build = partial(self._build, record, request, keeps_content=keeps_content)
        run = await self._claims.make(record, build)

        if isinstance(run, LiveRun):
            self._live[key] = run

            if self._admission.admit(run):
                self._begin(run)

        return run

    def _build(self, record: RunRecord, request: StartRequest, *, keeps_content: bool) -> LiveRun:
        work = request.program.work(request.inputs)

        return LiveRun(
            record,
            replace(work, caller_context=request.caller_context),
            self.store,
            self.limits,
            keeps_content=keeps_content,
            tell_cause=self._tell_cause,
            observers=self._observers,
            when_over=self._take_leave,
        )

    def _begin(self, run: LiveRun) -> None:
        context = self._context.copy()
        context.run(log_context.set, run.record.facts)
        context.run(set_cache_scope, run.key.principal)
        run.begin(context)

    def _take_leave(self, run: LiveRun) -> None:
        """A program is done: its place is free at once, and the rest can wait."""
        self._settling.hand_over(run)
        following = self._admission.leave(run)

        if following is not None:
            self._begin(following)

    def _forget(self, run: LiveRun) -> None:
        if self._live.get(run.key) is not run:
            return  # it was deleted

        if run.lost:
            self._jobs.start("dropping a lost run", partial(self._drop_lost, run))
            return

        del self._live[run.key]
        self._expiry.notice(run.expire_time)
        self._something_settled.set()

    async def _drop_lost(self, run: LiveRun) -> None:
        """Drops a run whose end its store does not have. Until then it is found here, where it is over."""
        async with self._claims.turn(run.key):
            if self._live.get(run.key) is not run:
                return  # it was deleted

            try:
                await self.store.drop(run.key)
            finally:
                del self._live[run.key]
                self._something_settled.set()

    async def _settled(self) -> None:
        """Waits, not for long, until nothing is live."""
        with anyio.move_on_after(CLOSE_WAIT):
            while self._live:
                self._something_settled.clear()
                await self._something_settled.wait()


def _joined(run: Run, request: StartRequest) -> Run:
    """The run, for one who asked for it. Raises RunIdReused where something else was asked for."""
    if run.record.refused:
        return run

    if run.record.digest != request.digest:
        raise RunIdReused(f"run {run.run_id!r} was started with another program or other inputs")

    if kind := unmet_revision(request, run):
        raise RunIdReused(f"run {run.run_id!r} has {kind} {getattr(run, kind)} of the program")

    if request.linger is not None and request.linger != run.record.linger:
        run.keep_for(request.linger)

    return run


def _not_found(key: RunKey) -> RunNotFound:
    return RunNotFound(f"no run {key.run_id!r}: never started, expired, or not yours")


async def _over(runs: Iterable[Run], timeout: float) -> None:
    """Waits until the runs are over, at most `timeout` seconds."""
    with anyio.move_on_after(timeout):
        for run in [*runs]:
            await run.ended()


async def _end(runs: Sequence[LiveRun], error: HeadraceError, unwind: float) -> None:
    """Stops the runs. Their programs get `unwind` seconds to end; a little later all are over."""
    for run in runs:
        run.stop(error)

    await _over(runs, unwind)

    for run in runs:
        run.abandon()

    await _over(runs, CLOSE_WAIT)

    for run in runs:
        run.lose(ServerFault())
