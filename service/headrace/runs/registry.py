"""Registry: owns every run of this server, from admission to expiry (law 1).

Starting and joining are one call, because a caller whose connection broke cannot know which of the
two it is doing.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
import uuid
from collections.abc import Callable, Sequence

from headrace.calls import Observer
from headrace.defects import contained
from headrace.errors import (
    FieldViolation,
    HeadraceError,
    RequestInvalid,
    RunCancelled,
    RunIdReused,
    RunNotFound,
)
from headrace.hosting.port import StartRequest
from headrace.lm import set_cache_scope
from headrace.log_context import log_context
from headrace.runs.admission import Admission
from headrace.runs.limits import Limits
from headrace.runs.record import RunKey
from headrace.runs.reporting import report
from headrace.runs.run import Run
from headrace.runs.store import MemoryStore, RunStore

STOP_WAIT = 6.0
"""Seconds to wait for a stopped run to be over; longer than a program is given to unwind."""

_TOKEN = re.compile(r"\d{1,12}\.\d{1,9}:[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Registry:
    """Starts, joins, finds, cancels and drains runs.

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
        self._live: set[Run] = set()
        self._farewells: set[asyncio.Task[None]] = set()
        self._keeps_content = keeps_content
        self._tell_cause = tell_cause
        self._observers = observers
        self._context = contextvars.copy_context()

    @property
    def live_count(self) -> int:
        """Runs that are queued or running."""
        return len(self._live)

    async def start(self, order: StartRequest) -> Run:
        """The run of an order: the one that has its id, or a new one.

        Raises RunIdReused, RunNotFound for an order that only joins, and what Admission raises.
        """
        key = RunKey(order.principal, order.run_id or uuid.uuid4().hex)
        present = await self.store.find(key)

        if present is not None:
            return self._joined(present, order)

        if order.resumes:
            raise _not_found(key)

        self._admission.check(order.principal)
        run = Run(
            key,
            order,
            self.limits,
            keeps_content=self._keeps_content(),
            tell_cause=self._tell_cause,
            observers=self._observers,
            when_over=self._take_leave,
        )

        try:
            kept = await self.store.add(run)
        except BaseException:
            run.discard()
            raise

        if kept is not run:
            run.discard()
            return self._joined(kept, order)

        self._live.add(run)

        if self._admission.admit(run):
            self._begin(run)

        return run

    async def find(self, principal: str, run_id: str) -> Run:
        """A principal's run. Raises RunNotFound: unknown, expired, or another's."""
        key = RunKey(principal, run_id)
        run = await self.store.find(key)

        if run is None:
            raise _not_found(key)

        return run

    async def page(
        self, principal: str, program: str = "", *, size: int, token: str = ""
    ) -> tuple[list[Run], str]:
        """A principal's runs, newest first, and the token of the next page.

        The token names the place after the last run of a page, so that runs which start or expire
        in between neither repeat nor hide others. Raises RequestInvalid for one that is no token.
        """
        before = _place(token) if token else None
        runs = sorted(await self.store.of(principal), key=_order_of, reverse=True)
        rest = [
            run
            for run in runs
            if program in ("", run.program) and (before is None or _order_of(run) < before)
        ]
        page = rest[:size]
        following = f"{page[-1].create_time!r}:{page[-1].run_id}" if len(page) < len(rest) else ""

        return page, following

    async def cancel(self, principal: str, run_id: str, detail: str = "") -> Run:
        """Stops a run and gives it once it is over; an ended one is given unchanged."""
        run = await self.find(principal, run_id)
        run.stop(RunCancelled("caller", detail))
        await _over([run], STOP_WAIT)

        return run

    async def drain(self, timeout: float, unwind: float = STOP_WAIT) -> int:
        """Takes no new runs, lets those there are end within `timeout` seconds, then stops them.

        Stopped programs get `unwind` seconds to end; after that all runs are over. Gives how many had
        to be stopped.
        """
        self._admission.draining = True
        await _over(list(self._live), timeout)
        rest = [run for run in self._live if not run.over]

        for run in rest:
            run.stop(RunCancelled("drain"))

        await _over(rest, unwind)

        for run in rest:
            run.abandon()

        return len(rest)

    async def close(self) -> None:
        """Stops everything at once and forgets it."""
        await self.drain(0.0, unwind=0.0)
        farewells = list(self._farewells)

        for farewell in farewells:
            farewell.cancel()

        await asyncio.gather(*farewells, return_exceptions=True)
        await self.store.close()

    def _joined(self, run: Run, order: StartRequest) -> Run:
        if run.digest != order.digest:
            raise RunIdReused(
                f"run {run.run_id!r} was started with another program or other inputs"
            )

        if order.linger is not None:
            run.linger = order.linger

        return run

    def _begin(self, run: Run) -> None:
        context = self._context.copy()
        context.run(log_context.set, run.about)
        context.run(set_cache_scope, run.key.principal)
        run.begin(context)

    def _take_leave(self, run: Run) -> None:
        farewell = asyncio.get_running_loop().create_task(self._settle(run))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    async def _settle(self, run: Run) -> None:
        log_context.set(run.about)

        with contained("reporting how a run ended"):
            report(run)

        with contained("settling a run"):
            run.settle()

        following = self._admission.leave(run, begun=run.begun)

        if following is not None:
            self._begin(following)

        with contained("retaining a run"):
            await self.store.retain(run)

        self._live.discard(run)


def _not_found(key: RunKey) -> RunNotFound:
    return RunNotFound(f"no run {key.run_id!r}: never started, expired, or not yours")


async def _over(runs: list[Run], timeout: float) -> None:
    """Waits until the runs are over, at most `timeout` seconds."""
    if runs:
        waits = [asyncio.ensure_future(run.ended()) for run in runs]
        _, late = await asyncio.wait(waits, timeout=timeout)

        for wait in late:
            wait.cancel()


def _order_of(run: Run) -> tuple[float, str]:
    return run.create_time, run.run_id


def _place(token: str) -> tuple[float, str]:
    time, _, run_id = token.partition(":")

    if not _TOKEN.fullmatch(token):
        problem = "must be the next_page_token of the page before"
        raise RequestInvalid([FieldViolation("page_token", problem)])

    return float(time), run_id
