"""`headrace run` and `attach`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import click
from rich.console import Console

from headrace_client import HeadraceError, InputRequest, InputResolved, Run, RunStream
from headrace_client.cli import inputs as written
from headrace_client.cli.desk import ClosedDesk, Desk, OpenDesk, Unanswered
from headrace_client.cli.equivalent import Call, Line, with_lines
from headrace_client.cli.exits import (
    FAILED,
    INTERRUPTED,
    TERMINATED,
    leave,
    reporting,
    usage_errors,
)
from headrace_client.cli.listing import complete_program
from headrace_client.cli.live import LiveView
from headrace_client.cli.streams import OutputLost, check_output
from headrace_client.cli.target import Target, with_target
from headrace_client.cli.views import JsonView, LineView, QuietView, View

STOP_SECONDS = 3.0


def with_view(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options on what is shown."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="One JSON object per event."),
        click.option("--quiet", "-q", is_flag=True, help="The prediction alone."),
        click.option(
            "--field",
            "fields",
            multiple=True,
            metavar="SELECTOR",
            help="Stream this field only, as predictor.field; '*' for all. Repeatable.",
        ),
        click.option(
            "--data",
            "include_data",
            is_flag=True,
            help="Prompts, completions, arguments and results too, where the server shows them.",
        ),
    )

    for option in options:
        command = option(command)

    return command


@click.command()
@click.argument("program", shell_complete=complete_program)
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--inputs-json", metavar="JSON", help="Inputs as a JSON object; @file, - for stdin.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Longest time for the run.")
@click.option("--revision", help="Refuse to run any other revision of the program.")
@click.option("--interface-revision", help="Refuse to run any other interface of the program.")
@click.option("--run-id", help="A name of your own; a run that has it already is joined.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Kept on the record.")
@click.option("--no-input", is_flag=True, help="Fail where the run asks something.")
@with_lines
@with_view
@with_target
@reporting
def run(
    target: Target,
    program: str,
    pairs: Sequence[str],
    inputs_json: str | None,
    labels: Sequence[str],
    no_input: bool,
    line: Line | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Run PROGRAM and watch it.

    Inputs are KEY=VALUE, KEY=@FILE, or KEY=- for standard input. Where the run asks something, so does
    this command. Ctrl-C stops the run.
    """
    check_output()
    view = view_of(as_json, quiet, options["include_data"])
    written.check_standard_input([inputs_json, *(pair.partition("=")[2] for pair in pairs)])
    from_json = written.from_json(inputs_json) if inputs_json is not None else {}
    texts = written.texts_of(pairs)
    options["labels"] = written.labels_of(labels)

    async def go() -> None:
        async with target.client() as client:
            typed = written.typed(texts, await client.describe(program)) if texts else {}
            inputs = {**from_json, **typed}

            with usage_errors():
                stream = client.run(program, inputs=inputs, **options)

            if line is not None:
                click.echo(line(Call(program, inputs, **options), target))
                return

            if no_input:
                desk: Desk | None = ClosedDesk(client, stream)
            else:
                desk = None if as_json else OpenDesk(client, stream, view.paused)

            await watch(stream, view, desk, stops=True)

    drive(go)


@click.command()
@click.argument("run_id")
@click.option("--after", default=0, metavar="SEQUENCE", help="Only events after this one.")
@with_view
@with_target
@reporting
def attach(
    target: Target,
    run_id: str,
    after: int,
    as_json: bool,
    quiet: bool,
    include_data: bool,
    fields: Sequence[str],
) -> None:
    """Watch a run that exists, live or ended, from its start. Ctrl-C lets it go on."""
    view = view_of(as_json, quiet, include_data)

    async def go() -> None:
        async with target.client() as client:
            with usage_errors():
                stream = client.attach(
                    run_id, after_sequence=after, fields=fields, include_data=include_data
                )

            await watch(stream, view, None, stops=False)

    drive(go)


def view_of(as_json: bool, quiet: bool, data: bool) -> View:
    """The view that the options and the terminal ask for. Data has no room on a board."""
    if as_json and quiet:
        raise click.UsageError("--json and --quiet exclude each other")

    if quiet and data:
        raise click.UsageError("--data and --quiet exclude each other")

    if as_json:
        return JsonView()

    if quiet:
        return QuietView(exact=not sys.stdout.isatty())

    console = Console(highlight=False)
    has_board = console.is_terminal and not console.is_dumb_terminal and not data

    return LiveView(console) if has_board else LineView()


async def watch(stream: RunStream, view: View, desk: Desk | None, *, stops: bool) -> None:
    """Shows a run to its end. Interrupted, it stops the run or leaves it to go on, and says so.

    Output that cannot be written interrupts it likewise, and a question that nobody answers. Without
    a desk questions are shown, and left to others.
    """
    said = f"did not wait for run {stream.run_id} to begin"

    try:
        async with stream as run:
            try:
                with view:
                    await _attended(run, view, desk)
            except (asyncio.CancelledError, OutputLost, Unanswered):
                said = f"did not wait for run {run.run_id} to be cancelled"
                said = await _stop(run) if stops else f"run {run.run_id} goes on"
                run.detach()
                raise
    except asyncio.CancelledError:
        click.echo(f"headrace: {said}", err=True)
        raise
    except OutputLost as lost:
        lost.then = said if stops else ""
        raise


def drive(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs to the end. Ctrl-C and SIGTERM cancel the work, and are its exit code."""

    async def work_until_told() -> None:
        task = asyncio.current_task()
        assert task is not None

        with contextlib.suppress(NotImplementedError):  # on Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

        await work()

    try:
        asyncio.run(work_until_told())
    except Unanswered as unanswered:
        leave(str(unanswered), FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except asyncio.CancelledError:
        sys.exit(TERMINATED)


async def _attended(run: RunStream, view: View, desk: Desk | None) -> None:
    if desk is None:
        return await _show(run, view, None)

    try:
        async with asyncio.TaskGroup() as group:
            attending = group.create_task(desk.attend())
            await _show(run, view, desk)
            attending.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _show(run: RunStream, view: View, desk: Desk | None) -> None:
    async for event in run:
        assert run.last_event is not None
        view.show(run.last_event)

        if desk is not None and isinstance(event, InputRequest):
            desk.asked(event)
        elif desk is not None and isinstance(event, InputResolved):
            desk.resolved(event)


async def _stop(run: RunStream) -> str:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            record = (await run.cancel("interrupted")).run
    except (HeadraceError, TimeoutError):
        return f"run {run.run_id} could not be cancelled; without a reader it soon ends by itself"

    if record.state in (Run.STATE_SUCCEEDED, Run.STATE_FAILED):
        return f"run {run.run_id} has ended: `headrace attach {run.run_id}` shows it"

    return f"cancelled run {run.run_id}"
