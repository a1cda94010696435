"""Lines that anybody can cause are let through at a rate, so that a flood cannot fill the disk."""

from __future__ import annotations

import logging
import threading
import time


class RateLimitFilter(logging.Filter):
    """Lets so many lines through per second, as many at once; the next says how many it held back."""

    def __init__(self, per_second: float = 1.0) -> None:
        super().__init__()
        self._rate = per_second
        self._left = per_second
        self._last = time.monotonic()
        self._held_back = 0
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._rate, self._left + (now - self._last) * self._rate)
            self._last = now

            if self._left < 1.0:
                self._held_back += 1
                return False

            self._left -= 1.0
            held_back, self._held_back = self._held_back, 0

        if held_back:
            record.facts = {**getattr(record, "facts", {}), "lines_left_out": held_back}

        return True
