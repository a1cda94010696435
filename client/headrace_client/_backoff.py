"""How long to go on trying: a count of tries without progress, and growing delays between them."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
TRIES_TO_REACH = 4
"""A server that never answered is given up sooner: about a second in all."""


class Patience:
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
