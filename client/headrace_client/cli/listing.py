"""`headrace runs`."""

from __future__ import annotations

import time
from collections.abc import Iterable

import click

from headrace_client import Run
from headrace_client.cli.exits import reporting
from headrace_client.cli.programs import columns, complete_program
from headrace_client.cli.target import Target, with_target
from headrace_client.cli.wording import message_json, seconds


@click.command()
@click.option("--program", default="", shell_complete=complete_program, help="Only its runs.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per run.")
@with_target
@reporting
def runs(target: Target, program: str, limit: int, as_json: bool) -> None:
    """List your runs that can still be attached to, newest first."""
    with target.sync_client() as client:
        found = client.runs(program=program, limit=limit)

    if as_json:
        for run in found:
            click.echo(message_json(run))
    elif found:
        click.echo("\n".join(lines(found, time.time())))


def lines(found: Iterable[Run], now: float) -> list[str]:
    """Runs in columns: id, program, state, how long ago they began, how long they took."""
    return columns([_row(run, now) for run in found])


def _row(run: Run, now: float) -> tuple[str, ...]:
    began = run.create_time.ToNanoseconds() / 1e9
    ended = run.end_time.ToNanoseconds() / 1e9 if run.HasField("end_time") else now
    state = Run.State.Name(run.state).removeprefix("STATE_").lower()

    return (
        run.run_id,
        run.program,
        state,
        f"{seconds(now - began)} ago",
        f"took {seconds(ended - began)}" if run.HasField("end_time") else "",
    )
