"""`headrace serve`: the server as a process, with its signals and exit codes.

Whatever would keep it from serving is said in one line before it serves: exit code 2 for what was
written wrongly, 1 for the rest. After SERVING: 0 once drained, 128 + signal when told twice.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Sequence

import click

from headrace import lm as lms
from headrace.context import configure
from headrace.errors import HeadraceError
from headrace.program import Program
from headrace.server.app import Server, Setup
from headrace.server.loading import load_programs

LISTEN = "127.0.0.1:50051"
DRAIN_TIMEOUT = 30.0


@click.command()
@click.argument("programs", metavar="PROGRAM...", nargs=-1, required=True)
@click.option("--listen", default=LISTEN, show_default=True, help="host:port; port 0: a free one.")
@click.option(
    "--lm", metavar="MODEL", help="Model of predictors that name none: openai/gpt-4o-mini."
)
@click.option(
    "--drain-timeout",
    default=DRAIN_TIMEOUT,
    show_default=True,
    help="Seconds that runs get to end after SIGTERM or SIGINT.",
)
def serve(programs: Sequence[str], listen: str, lm: str | None, drain_timeout: float) -> None:
    """Serves programs over gRPC. PROGRAM is module:attribute, or name=module:attribute."""
    try:
        if lm:
            configure(lm=lms.LM(lm))

        hosted = load_programs(programs)
        asyncio.run(_serve(hosted, Setup(listen=listen), drain_timeout))
    except HeadraceError as error:
        raise click.ClickException(error.message) from error


async def _serve(programs: Sequence[Program], setup: Setup, drain_timeout: float) -> None:
    told = asyncio.Event()
    _listen_to_signals(told)
    await asyncio.to_thread(lms.preload().join)
    _settle_garbage_collector()
    server = Server(programs, setup)
    address = await server.start()
    names = ", ".join(program.name for program in programs)
    click.echo(f"serving {names} on {address}", err=True)
    await told.wait()
    click.echo("draining; once more ends at once", err=True)
    await server.drain(drain_timeout)


def _listen_to_signals(told: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def hear(number: signal.Signals) -> None:
        if told.is_set():
            os._exit(128 + number)  # nothing may hold us up: no cleanup

        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, hear, number)


def _settle_garbage_collector() -> None:
    """What was imported stays: full collections over it would halt every stream for 100 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
