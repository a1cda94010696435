"""The command with all that belongs to it: its own commands, and those that other packages register.

Others register in the entry point group `headrace.commands`. They are loaded only when they are
called, so that `headrace --help` is quick and works where what they need is not installed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points, version
from typing import cast

import click

from headrace_client.cli.exits import REFUSED, leave
from headrace_client.cli.listing import describe, programs, runs
from headrace_client.cli.records import answer, cancel, rm
from headrace_client.cli.runs import attach, run

GROUP = "headrace.commands"

SUMMARIES = {
    "config": "Check and show a server's configuration.",
    "gateway": "Serve programs over HTTP and Server-Sent Events.",
    "mock-lm": "Serve canned answers as a model provider, for trying things out.",
    "serve": "Serve programs over gRPC.",
}
"""Of commands known to exist, so that listing them loads none of them."""


class Commands(click.Group):
    """A group that finds further commands among the entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Own commands and registered ones, in order."""
        return sorted({*super().list_commands(ctx), *_registered()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A registered command as a name and a line on what it does; nothing is loaded."""
        own = super().get_command(ctx, cmd_name)

        if own is not None or cmd_name not in _registered():
            return own

        return click.Command(cmd_name, short_help=SUMMARIES.get(cmd_name, ""))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called, loaded."""
        name, command, rest = super().resolve_command(ctx, args)

        if name is not None and name in _registered() and name not in self.commands:
            command = _loaded(_registered()[name])

        return name, command, rest


def _registered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(point: EntryPoint) -> click.Command:
    try:
        return cast("Callable[[], click.Command]", point.load)()
    except ImportError as missing:
        extra = point.extras[0] if point.extras else "service"
        reason = f" ({missing.name} is missing)" if missing.name else ""

        leave(f"{point.name} needs an extra{reason}: pip install 'headrace[{extra}]'", REFUSED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("headrace"), prog_name="headrace")
def headrace() -> None:
    """Run LM programs and watch what happens inside them."""


for command in (answer, attach, cancel, describe, programs, rm, run, runs):
    headrace.add_command(command)
