"""Refusals as lines of the log: who was refused what, and why. At most so many a second are written."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import unquote

from grpc.aio import ServicerContext

from headrace.errors import InputInvalid, RequestRefused
from headrace.server.v1.text import status_message

logger = logging.getLogger("headrace.refusals")


def report_refusal(error: RequestRefused, method: str, peer: str, program: str = "") -> None:
    """Logs a call that started nothing. What is wrong with inputs is content, and stays out."""
    unfit = isinstance(error, InputInvalid)
    words = "the inputs do not fit the program" if unfit else status_message(error.message)
    facts = {"reason": error.reason, "method": method, "peer": peer, "program": program}
    logger.info("refused: %s", words, extra={"facts": facts})


def peer_of(context: ServicerContext[Any, Any]) -> str:
    """Where a caller is, as host:port."""
    _, _, address = unquote(context.peer()).partition(":")

    return address
