"""Exit codes of the command, and the line that says what went wrong and what to do about it.

Below that line, indented, stands what led to it, where the server tells: `serve --dev`.

0    it worked
1    the run failed
2    the request is wrong: usage, inputs, names, credentials
3    no usable answer from the server: unreachable, busy, too late
4    standard output does not take the answer (141: nobody reads that pipe any more)
130  stopped with Ctrl-C (143: with SIGTERM)
"""

from __future__ import annotations

import functools
import sys
import textwrap
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NoReturn, ParamSpec, TypeVar

import click

from headrace_client import (
    HeadraceError,
    RunFailed,
    RunLost,
    RunNotFound,
    RunSuspended,
    ServerBusy,
    ServerFault,
    ServerUnreachable,
    Unauthenticated,
)
from headrace_client.cli import streams
from headrace_client.cli.clean import clean, one_line
from headrace_client.cli.streams import OutputLost
from headrace_client.cli.wording import usage_line

P = ParamSpec("P")
T = TypeVar("T")

FAILED = 1
REFUSED = 2
UNREACHABLE = 3
UNWRITTEN = 4
INTERRUPTED = 130
READER_LEFT = 141
TERMINATED = 143

ADVICE: dict[type[HeadraceError], str] = {
    RunNotFound: "runs are kept for some minutes after their end",
    Unauthenticated: "give a token in HEADRACE_TOKEN or with --token-file",
    RunLost: "run it again",
    RunSuspended: "the run is not over; `headrace attach` reads on later",
    ServerUnreachable: "`headrace serve` starts one; --address names another",
}

ADVICE_BY_REASON = {
    "TLS_WANTED": "add --tls, or --ca FILE for an authority of your own",
    "TLS_UNWANTED": "leave out --tls and --ca",
    "CERTIFICATE_UNTRUSTED": "--ca FILE names the authority that signed it",
    "CERTIFICATE_WANTED": "add --cert FILE and --key FILE",
    "NOT_GRPC": "--address names another",
}
"""Of what the client found instead of a server."""


def leave(message: str, code: int, cause: str = "") -> NoReturn:
    """Ends the command with a line on standard error, and what led to it below."""
    click.echo(f"headrace: {message}", err=True)

    if cause:
        click.echo(textwrap.indent(clean(cause), "  "), err=True)

    raise click.exceptions.Exit(code)


@contextmanager
def writing() -> Generator[None, None, None]:
    """The standard streams for a command, and its end where they do not take its output."""
    streams.set_up()

    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OutputLost as lost:
        streams.discard_output()

        if lost.reader_left:
            sys.exit(READER_LEFT)

        click.echo(
            f"headrace: standard output: {'; '.join(filter(None, (str(lost), lost.then)))}",
            err=True,
        )
        sys.exit(UNWRITTEN)


@contextmanager
def usage_errors() -> Generator[None, None, None]:
    """Turns what a request cannot be made of into wrong usage."""
    try:
        yield
    except UnicodeEncodeError:
        raise  # `reporting` knows it
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def reporting(command: Callable[P, T]) -> Callable[P, T]:
    """Turns what the client raises into a line and an exit code."""

    @functools.wraps(command)
    def reported(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except HeadraceError as error:
            leave(line_of(error), exit_code(error), error.cause)
        except UnicodeEncodeError:
            leave("an argument is no valid text", REFUSED)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None

    return reported


def exit_code(error: HeadraceError) -> int:
    """The exit code of an error."""
    if isinstance(error, RunFailed):
        return FAILED

    if isinstance(error, RunSuspended | ServerUnreachable | ServerBusy | ServerFault):
        return UNREACHABLE

    return REFUSED


def line_of(error: HeadraceError) -> str:
    """An error and its remedy, in one line."""
    reason = f"{error.reason}: " if isinstance(error, RunFailed) and error.reason else ""
    parts = [reason + one_line(error.message)]

    if error.retry_delay is not None:
        parts.append(f"try again in {error.retry_delay:g} s")

    advice = ADVICE_BY_REASON.get(error.reason) or ADVICE.get(type(error))

    if advice is not None:
        parts.append(advice)

    if error.usage is not None:
        parts.append(f"used {usage_line(error.usage)}")

    return "; ".join(parts)
