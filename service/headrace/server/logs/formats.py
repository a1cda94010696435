"""The two forms of a line: JSON for machines, one line for people.

What a line is about stands in `about` (the run or call it was logged in), in `facts` (of its own) and in
`failure` (an error, whose names and place anyone may read). The text of an exception may hold a prompt, a
completion or a provider's answer, as may what the model or the provider wrote; unless the configuration
asks for content, the types of exceptions and the places they came through are all that is shown.
"""

from __future__ import annotations

import logging
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from typing import Any

from headrace.runs.causes import chain, names_of, text_of, trace_of, words_of
from headrace.server.config import Logs
from headrace.server.logs import safe_text
from headrace.server.logs.safe_text import Redactor

LOOSE = frozenset({"asyncio", "py.warnings"})
"""Loggers whose lines, from the second on, show values and exceptions, texts and all."""

TITLES = {"lm_response": "the model wrote", "provider_said": "the provider said"}


def is_json(logs: Logs) -> bool:
    """True where the lines of the log are JSON."""
    return logs.format == "json" or (logs.format == "auto" and not sys.stderr.isatty())


class _Form(logging.Formatter):
    def __init__(self, redact: Redactor, *, content: bool) -> None:
        super().__init__()
        self._redact = redact
        self._content = content

    def _text(self, record: logging.LogRecord) -> str:
        message = record.getMessage()

        if record.name in LOOSE and not self._content:
            message = message.partition("\n")[0]

        return self._redact(safe_text.one_line(message))

    def _trace(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None

        return self._redact(safe_text.lines("\n".join(_told(error, content=self._content))))

    def _about(self, record: logging.LogRecord) -> dict[str, object]:
        failure = getattr(record, "failure", None)
        known: dict[str, object] = {
            **getattr(record, "about", {}),
            **getattr(record, "facts", {}),
            **(names_of(failure) if failure is not None else {}),
        }

        return {
            name: self._shown(value) for name, value in known.items() if value not in ("", None)
        }

    def _words(self, record: logging.LogRecord) -> Mapping[str, str]:
        failure = getattr(record, "failure", None)

        if failure is None or not self._content:
            return {}

        words = words_of(failure).items()

        return {name: self._redact(safe_text.lines(text)) for name, text in words}

    def _shown(self, value: object) -> object:
        return self._redact(value) if isinstance(value, str) else value


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
            **self._words(record),
        }

        if trace := self._trace(record):
            line["exception"] = trace

        return safe_text.json_line(line)


class ConsoleForm(_Form):
    """For people: what it is about at the end; what was said, and an exception, indented below."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        about = self._about(record).items()
        facts = "".join(f" {name}={safe_text.quoted(value)}" for name, value in about)
        first = f"{_time(record)} {record.levelname:<7} {self._text(record)}{facts}"
        words = (
            f"{TITLES[name]}:\n{_indented(text)}" for name, text in self._words(record).items()
        )

        return "\n".join([first, *map(_indented, filter(None, [*words, self._trace(record)]))])


def _indented(text: str) -> str:
    """The text as no line of the log begins, whatever is in it."""
    return textwrap.indent(text, "    ", lambda line: True)


def _time(record: logging.LogRecord, *, milliseconds: bool = False) -> str:
    if not milliseconds:
        return time.strftime("%H:%M:%S", time.localtime(record.created))

    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))

    return f"{whole}.{int(record.msecs):03d}Z"


def _told(error: BaseException | None, *, content: bool) -> Iterator[str]:
    """An exception and what led to it, each with the places it came through."""
    intro = ""

    for one in chain(error):
        text = f": {text_of(one)}" if content else ""
        yield f"{intro}{type(one).__qualname__}{text}"
        yield from trace_of(one)
        intro = "caused by "
