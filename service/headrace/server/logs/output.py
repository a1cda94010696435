"""Where lines go: to standard error, from a thread of its own, so that a full pipe stops no stream."""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys
import time
from collections.abc import Callable, Iterable

from headrace.runs.about import about
from headrace.server.config import Logs
from headrace.server.logs.formats import ConsoleForm, JsonForm
from headrace.server.logs.redaction import Redactor, secrets_of

MAX_WAITING = 10_000
"""Lines that may wait to be written; more are dropped and counted."""


def start_logging(logs: Logs, secrets: Iterable[str] = ()) -> Callable[[], None]:
    """Sets the process's logging up; gives the function that writes what is left and stops it."""
    redact = Redactor([*secrets_of(), *secrets])
    json = logs.format == "json" or (logs.format == "auto" and not sys.stderr.isatty())
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter((JsonForm if json else ConsoleForm)(redact, content=logs.content))
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(MAX_WAITING)
    entrance = _Entrance(waiting)
    writer = logging.handlers.QueueListener(waiting, output)

    root = logging.getLogger()
    root.handlers[:] = [entrance]
    root.setLevel(logging.WARNING)
    logging.getLogger("headrace").setLevel(logs.level.upper())
    logging.getLogger("grpc").addFilter(_Seldom())
    writer.start()

    return writer.stop


class _Entrance(logging.handlers.QueueHandler):
    """Takes lines in: what they are about is known only where they are logged."""

    dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Keeps the record as it is: no other process reads the queue."""
        record.about = dict(about.get() or {})

        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Drops the line where too many wait already, and says so with the next that fits."""
        if self.dropped:
            record.msg = f"{record.getMessage()} ({self.dropped} lines were dropped before)"
            record.args = None

        try:
            self.queue.put_nowait(record)
            self.dropped = 0
        except queue.Full:
            self.dropped += 1


class _Seldom(logging.Filter):
    """Lets a line through per second: gRPC logs a traceback for every request it cannot read."""

    _last = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        now = time.monotonic()

        if now - self._last < 1.0:
            return False

        self._last = now

        return True
