"""The server's log: lines about runs and calls, with nothing secret in them, and none of a flood."""

from __future__ import annotations

import logging
from collections.abc import Callable

from headrace_client.cli import logs as lines

from headrace.log_context import log_context
from headrace.server.config import Logs
from headrace.server.logs.contents import RunContents
from headrace.server.logs.rate_limit import RateLimitFilter
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
