"""Exceptions and warnings that Python prints by itself, where nobody waits for them, as lines of the log."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable

logger = logging.getLogger("headrace.strays")


def catch_strays() -> Callable[[], None]:
    """Logs what threads and finalisers raise, and warnings; gives the function that puts it back."""
    thread_hook, finaliser_hook = threading.excepthook, sys.unraisablehook
    threading.excepthook = _in_thread
    sys.unraisablehook = _in_finaliser
    logging.captureWarnings(True)

    def put_back() -> None:
        threading.excepthook, sys.unraisablehook = thread_hook, finaliser_hook
        logging.captureWarnings(False)

    return put_back


def _in_thread(caught: threading.ExceptHookArgs) -> None:
    if caught.exc_type is not SystemExit:
        name = caught.thread.name if caught.thread else "?"
        logger.error("thread %s raised", name, exc_info=caught.exc_value)


def _in_finaliser(caught: sys.UnraisableHookArgs) -> None:
    kind = type(caught.object).__qualname__
    name = getattr(caught.object, "__qualname__", kind)
    logger.error("raised where nobody waits: %s", name, exc_info=caught.exc_value)
