"""The desk: puts the questions of a run to somebody, one after another, and sends the replies.

Prompts are written to standard error and replies read from standard input. A question that somebody else
answers meanwhile, or that expires, is taken back.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import click

from headrace_client import (
    Client,
    HeadraceError,
    InputAlreadyResolved,
    InputInvalid,
    InputNotFound,
    InputRequest,
    InputResolved,
    RunStream,
)
from headrace_client.cli.asking import (
    Answer,
    NoAnswer,
    Reply,
    answer_command,
    hint,
    question_lines,
    reply_of,
)
from headrace_client.cli.clean import one_line
from headrace_client.cli.lines import Lines


class Unanswered(Exception):
    """The run asks, and there is nobody to answer here."""

    def __init__(self, run_id: str, request: InputRequest, why: str) -> None:
        super().__init__(
            f"the run asks: {one_line(request.message)}; {why}: answer by "
            f"`{answer_command(run_id, request)}`"
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What the run asks, and whether that is over."""

    request: InputRequest
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Desk(ABC):
    """Asks while its `attend` runs; told of what is asked and resolved by whoever reads the run."""

    def __init__(self, client: Client, run: RunStream) -> None:
        self._client = client
        self._run = run
        self._questions: dict[str, Question] = {}
        self._something_open = asyncio.Event()

    def asked(self, request: InputRequest) -> None:
        """The run asks."""
        self._questions[request.input_id] = Question(request)
        self._something_open.set()

    def resolved(self, resolved: InputResolved) -> None:
        """A question is over, whoever answered it."""
        question = self._questions.pop(resolved.input_id, None)

        if question is not None:
            question.over.set()

    async def attend(self) -> None:
        """Puts the questions, oldest first, until it is cancelled. Raises Unanswered."""
        while True:
            await self._something_open.wait()

            while self._questions:
                question = next(iter(self._questions.values()))

                if await self._is_open(question):
                    await self._put(question)

                self._questions.pop(question.request.input_id, None)

            self._something_open.clear()

    async def _is_open(self, question: Question) -> bool:
        """Whether it waits for an answer: what is read of a run that is joined may be long over."""
        try:
            record = await self._client.get_run(self._run.run_id, output_form="none")
        except HeadraceError:
            return not question.over.is_set()

        still = {request.input_id for request in record.input_requests}

        return question.request.input_id in still and not question.over.is_set()

    @abstractmethod
    async def _put(self, question: Question) -> None:
        """Returns when it needs no answer any more. Raises Unanswered."""


class ClosedDesk(Desk):
    """Nobody is asked: the first question ends the command."""

    async def _put(self, question: Question) -> None:
        raise Unanswered(self._run.run_id, question.request, "--no-input says to ask nobody")


class OpenDesk(Desk):
    """Somebody is asked, at the terminal or by what comes through a pipe."""

    def __init__(
        self, client: Client, run: RunStream, pause: Callable[[], AbstractContextManager[object]]
    ) -> None:
        """`pause` keeps the terminal free while somebody is asked."""
        super().__init__(client, run)
        self._pause = pause
        self._lines = Lines()

    async def _put(self, question: Question) -> None:
        with self._pause():
            self._lines.forget_typed()

            for line in question_lines(question.request):
                _say(line)

            while not await self._settled(question):
                pass

    async def _settled(self, question: Question) -> bool:
        click.echo(f"[{hint(question.request)}] ", nl=False, err=True)
        line = await self._line(question)

        if question.over.is_set():
            _say("\n(it needs no answer any more)")
            return True

        if line is None:
            _say("")  # ends the line of the prompt
            raise Unanswered(self._run.run_id, question.request, "standard input has ended")

        try:
            await self._send(question.request.input_id, reply_of(question.request, line))
        except NoAnswer as fault:
            _say(str(fault))
        except (InputInvalid, ValueError) as error:
            _say(one_line(str(error)))
        except (InputAlreadyResolved, InputNotFound) as error:
            _say(one_line(error.message))
            return True
        else:
            return True

        return False

    async def _line(self, question: Question) -> str | None:
        """What is typed next; None where nothing will be, or where the question is over before."""
        typed = asyncio.ensure_future(self._lines.next())
        over = asyncio.ensure_future(question.over.wait())

        try:
            await asyncio.wait((typed, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            typed.cancel()

        return typed.result() if typed.done() else None

    async def _send(self, input_id: str, reply: Reply) -> None:
        if isinstance(reply, Answer):
            await self._run.answer(input_id, reply.value)
        else:
            await self._run.decline(input_id)


def _say(line: str) -> None:
    click.echo(line, err=True)
