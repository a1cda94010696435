"""The server's log: lines about runs and calls, with nothing secret in them, and none of a flood."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from headrace_client.cli import logs as lines

from headrace.log_context import log_context
from headrace.server.config import Logs
from headrace.server.logs.contents import RunContents
from headrace.server.logs.redaction import Redactor
from headrace.server.logs.strays import catch_strays

RATES = {"grpc": 1.0, "headrace.refusals": 10.0}
"""Lines a second of what any caller can cause: gRPC logs a traceback for each request it cannot read."""


def start_logging(logs: Logs, redact: Redactor) -> Callable[[], None]:
    """Sets the process's logging up; gives the function that writes what is left and stops it."""
    contents = RunContents(redact, content=logs.content)
    stop_writing = lines.start_logging(logs.format, logs.level, contents, about=log_context.get)
    seldom = {logging.getLogger(name): RateLimitFilter(rate) for name, rate in RATES.items()}

    for logger, rate in seldom.items():
        logger.addFilter(rate)

    put_back = catch_strays()

    def stop() -> None:
        put_back()

        for logger, rate in seldom.items():
            logger.removeFilter(rate)

        stop_writing()

    return stop


class RateLimitFilter(logging.Filter):
    """Lets so many lines through per second, as many at once, so that a flood cannot fill the disk.

    The next line says how many were held back.
    """

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
