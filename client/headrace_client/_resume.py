"""Decision after a call for a run ended badly: raise, or wait and make the same call again.

The rule, from the contract: `headrace-run-state` in the trailers ends reading, whatever it says; a
code that speaks of the road means: wait, and ask again, as long as there is progress; anything else
says that the request is wrong. A run that waits for people brings nothing new for hours: a stream that lasts
is progress too.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import grpc

from headrace_client._connection import Connection
from headrace_client._errors import DeadlineExceeded, HeadraceError, RunLost
from headrace_client._requests import HEARTBEAT_SECONDS
from headrace_client._status import CallStatus

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
TRIES_TO_REACH = 4
"""A server that never answered is given up sooner: about a second in all."""
LASTING_SECONDS = HEARTBEAT_SECONDS
"""A stream that is alive after so long is worth opening again, however often."""


class Backoff:
    """Delays before the next try, doubling while nothing comes and fresh again with every event."""

    def __init__(self, retries: int, chance: Callable[[], float] = random.random) -> None:
        """`retries` without progress are allowed; `chance` gives numbers from 0 to 1 for jitter."""
        self._retries = retries
        self._chance = chance
        self._reached = False
        self._spent = 0

    def answered(self) -> None:
        """The server is there; that alone is no progress."""
        self._reached = True

    def progressed(self) -> None:
        """Something new came: the count starts afresh."""
        self._reached = True
        self._spent = 0

    def next_delay(self, asked: float | None = None) -> float | None:
        """Seconds until the next try, at least those the server asked for; None to give up."""
        if asked is not None:
            self._reached = True  # someone there said so

        if self._spent >= (self._retries if self._reached else min(self._retries, TRIES_TO_REACH)):
            return None

        delay = min(FIRST_DELAY * (1 << self._spent), LONGEST_DELAY)
        self._spent += 1

        return (asked or 0.0) + delay * (0.5 + self._chance() / 2)


class Resumption:
    """Position, backoff and deadline of one run's reader."""

    def __init__(
        self, connection: Connection, run_id: str, *, retries: int, timeout: float | None
    ) -> None:
        """`timeout`: seconds from now on, after which waiting ends with DeadlineExceeded."""
        self.run_id = run_id
        self.cursor = 0
        """The last position seen: what is recorded after it is still to come."""
        self._connection = connection
        self._backoff = Backoff(retries)
        self._is_accepted = False
        self._asked_at = _now()
        self._deadline = None if timeout is None else self._asked_at + timeout

    def asking(self) -> None:
        """The call is made, or made again."""
        self._asked_at = _now()

    def seconds_left(self) -> float | None:
        """Seconds until the deadline; None without one."""
        if self._deadline is None:
            return None

        return max(self._deadline - _now(), 0.0)

    def answered(self, sequence: int = 0) -> None:
        """The server answered, at this position if it named one.

        Only a new position is progress, and a call that has lasted.
        """
        self._is_accepted = True

        if sequence > self.cursor:
            self.cursor = sequence
            self._backoff.progressed()
        elif _now() - self._asked_at >= LASTING_SECONDS:
            self._backoff.progressed()
        else:
            self._backoff.answered()

    async def wait_after(self, status: CallStatus, cause: BaseException) -> None:
        """Returns when the call may be made again; raises what it stands for when it may not."""
        if not status.is_cut:
            raise await self._final(status) from cause

        delay = self._backoff.next_delay(status.retry_delay)

        if delay is None:
            raise await self._given_up(status) from cause

        seconds_left = self.seconds_left()

        if seconds_left is not None and seconds_left <= delay:
            raise self._too_late() from cause

        await asyncio.sleep(delay)

    async def _final(self, status: CallStatus) -> HeadraceError:
        if status.code is grpc.StatusCode.DEADLINE_EXCEEDED and not status.is_told:
            return self._too_late()

        if status.reason == "RUN_NOT_FOUND" and self._is_accepted:
            return RunLost(
                f"the server no longer knows run {self.run_id}: it restarted, or let go of the run",
                code=status.code,
                reason=status.reason,
                run_id=self.run_id,
            )

        meant = status.of_an_answer() if self._is_accepted else status

        return await self._connection.error(meant, self.run_id)

    async def _given_up(self, status: CallStatus) -> HeadraceError:
        error = await self._connection.error(status, self.run_id)

        if self.cursor:
            error.message += f" (run {self.run_id} was read up to event {self.cursor})"

        return error

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"run {self.run_id} did not end in the time given",
            code=grpc.StatusCode.DEADLINE_EXCEEDED,
            run_id=self.run_id,
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
