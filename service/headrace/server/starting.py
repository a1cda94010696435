"""What a server does before it serves, said while it does it: a slow start is not a silent one."""

from __future__ import annotations

import logging
import sys
import time

import click

logger = logging.getLogger("headrace.server")

DEV = (
    "DEVELOPMENT MODE (dev): whoever calls from this machine sees prompts, completions and exceptions, "
    "and so does this log. Not for production."
)


class Steps:
    """Tells of the steps of a start: to people in lines at once, else to the log, at level debug.

    Where no person looks on, the line that says where the server listens is the first one.
    """

    def __init__(self, *, dev: bool) -> None:
        self._aloud = dev or sys.stderr.isatty()
        self._began = time.monotonic()

        if dev:
            click.secho(DEV, fg="red", bold=True, err=True)

    def __call__(self, text: str) -> None:
        """A step begins."""
        if self._aloud:
            click.echo(text, err=True)
        else:
            logger.debug("%s", text)

    def done(self, serving: str) -> None:
        """All is done, and the server serves."""
        click.echo(serving, err=True)
        facts = {"duration": round(time.monotonic() - self._began, 3)}
        logger.info("started", extra={"facts": facts})
