"""`headrace programs`, `describe` and `runs`: what there is on a server."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import click
from google.protobuf import json_format

from headrace_client import Field, HeadraceError, Program, Run, SyncClient
from headrace_client._requests import RunState
from headrace_client.cli.clean import clean, one_line
from headrace_client.cli.exits import reporting
from headrace_client.cli.inputs import labels_of
from headrace_client.cli.target import ADDRESS, DEFAULT_ADDRESS, Target, with_target
from headrace_client.cli.wording import message_json, seconds

COMPLETION_SECONDS = 1.0

STATES: tuple[RunState, ...] = get_args(RunState)


def complete_program(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """The names of programs that begin like this, asked of the server; none if it is silent."""
    address = context.params.get("address") or os.environ.get(ADDRESS, DEFAULT_ADDRESS)

    try:
        with SyncClient(address, call_timeout=COMPLETION_SECONDS) as client:
            names = [program.name for program in client.programs()]
    except HeadraceError:
        return []

    return [name for name in names if name.startswith(incomplete)]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per program.")
@with_target
@reporting
def programs(target: Target, as_json: bool) -> None:
    """List the programs that a server hosts."""
    with target.sync_client() as client:
        hosted = client.programs()

    if as_json:
        for program in hosted:
            click.echo(message_json(program))
    else:
        rows = [(program.name, shape(program), program.description) for program in hosted]
        click.echo("\n".join(columns(rows)))


@click.command()
@click.argument("program", shell_complete=complete_program)
@click.option("--json", "as_json", is_flag=True, help="All of it, as a JSON object.")
@with_target
@reporting
def describe(target: Target, program: str, as_json: bool) -> None:
    """Show what PROGRAM takes, gives and streams, and a call to try."""
    with target.sync_client() as client:
        described = client.describe(program)

    click.echo(message_json(described, indent=2) if as_json else "\n".join(description(described)))


@click.command()
@click.option("--program", default="", shell_complete=complete_program, help="Only its runs.")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Repeatable.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="All must be there.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per run.")
@with_target
@reporting
def runs(
    target: Target,
    program: str,
    states: Sequence[RunState],
    labels: Sequence[str],
    limit: int,
    as_json: bool,
) -> None:
    """List your runs that can still be attached to, newest first."""
    wanted = labels_of(labels)

    with target.sync_client() as client:
        found = client.runs(program=program, states=states, labels=wanted, limit=limit)

    if as_json:
        for run in found:
            click.echo(message_json(run))
    elif found:
        click.echo("\n".join(run_rows(found, time.time())))


def description(program: Program) -> list[str]:
    """A program in lines."""
    streams = [
        (predictor.name, ", ".join(field.name for field in predictor.outputs if field.streamable))
        for predictor in program.predictors
    ]
    sections: dict[str, Iterable[Sequence[str]]] = {
        "Inputs": map(_input, program.inputs),
        "Outputs": ((field.name, field.type, field.description) for field in program.outputs),
        "Streams": (row for row in streams if row[1]),
        "Tools": ((tool.name, tool.description) for tool in program.tools),
    }
    lines = [f"{one_line(program.name)}  (revision {program.revision})"]

    if program.description:
        lines += clean(program.description).splitlines()

    for title, rows in sections.items():
        if lined := columns(rows):
            lines += ["", title, *(f"  {line}" for line in lined)]

    return [*lines, "", "Try", f"  {example(program)}"]


def example(program: Program) -> str:
    """A command line that runs the program."""
    inputs = json_format.MessageToDict(program.example_inputs)
    wanted = [field.name for field in program.inputs if field.required or field.name in inputs]
    pairs = [f"{name}={_typed(inputs.get(name, '...'))}" for name in wanted]

    return shlex.join(["headrace", "run", program.name, *pairs])


def shape(program: Program) -> str:
    """A program's fields as in a signature: question -> answer."""
    sides = [", ".join(field.name for field in side) for side in (program.inputs, program.outputs)]

    return " -> ".join(side or "..." for side in sides)


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines whose cells stand below each other."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _input(field: Field) -> tuple[str, str, str, str]:
    return (field.name, field.type, "" if field.required else "optional", field.description)


def _typed(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def run_rows(found: Iterable[Run], now: float) -> list[str]:
    """Runs in columns: id, program, state, how long ago they began, how long they took."""
    return columns([_run_row(run, now) for run in found])


def _run_row(run: Run, now: float) -> tuple[str, ...]:
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
