"""The gateway's log: a line per request and per trouble, in the two forms that the server's log has.

Lines hold no query, no body and no text of an exception: any of them may be a secret or content.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from headrace_client.cli.clean import clean_json, one_line
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Form = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]

logger = logging.getLogger("headrace.gateway")

LONGEST_PATH = 500
MAX_WAITING = 10_000
"""Lines that may wait to be written."""


def start_logging(form: Form, level: Level) -> Callable[[], None]:
    """Sets the process's logging up; gives the function that writes what is left and puts it back.

    Lines are written from a thread of its own, so that a full pipe stops no stream.
    """
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(JsonForm() if as_json else ConsoleForm())
    waiting: queue.Queue[logging.LogRecord] = queue.Queue(MAX_WAITING)
    writer = logging.handlers.QueueListener(waiting, output)
    root, ours = logging.getLogger(), logging.getLogger("headrace")
    before = root.handlers[:], root.level, ours.level
    root.handlers[:] = [QueueEntrance(waiting)]
    root.setLevel(logging.WARNING)
    ours.setLevel(level.upper())
    writer.start()

    def stop() -> None:
        root.handlers[:], root_level, our_level = before
        root.setLevel(root_level)
        ours.setLevel(our_level)
        writer.stop()

    return stop


class QueueEntrance(logging.handlers.QueueHandler):
    """Takes records as they are, and drops them where too many wait already."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Nothing to do: no other process reads the queue."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """See QueueHandler."""
        with suppress(queue.Full):
            self.queue.put_nowait(record)


class JsonForm(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **_facts(record),
        }

        if trace := _trace(record):
            line["exception"] = "\n".join(trace)

        return clean_json(json.dumps(line, ensure_ascii=False))


class ConsoleForm(logging.Formatter):
    """For people: the facts at the end, an exception indented below."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        facts = "".join(f" {name}={_quoted(value)}" for name, value in _facts(record).items())
        first = f"{moment} {record.levelname:<7} {_message(record)}{facts}"

        return "\n    ".join([first, *_trace(record)])


class RequestLog:
    """Logs each request when its response has ended, or its caller has left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        began = time.monotonic()
        facts: dict[str, object] = {"method": scope["method"], "path": scope["path"][:LONGEST_PATH]}

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                facts["run_id"] = Headers(raw=message.get("headers", [])).get("headrace-run-id")

            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception:
            facts.setdefault("status", 500)  # which is answered further out
            raise
        finally:
            facts["duration"] = round(time.monotonic() - began, 3)
            facts["peer"] = _peer(scope)
            logger.info("request", extra={"facts": facts})


def _peer(scope: Scope) -> str:
    host, port = scope.get("client") or ("", 0)

    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _message(record: logging.LogRecord) -> str:
    return one_line(record.getMessage())


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts: dict[str, Any] = getattr(record, "facts", {})

    return {name: value for name, value in facts.items() if value not in (None, "")}


def _quoted(value: object) -> str:
    text = one_line(str(value))

    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' ="') else text


def _trace(record: logging.LogRecord) -> list[str]:
    """The type of an exception and the places it came through."""
    error = record.exc_info[1] if record.exc_info else None

    if error is None:
        return []

    frames = "".join(traceback.format_tb(error.__traceback__)).splitlines()

    return [one_line(type(error).__qualname__), *(line.rstrip() for line in frames)]
