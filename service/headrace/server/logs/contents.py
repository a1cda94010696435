"""The content of a line of the server's log.

Beside its context and its facts a line may have a `failure`: an error, whose names and place anyone may
read. The text of an exception may hold a prompt, a completion or a provider's answer, as may what the
model or the provider wrote; unless the configuration asks for content, the types of exceptions and the
places they came through are all that is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

from headrace_client.cli.clean import spelled_line, spelled_lines
from headrace_client.cli.logs import Contents

from headrace.runs.causes import chain, names_of, text_of, trace_of, words_of
from headrace.server.logs.redaction import Redactor

LOOSE = frozenset({"asyncio", "py.warnings"})
"""Loggers whose lines, from the second on, show values and exceptions, texts and all."""


class RunContents(Contents):
    """Shows no secrets, and texts only where content is wanted."""

    titles: Mapping[str, str] = {
        "lm_response": "the model wrote",
        "provider_said": "the provider said",
    }

    def __init__(self, redact: Redactor, *, content: bool) -> None:
        self._redact = redact
        self._content = content

    def one_line(self, text: str) -> str:
        """See Contents."""
        return spelled_line(text)

    def message(self, record: logging.LogRecord) -> str:
        """See Contents."""
        message = record.getMessage()

        if record.name in LOOSE and not self._content:
            message = message.partition("\n")[0]

        return self._redact(self.one_line(message))

    def facts(self, record: logging.LogRecord) -> dict[str, object]:
        """The facts, and the names of the failure."""
        failure = getattr(record, "failure", None)
        names: Mapping[str, object] = names_of(failure) if failure is not None else {}

        return {
            name: self._redact(value) if isinstance(value, str) else value
            for name, value in {**super().facts(record), **names}.items()
        }

    def words(self, record: logging.LogRecord) -> Mapping[str, str]:
        """Texts of the model and the provider that led to the failure."""
        failure = getattr(record, "failure", None)

        if failure is None or not self._content:
            return {}

        words = words_of(failure).items()

        return {name: self._redact(spelled_lines(text)) for name, text in words}

    def trace(self, record: logging.LogRecord) -> str:
        """See Contents."""
        error = record.exc_info[1] if record.exc_info else None

        return self._redact(spelled_lines("\n".join(_told(error, content=self._content))))


def _told(error: BaseException | None, *, content: bool) -> Iterator[str]:
    """An exception and what led to it, each with the places it came through."""
    intro = ""

    for one in chain(error):
        text = f": {text_of(one)}" if content else ""
        yield f"{intro}{type(one).__qualname__}{text}"
        yield from trace_of(one)
        intro = "caused by "
