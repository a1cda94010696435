"""The desk: asks the questions of a run in the terminal, one after another, and sends the replies.

Prompts are written to standard error and replies read from standard input. A question that somebody else
answers meanwhile, or that expires, is taken back.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import click

from headrace_client import (
    InputAlreadyResolved,
    InputInvalid,
    InputNotFound,
    InputRequest,
    InputResolved,
    RunStream,
)
from headrace_client.cli.asking import Answer, NoAnswer, Reply, hint, question_lines, reply_of
from headrace_client.cli.clean import one_line

PIECE = 65_536


class Unanswered(Exception):
    """The run asks, and there is nobody to answer here."""

    def __init__(self, run_id: str, request: InputRequest, why: str) -> None:
        super().__init__(
            f"the run asks: {one_line(request.message)}; {why}: answer by "
            f"`headrace answer {run_id} {request.input_id} ...`"
        )


class ClosedDesk:
    """Nobody is asked: the first question ends the command."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id

    def asked(self, request: InputRequest) -> None:
        """Raises Unanswered."""
        raise Unanswered(self._run_id, request, "--no-input says to ask nobody")

    def resolved(self, resolved: InputResolved) -> None:
        """Nothing was asked."""

    async def attend(self) -> None:
        """Nothing to do."""


class Lines:
    """Lines of standard input, read by a thread that may be left behind in its reading.

    It reads the descriptor: a thread inside of Python's own buffer would abort the interpreter at its end.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._started = False

    async def next(self) -> str | None:
        """The next line without its end; None when there are no more."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._read, daemon=True, name="headrace-stdin").start()

        line = await self._lines.get()

        if line is None:
            self._lines.put_nowait(None)  # the end stays the end

        return line

    def _read(self) -> None:
        rest = b""

        while piece := _piece():
            *lines, rest = (rest + piece).split(b"\n")

            for line in lines:
                self._put(_decoded(line.removesuffix(b"\r")))

        if rest:
            self._put(_decoded(rest))

        self._put(None)

    def _put(self, line: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the command has ended
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)


class Desk:
    """Asks while its `attend` runs; told of what is asked and resolved by whoever reads the run."""

    def __init__(self, run: RunStream, pause: Callable[[], AbstractContextManager[object]]) -> None:
        """`pause` keeps the terminal free while somebody is asked."""
        self._run = run
        self._pause = pause
        self._open: dict[str, InputRequest] = {}
        self._something_open = asyncio.Event()
        self._asking: tuple[str, asyncio.Task[Reply]] | None = None
        self._lines = Lines()

    def asked(self, request: InputRequest) -> None:
        """The run asks."""
        self._open[request.input_id] = request
        self._something_open.set()

    def resolved(self, resolved: InputResolved) -> None:
        """A question is over, whoever answered it."""
        self._open.pop(resolved.input_id, None)

        if self._asking is not None and self._asking[0] == resolved.input_id:
            self._asking[1].cancel()

    async def attend(self) -> None:
        """Asks, oldest first, until it is cancelled. Raises Unanswered where standard input ends."""
        while True:
            while self._open:
                request = next(iter(self._open.values()))

                with self._pause():
                    await self._settle(request)

            self._something_open.clear()
            await self._something_open.wait()

    async def _settle(self, request: InputRequest) -> None:
        """Asks until the server takes the reply, or needs none any more."""
        for line in question_lines(request):
            _say(line)

        while request.input_id in self._open:
            reply = await self._reply(request)

            if reply is None:
                _say("(it needs no answer any more)")
                return

            try:
                await self._send(request, reply)
            except InputInvalid as error:
                _say(one_line(error.message))
                continue
            except (InputAlreadyResolved, InputNotFound) as error:
                _say(one_line(error.message))

            self._open.pop(request.input_id, None)

    async def _reply(self, request: InputRequest) -> Reply | None:
        """What was typed; None when the question was resolved before."""
        task = asyncio.ensure_future(self._typed(request))
        self._asking = request.input_id, task

        try:
            return await task
        except asyncio.CancelledError:
            if request.input_id in self._open:
                task.cancel()
                raise  # the command itself is told to end

            return None
        finally:
            self._asking = None

    async def _typed(self, request: InputRequest) -> Reply:
        while True:
            click.echo(f"[{hint(request)}] ", nl=False, err=True)
            line = await self._lines.next()

            if line is None:
                _say("")  # ends the line of the prompt
                raise Unanswered(self._run.run_id, request, "standard input has ended")

            try:
                return reply_of(request, line)
            except NoAnswer as fault:
                _say(str(fault))

    async def _send(self, request: InputRequest, reply: Reply) -> None:
        if isinstance(reply, Answer):
            await self._run.answer(request.input_id, reply.value)
        else:
            await self._run.decline(request.input_id)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _piece() -> bytes:
    try:
        return os.read(sys.stdin.fileno(), PIECE)
    except (AttributeError, OSError, ValueError):  # closed, or no file at all
        return b""


def _decoded(line: bytes) -> str:
    return line.decode(sys.stdin.encoding or "utf-8", "replace")
