"""`headrace` as Windows has it: an event loop that handles no signals, and fewer signals.

It stands in for a machine that the tests do not have: the loop's own limits and the names that are
missing from `signal`, not its sockets and processes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any, NoReturn

BREAK = signal.SIGUSR2
"""Sent for SIGBREAK, which is there only."""

LACKING = {
    signal: ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGCHLD", "SIGALRM", "pthread_sigmask", "pause"),
    os: ("fork", "register_at_fork", "getuid", "killpg", "setsid"),
}


def refuse(*args: object) -> NoReturn:
    raise NotImplementedError


def change() -> None:
    """Makes this process one as there."""
    loop: Any = asyncio.SelectorEventLoop
    loop.add_signal_handler = loop.remove_signal_handler = refuse

    for module, names in LACKING.items():
        for name in names:
            delattr(module, name)

    signals: Any = signal
    signals.SIGBREAK = BREAK
    modules: dict[str, Any] = sys.modules
    modules["uvloop"] = None  # as where it is not installed


if __name__ == "__main__":
    change()

    from headrace_client.cli import main

    main()
