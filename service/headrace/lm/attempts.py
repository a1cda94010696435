"""Attempts: the layer that asks an engine, and asks it again where that may help.

Retries are our own: visible, bounded, and never once a piece of the answer went out.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from headrace.calls import current_run
from headrace.errors import LMError, UsageError
from headrace.events import LmCall
from headrace.lm.base import Completion, Receive, Request
from headrace.lm.deadlines import Deadlines, Total
from headrace.lm.engines import Attempt, Engine
from headrace.lm.errors import may_retry
from headrace.lm.layers import Records

logger = logging.getLogger("headrace.lm")

FindEngine: TypeAlias = Callable[[Request], Awaitable[Engine]]

LONGEST_PAUSE = 30.0
"""Seconds; a provider that asks for more ends the call, with its wish in `retry_after`."""


@dataclass(frozen=True, slots=True)
class Retries:
    """Rules for sending a failed request again: how often, how soon."""

    number: int = 2
    """Attempts after the first."""
    delay: float = 0.5
    """Seconds before the second attempt; doubles with each further one, less up to half by chance."""

    def __post_init__(self) -> None:
        if self.number < 0 or self.delay < 0:
            raise UsageError("num_retries and retry_delay of an LM cannot be negative")

    def pause(self, attempt: int, error: LMError, remaining: float) -> float | None:
        """Seconds to wait after attempt number `attempt`; None = give up.

        `remaining` is what is left of the call's total time.
        """
        if attempt > self.number or not may_retry(error):
            return None

        backoff = self.delay * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
        pause = max(backoff, error.retry_after or 0.0)

        return pause if pause <= min(LONGEST_PAUSE, remaining) else None


@dataclass(frozen=True, slots=True)
class Attempts:
    """The layer above the engine, which is found when it is needed."""

    model: str
    find_engine: FindEngine
    deadlines: Deadlines
    retries: Retries

    async def ask(self, request: Request, receive: Receive, records: Records) -> Completion:
        """See Layer.ask. Raises the LMError of the last attempt."""
        engine = await self.find_engine(request)
        run = current_run()
        joins = run is not None and run.joins_text
        number = 1

        async with Total(self.deadlines.total, self.model) as total:
            while True:
                lm = LmCall(self.model, engine.name, attempt=number)
                attempt = Attempt(lm, self.deadlines, records, joins=joins)
                records.begin(lm)

                try:
                    return await engine.ask(request, receive, attempt)
                except LMError as error:
                    attempt.begun()
                    pause = self.retries.pause(number, error, total.remaining)
                    pause = None if attempt.emitted else pause
                    _report(error, lm, pause)

                    if pause is None:
                        raise

                    records.failed(error)

                await asyncio.sleep(pause)
                number += 1


def _report(error: LMError, lm: LmCall, pause: float | None) -> None:
    """Logs an attempt that failed: the run may recover, and then nothing else tells of it."""
    ending = "" if pause is None else f"; trying again in {pause:.1f} s"
    facts = {"model": lm.model, "engine": lm.engine, "lm_attempt": lm.attempt}
    logger.info(
        "LM attempt failed: %s%s", error.message, ending, extra={"failure": error, "facts": facts}
    )
