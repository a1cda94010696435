"""Where lines go: to standard error, from a thread of its own, so that a full pipe stops no stream."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import sys
import time
from collections.abc import Callable, Iterable
from typing import TextIO, TypeAlias

from headrace.runs.about import about
from headrace.server.config import Logs
from headrace.server.logs.formats import ConsoleForm, JsonForm
from headrace.server.logs.redaction import Redactor, secrets_of
from headrace.server.logs.strays import catch_strays

Waiting: TypeAlias = "queue.SimpleQueue[logging.LogRecord]"
"""Unlike queue.Queue it may be entered again by a finaliser that logs while a line is put there."""

MAX_WAITING = 10_000
"""Lines that may wait to be written; more are dropped and counted."""


def start_logging(logs: Logs, secrets: Iterable[str] = ()) -> Callable[[], None]:
    """Sets the process's logging up; gives the function that writes what is left and stops it.

    Where the lines are JSON, nothing else gets to standard error from Python code of this process.
    """
    redact = Redactor([*secrets_of(), *secrets])
    json = logs.format == "json" or (logs.format == "auto" and not sys.stderr.isatty())
    output = _Output(sys.stderr)
    output.setFormatter((JsonForm if json else ConsoleForm)(redact, content=logs.content))
    waiting: Waiting = queue.SimpleQueue()
    entrance = _Entrance(waiting, output)
    writer = logging.handlers.QueueListener(waiting, output)

    root = logging.getLogger()
    root.handlers[:] = [entrance]
    root.setLevel(logging.WARNING)
    logging.getLogger("headrace").setLevel(logs.level.upper())
    logging.getLogger("grpc").addFilter(_Seldom())
    writer.start()
    let_strays_go = catch_strays(prints=json)

    def stop() -> None:
        let_strays_go()
        root.handlers[:] = [output]  # what still comes is written at once
        writer.stop()

    return stop


class _Output(logging.StreamHandler[TextIO]):
    """Writes lines. One that cannot be formatted is replaced by a line that says so."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Handler."""
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001 - whatever the text of an argument raises
            words = "a line that could not be formatted: %s in %s:%d"
            where = (type(error).__name__, record.filename, record.lineno)
            substitute = {"msg": words, "args": where, "exc_info": None, "name": record.name}

            return super().format(logging.makeLogRecord({**vars(record), **substitute}))

    def handleError(self, record: logging.LogRecord) -> None:
        """Says nothing: where a line cannot be written, no complaint can."""


class _Entrance(logging.handlers.QueueHandler):
    """Takes lines in: what they are about is known only where they are logged."""

    dropped = 0

    def __init__(self, waiting: Waiting, output: logging.Handler) -> None:
        super().__init__(waiting)
        self._waiting = waiting
        self._output = output
        self._process = os.getpid()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Keeps the record as it is: no other process reads the queue."""
        record.about = dict(about.get() or {})

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
