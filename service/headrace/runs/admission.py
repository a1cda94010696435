"""Admission: whether one more run may be taken in, and which waits its turn.

Refusals come before anything was started, and say when to try again.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable

from headrace.errors import QuotaExceeded, ServerBusy, ServerDraining
from headrace.runs.limits import Limits
from headrace.runs.live import LiveRun

BUSY_DELAY = 1.0
"""Seconds after which a caller refused for lack of room is asked to try again."""

MAX_BUCKETS = 10_000
"""Principals whose rate is remembered."""


class Admission:
    """Counts runs in and out, in all and by principal."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._running = 0
        self._reserved = 0
        self._waiting: deque[LiveRun] = deque()
        self._by_principal: Counter[str] = Counter()
        self._rates: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.draining = False
        """Refuse whatever comes."""

    @property
    def running_count(self) -> int:
        """Runs that have been let begin and have not ended."""
        return self._running

    def reserve(self, principal: str) -> None:
        """Takes a place for a run: `admit` uses it, `give_back` frees it.

        Raises ServerDraining, ServerBusy or QuotaExceeded where one more run is one too many.
        """
        limits = self._limits

        if self.draining:
            raise ServerDraining("the server is shutting down; try again", retry_delay=BUSY_DELAY)

        if self._running + self._reserved >= limits.max_running_count:
            self._sweep()
            taken = self._running + self._reserved + len(self._waiting)

            if taken >= limits.max_running_count + limits.max_queued_count:
                raise ServerBusy("the server is at its limit of running and queued runs")

        own = limits.max_running_count_per_principal

        if own and self._by_principal[principal] >= own:
            raise QuotaExceeded(f"at most {own} runs of one caller", retry_delay=BUSY_DELAY)

        self._spend(principal)
        self._reserved += 1
        self._by_principal[principal] += 1

    def give_back(self, principal: str) -> None:
        """Frees a reserved place, as if it had never been asked for."""
        self._reserved -= 1
        self._forget(principal)
        self._refund(principal)

    def admit(self, run: LiveRun) -> bool:
        """Takes a run in at its reserved place. True: it may begin. Else `leave` names it in its turn."""
        self._reserved -= 1

        if self._running < self._limits.max_running_count:
            self._running += 1
            return True

        self._waiting.append(run)

        return False

    def leave(self, run: LiveRun) -> LiveRun | None:
        """A run has ended; gives the next that may begin, if any."""
        self._forget(run.key.principal)
        self._sweep()

        if not run.begun:
            return None

        if self._waiting:
            return self._waiting.popleft()

        self._running -= 1

        return None

    def _sweep(self) -> None:
        """Forgets the waiting runs that were stopped."""
        if any(run.concluded for run in self._waiting):
            self._waiting = deque(run for run in self._waiting if not run.concluded)

    def _forget(self, principal: str) -> None:
        self._by_principal[principal] -= 1

        if not self._by_principal[principal]:
            del self._by_principal[principal]

    def _spend(self, principal: str) -> None:
        """Takes one start from the principal's allowance, a bucket of one second's worth."""
        rate = self._limits.max_starts_per_second

        if not rate:
            return

        now = self._clock()
        size = max(rate, 1.0)
        tokens, since = self._rates.pop(principal, (size, now))
        tokens = min(size, tokens + (now - since) * rate)

        if tokens < 1.0:
            self._rates[principal] = tokens, now
            raise QuotaExceeded(
                f"at most {rate:g} runs per second", retry_delay=(1.0 - tokens) / rate
            )

        self._rates[principal] = tokens - 1.0, now

        while len(self._rates) > MAX_BUCKETS:
            self._rates.popitem(last=False)

    def _refund(self, principal: str) -> None:
        """Puts one start back into the principal's allowance."""
        if principal in self._rates:
            tokens, since = self._rates[principal]
            self._rates[principal] = tokens + 1.0, since
