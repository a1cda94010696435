"""Retries of our own: visible, bounded, and never once a piece of the answer went out."""

from __future__ import annotations

import random
from dataclasses import dataclass

from headrace.errors import LMError, UsageError
from headrace.lm.errors import may_retry

LONGEST_PAUSE = 30.0
"""Seconds; a provider that asks for more ends the call, with its wish in `retry_after`."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how soon a failed request is sent again."""

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
