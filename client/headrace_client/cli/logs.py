"""Logs of a command that serves: lines of JSON or for people, on standard error.

They are written from a thread of its own, so that a full pipe stops no stream. A line is about what its
record has in `about` (the context it was logged in) and in `facts` (its own); `Contents` says how much
of a record is shown.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import queue
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Literal, TextIO, TypeAlias

from headrace_client.cli.clean import clean_json, one_line

Form: TypeAlias = Literal["auto", "console", "json"]
"""auto: console on a terminal, else json."""
Level: TypeAlias = Literal["debug", "info", "warning", "error"]

Waiting: TypeAlias = "queue.SimpleQueue[logging.LogRecord]"
"""Unlike queue.Queue it may be entered again by a finaliser that logs while a line is put there."""

MAX_WAITING = 10_000
"""Lines that may wait to be written; more are dropped and counted."""


def is_json(form: Form) -> bool:
    """Lines of this form are JSON where standard error leads now."""
    return form == "json" or (form == "auto" and not sys.stderr.isatty())


def start_logging(
    form: Form,
    level: Level,
    contents: Contents | None = None,
    *,
    about: Callable[[], Mapping[str, str] | None] = dict,
) -> Callable[[], None]:
    """Sets the process's logging up; gives the function that writes what is left and stops the thread.

    `about` gives the context that a line is logged in. `level` is for loggers of headrace; of all others
    warnings are shown.
    """
    output = _Output(sys.stderr)
    output.setFormatter((JsonForm if is_json(form) else ConsoleForm)(contents or Contents()))
    waiting: Waiting = queue.SimpleQueue()
    writer = logging.handlers.QueueListener(waiting, output)
    root = logging.getLogger()
    root.handlers[:] = [ContextQueueHandler(waiting, output, about)]
    root.setLevel(logging.WARNING)
    logging.getLogger("headrace").setLevel(level.upper())
    writer.start()

    def stop() -> None:
        root.handlers[:] = [output]  # what still comes is written at once
        writer.stop()

    return stop


class Contents:
    """Shows messages and facts; of an exception its type and the places it came through, not its text."""

    titles: Mapping[str, str] = {}
    """Of the texts that `words` gives, for people."""

    def one_line(self, text: str) -> str:
        """The text on one line, harmless for terminals."""
        return one_line(text)

    def message(self, record: logging.LogRecord) -> str:
        """The message, on one line."""
        return self.one_line(record.getMessage())

    def facts(self, record: logging.LogRecord) -> dict[str, object]:
        """Facts of the line by name, as far as they are known."""
        known = {**getattr(record, "about", {}), **getattr(record, "facts", {})}

        return {name: value for name, value in known.items() if value not in ("", None)}

    def words(self, record: logging.LogRecord) -> Mapping[str, str]:
        """Texts of several lines that belong to it, by name."""
        return {}

    def trace(self, record: logging.LogRecord) -> str:
        """The exception, in lines; empty where there is none."""
        error = record.exc_info[1] if record.exc_info else None

        if error is None:
            return ""

        places = "".join(traceback.format_tb(error.__traceback__)).rstrip()

        return f"{self.one_line(type(error).__qualname__)}\n{places}"


class _Form(logging.Formatter):
    def __init__(self, contents: Contents) -> None:
        super().__init__()
        self._contents = contents


class JsonForm(_Form):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        contents = self._contents
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": contents.message(record),
            **contents.facts(record),
            **contents.words(record),
        }

        if trace := contents.trace(record):
            line["exception"] = trace

        return clean_json(json.dumps(line, ensure_ascii=False, default=str))


class ConsoleForm(_Form):
    """For people: the facts at the end; what was said, and an exception, indented below."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        contents = self._contents
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        known = contents.facts(record).items()
        facts = "".join(f" {name}={self._quoted(value)}" for name, value in known)
        words = [
            f"{contents.titles[name]}:\n{_indented(text)}"
            for name, text in contents.words(record).items()
        ]
        below = map(_indented, filter(None, [*words, contents.trace(record)]))

        return "\n".join(
            [f"{moment} {record.levelname:<7} {contents.message(record)}{facts}", *below]
        )

    def _quoted(self, value: object) -> str:
        """A value behind `name=`: in quotes where it could be taken for more than one."""
        text = self._contents.one_line(str(value))

        return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' ="') else text


def _indented(text: str) -> str:
    """The text as no line of the log begins, whatever is in it."""
    return textwrap.indent(text, "    ", lambda line: True)


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

    def __init__(
        self,
        waiting: Waiting,
        output: logging.Handler,
        about: Callable[[], Mapping[str, str] | None],
    ) -> None:
        super().__init__(waiting)
        self._waiting = waiting
        self._output = output
        self._about = about
        self._process = os.getpid()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Keeps the record as it is: no other process reads the queue."""
        record.about = dict(self._about() or {})

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
