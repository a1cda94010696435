"""Output: lines go to standard error from a thread of its own, so that a full pipe stops no stream."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO, TypeAlias

from headrace.log_context import log_context
from headrace.server.config import Logs
from headrace.server.logs.formats import ConsoleForm, JsonForm, is_json
from headrace.server.logs.safe_text import Redactor
from headrace.server.logs.strays import catch_strays

Waiting: TypeAlias = "queue.SimpleQueue[logging.LogRecord]"
"""Unlike queue.Queue it may be entered again by a finaliser that logs while a line is put there."""

MAX_WAITING = 10_000
"""Lines that may wait to be written; more are dropped and counted."""

RATES = {"grpc": 1.0, "headrace.refusals": 10.0}
"""Lines a second of what any caller can cause: gRPC logs a traceback for each request it cannot read."""


def start_logging(logs: Logs, redact: Redactor) -> Callable[[], None]:
    """Sets the process's logging up; gives the function that writes what is left and stops it."""
    output = _Output(sys.stderr)
    form = JsonForm if is_json(logs) else ConsoleForm
    output.setFormatter(form(redact, content=logs.content))
    waiting: Waiting = queue.SimpleQueue()
    entrance = ContextQueueHandler(waiting, output)
    writer = logging.handlers.QueueListener(waiting, output)

    root = logging.getLogger()
    root.handlers[:] = [entrance]
    root.setLevel(logging.WARNING)
    logging.getLogger("headrace").setLevel(logs.level.upper())
    seldom = {logging.getLogger(name): RateLimitFilter(rate) for name, rate in RATES.items()}

    for logger, rate in seldom.items():
        logger.addFilter(rate)

    put_back = catch_strays()
    writer.start()

    def stop() -> None:
        put_back()

        for logger, rate in seldom.items():
            logger.removeFilter(rate)

        root.handlers[:] = [output]  # what still comes is written at once
        writer.stop()

    return stop


class _Output(logging.StreamHandler[TextIO]):
    """Writes lines, and says where it could not: what Python would say shows what was to be logged."""

    def handleError(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        with suppress(Exception):
            kind = type(sys.exception()).__name__
            self.stream.write(f'{{"level":"error","message":"a line was lost: {kind}"}}\n')


class ContextQueueHandler(logging.handlers.QueueHandler):
    """Queues records with the context of where they are logged, which the writing thread does not know."""

    dropped = 0

    def __init__(self, waiting: Waiting, output: logging.Handler) -> None:
        super().__init__(waiting)
        self._waiting = waiting
        self._output = output
        self._process = os.getpid()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Keeps the record as it is: no other process reads the queue."""
        record.about = dict(log_context.get() or {})

        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Drops the line where too many wait already, and says so with the next that fits."""
        if os.getpid() != self._process:  # forked: the thread that writes is not in it
            self._output.handle(record)
            return

        if self._waiting.qsize() >= MAX_WAITING:
            self.dropped += 1
            return

        if self.dropped:
            record.msg = f"{record.getMessage()} ({self.dropped} lines were dropped before)"
            record.args = None
            self.dropped = 0

        self._waiting.put_nowait(record)


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
