"""`headrace serve`: the server as a process, with its signals and exit codes.

Whatever would keep it from serving is said in one line before it serves, and the exit code is 2.
After SERVING it is 0 once drained, and 128 + signal when told twice.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import logging
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

import click
from headrace_client.cli.signals import ending, listening, on_loop

from headrace import lm as lms
from headrace.errors import HeadraceError, UsageError
from headrace.hosting import Program
from headrace.server.app import Server
from headrace.server.config import Config
from headrace.server.config.cli import config_options
from headrace.server.config.sources import Loaded
from headrace.server.loading import check_lms, load_programs, say_undeclared
from headrace.server.logs import own_redactor, prints_logged, start_logging
from headrace.settings import configure

logger = logging.getLogger("headrace.server")

DEV = (
    "DEVELOPMENT MODE (dev): whoever calls from this machine sees prompts, completions and exceptions, "
    "and so does this log. Not for production."
)


@click.command()
@config_options
def serve(loaded: Loaded) -> None:
    """Serves programs over gRPC. PROGRAM is module:attribute, or name=module:attribute."""
    config = loaded.config
    redact = own_redactor(config.tokens.get_secret_value())
    stop_logging = start_logging(config.logs, redact)
    steps = Steps(dev=config.dev)

    try:
        lms.configure_history(0)
        lms.configure_cache(**dict(config.cache))

        if config.lm:
            configure(lm=lms.LM(config.lm))

        if not config.programs:
            raise UsageError("no programs to serve; name one as module:attribute")

        with asyncio.Runner(loop_factory=_loop_factory(config.event_loop)) as runner:
            runner.run(_serve(load_programs(config.programs, steps), config, steps))
    except HeadraceError as error:
        raise click.UsageError(redact(error.message)) from error
    except Exception:
        logger.exception("the server failed")
        raise click.exceptions.Exit(1) from None
    finally:
        stop_logging()


async def _serve(programs: Sequence[Program], config: Config, steps: Steps) -> None:
    server = Server(programs, config)
    told = asyncio.Event()

    with listening({**ending(told.set), "SIGHUP": on_loop(partial(_reload, server))}):
        address = server.bind()

        if any(program.lms for program in programs):
            steps("loading the LM library, which takes a few seconds")
            await asyncio.to_thread(lms.preload().join)

        await check_lms(programs, steps)
        _settle_garbage_collector()
        await server.start()
        names = ", ".join(program.name for program in programs)
        steps.done(f"serving {names} on {address}")
        say_undeclared(programs)

        with prints_logged(config.logs):
            await told.wait()
            logger.info("draining; a second signal ends at once")
            await server.drain(config.drain_timeout)


def _reload(server: Server) -> None:
    try:
        server.directory.reload()
        logger.info("principals reloaded")
    except UsageError as error:
        logger.error("principals not reloaded: %s", error.message)


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes the event loop that was asked for. Raises UsageError where it is not installed."""
    installed = importlib.util.find_spec("uvloop") is not None

    if name == "uvloop" and not installed:
        raise UsageError(
            "event_loop: uvloop is not installed (Windows has none): pip install 'headrace[uvloop]'"
        )

    if name == "asyncio" or not installed:
        return asyncio.new_event_loop

    import uvloop

    return uvloop.new_event_loop


def _settle_garbage_collector() -> None:
    """Exempts all that was imported: full collections over it would halt every stream for 100 ms.

    Young objects are looked through 2,000 at a time, which takes 1 ms; 20,000 take 10.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 20, 500)


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
