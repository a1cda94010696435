"""The two forms of a line: JSON for machines, one line for people.

The text of an exception may hold a prompt, a completion or a provider's answer; unless the
configuration asks for content, its type and the places it came through are all that is shown.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterator
from typing import Any, cast

from headrace.server.logs.redaction import Redactor

MAX_CAUSES = 8


class _Form(logging.Formatter):
    def __init__(self, redact: Redactor, *, content: bool) -> None:
        super().__init__()
        self._redact = redact
        self._content = content

    def _text(self, record: logging.LogRecord) -> str:
        return self._redact(" ".join(record.getMessage().splitlines()))

    def _trace(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None

        return self._redact("\n".join(_told(error, content=self._content)))

    def _about(self, record: logging.LogRecord) -> dict[str, str]:
        return {name: str(value) for name, value in getattr(record, "about", {}).items() if value}


class JsonForm(_Form):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line: dict[str, Any] = {
            "time": _time(record, milliseconds=True),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._text(record),
            **self._about(record),
        }

        if trace := self._trace(record):
            line["exception"] = trace

        return json.dumps(line, ensure_ascii=False)


class ConsoleForm(_Form):
    """For people: what it is about at the end, an exception below."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        about = "".join(f" {name}={value}" for name, value in self._about(record).items())
        first = f"{_time(record)} {record.levelname:<7} {self._text(record)}{about}"
        trace = self._trace(record)

        return f"{first}\n{trace}" if trace else first


def _time(record: logging.LogRecord, *, milliseconds: bool = False) -> str:
    if not milliseconds:
        return time.strftime("%H:%M:%S", time.localtime(record.created))

    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))

    return f"{whole}.{int(record.msecs):03d}Z"


def _told(error: BaseException | None, *, content: bool) -> Iterator[str]:
    """An exception and what led to it, each with the places it came through."""
    intro = ""

    for _ in range(MAX_CAUSES):
        if error is None:
            return

        text = f": {error}" if content else ""
        yield f"{intro}{type(error).__qualname__}{text}"
        yield from (line.rstrip() for line in traceback.format_tb(error.__traceback__))
        error, intro = _cause(error), "caused by "


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions[0]

    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)
