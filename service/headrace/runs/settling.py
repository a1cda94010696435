"""Settling: what is left to do with a run once its program is done."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from headrace.log_context import contained, log_context
from headrace.runs.jobs import Jobs
from headrace.runs.live import LiveRun
from headrace.runs.reporting import report


class Settling:
    """Settles runs in the background, each as soon as its readers can have all of it.

    forget: lets go of a run that has been settled.
    """

    def __init__(self, jobs: Jobs, forget: Callable[[LiveRun], object]) -> None:
        self._jobs = jobs
        self._forget = forget
        self._concluded: deque[LiveRun] = deque()
        self._something_concluded = asyncio.Event()

    def hand_over(self, run: LiveRun) -> None:
        """A program is done."""
        self._concluded.append(run)
        self._something_concluded.set()

    async def run(self) -> None:
        """Settles what is handed over, until it is cancelled."""
        while True:
            while self._concluded:
                run = self._concluded.popleft()

                if run.over:
                    self._settle(run)
                else:
                    self._jobs.start("settling a run", partial(self._settle_later, run))

            self._something_concluded.clear()
            await self._something_concluded.wait()

    async def _settle_later(self, run: LiveRun) -> None:
        await run.ended()
        self._settle(run)

    def _settle(self, run: LiveRun) -> None:
        """The steps that are left once a run is over; each is taken, whatever becomes of another."""
        log_context.set(run.record.facts)

        for work, step in (
            ("reporting how a run ended", report),
            ("releasing a run", LiveRun.release),
            ("forgetting a run", self._forget),
        ):
            with contained(work):
                step(run)
