"""Questions: those of one run, which are open until they are answered, declined, expired or withdrawn.

Whoever ends a question first, ends it: a caller who answers, its timeout, or the code that asked, when it
goes on without. Each end is recorded once (law 8). They are asked and answered from any thread.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from headrace.errors import (
    FieldViolation,
    InputAlreadyResolved,
    InputDeclined,
    InputExpired,
    InputInvalid,
    InputNotFound,
    RunTooLarge,
)
from headrace.events import Event, InputOutcome, InputRequest, InputResolved
from headrace.questions.answer import Read, Reply, meant, repeats, resolved_by
from headrace.values import utf8_size


@dataclass(frozen=True, slots=True)
class Desk:
    """Where people answer the questions of a run: how much they may be asked, and whom to tell."""

    max_open: int
    """Questions that may be open at once."""
    max_bytes: int
    """Of the texts of one question, and of its answer as JSON."""
    when_changed: Callable[[], object] = lambda: None
    """Called when a question was asked, and when one has ended, from any thread."""


class Question:
    """One question, in the task that waits for its answer.

    what: the thing that is asked for, in the words of errors.
    """

    def __init__(self, request: InputRequest, read: Read, what: str) -> None:
        self.request = request
        self.read = read
        self.what = what
        self.resolved: InputResolved | None = None
        """How it ended."""
        self.value: Any = None
        """The answer, as whoever asked takes it."""
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()

    async def ended(self, timeout: float | None) -> bool:
        """Waits until it has ended; False after `timeout` seconds."""
        await asyncio.wait([self._ended], timeout=timeout)

        return self.resolved is not None

    def end(self, resolved: InputResolved, value: Any) -> None:
        """Ends it, and wakes the task that waits."""
        self.resolved, self.value = resolved, value

        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(_release, self._ended)

    def outcome(self, timeout: float | None) -> Any:
        """The answer. Raises InputDeclined, InputExpired, and CancelledError if it was withdrawn."""
        assert self.resolved is not None

        match self.resolved.outcome:
            case InputOutcome.ANSWERED:
                return self.value
            case InputOutcome.DECLINED:
                raise InputDeclined(self.resolved.reason, self.what)
            case InputOutcome.EXPIRED:
                raise InputExpired(self.what, timeout)
            case InputOutcome.WITHDRAWN:
                raise asyncio.CancelledError("the run is over")


class Questions:
    """The questions of one run.

    emit: records an event, from any thread. desk: None where nobody can answer but a stand-in.
    """

    def __init__(self, emit: Callable[[Event], object], desk: Desk | None = None) -> None:
        self._emit = emit
        self._desk = desk
        self._asked: dict[str, Question] = {}
        self._open: dict[str, Question] = {}
        self._over = False
        self._lock = threading.Lock()

    @property
    def has_desk(self) -> bool:
        """True where people can answer."""
        return self._desk is not None

    @property
    def any_open(self) -> bool:
        """True while some question has not ended."""
        return bool(self._open)

    def ask(self, question: Question) -> None:
        """Opens a question.

        Raises RunTooLarge for one too many or too long, CancelledError once the program has ended.
        """
        request = question.request
        self._check(request)

        with self._lock:
            if self._over:
                raise asyncio.CancelledError("the run is over")

            if self._desk is not None and len(self._open) >= self._desk.max_open:
                raise RunTooLarge(
                    f"at most {self._desk.max_open} questions of a run may be open at once "
                    "(limits.max_open_inputs)"
                )

            self._emit(request)
            self._asked[request.input_id] = self._open[request.input_id] = question

        self._tell()

    def reply(self, input_id: str, reply: Reply) -> tuple[InputResolved, bool]:
        """Ends a question as somebody says; gives its end, and True unless that had been said before.

        Raises InputInvalid for an answer that does not fit, and then the question stays open;
        InputNotFound, InputAlreadyResolved.
        """
        with self._lock:
            question = self._asked.get(input_id)

        if question is None:
            raise not_asked(input_id)

        request = question.request

        if question.resolved is None:
            answer = None if reply.declines else question.read(meant(request, reply.answer))
            resolved = resolved_by(request, reply, answer)
            self._check_answer(resolved)

            if self._end(question, resolved, answer.value if answer else None):
                return resolved, True

        assert question.resolved is not None

        return demand_repeat(request, question.resolved, reply, question.read), False

    def end(self, question: Question, outcome: InputOutcome) -> bool:
        """Ends a question without an answer; False if it had ended."""
        return self._end(question, _unanswered(question, outcome))

    def close(self) -> None:
        """Withdraws what is open, oldest first; nothing can be asked any more."""
        with self._lock:
            self._over = True
            rest = [*self._open.values()]

        for question in rest:
            # Nobody is told: the run does not go on, it ends.
            self._end(question, _unanswered(question, InputOutcome.WITHDRAWN), tell=False)

    def _end(
        self, question: Question, resolved: InputResolved, value: Any = None, *, tell: bool = True
    ) -> bool:
        with self._lock:
            if self._open.pop(resolved.input_id, None) is None:
                return False

            self._emit(resolved)
            question.end(resolved, value)

        if tell:
            self._tell()

        return True

    def _check(self, request: InputRequest) -> None:
        texts = request.message, request.answer_schema_json, request.proposal_json
        size = sum(map(utf8_size, texts))

        if self._desk is not None and size > self._desk.max_bytes:
            raise RunTooLarge(
                f"the question is {size} bytes with its schema and arguments; at most "
                f"{self._desk.max_bytes} are sent (limits.max_input_bytes)"
            )

    def _check_answer(self, resolved: InputResolved) -> None:
        """Readers are sent it with all that its type makes of it, which may be many times what came."""
        size = utf8_size(resolved.answer_json)

        if self._desk is not None and size > self._desk.max_bytes:
            rule = f"becomes {size} bytes of JSON; at most {self._desk.max_bytes} are taken"
            raise InputInvalid([FieldViolation("answer", rule)])

    def _tell(self) -> None:
        if self._desk is not None:
            self._desk.when_changed()


def _unanswered(question: Question, outcome: InputOutcome) -> InputResolved:
    return InputResolved(question.request.input_id, question.request.call_id, outcome)


def new_input_id() -> str:
    """A name for a question, which nobody guesses."""
    return secrets.token_hex(8)


def not_asked(input_id: str) -> InputNotFound:
    """The error for a question that was never asked."""
    return InputNotFound(f"the run has asked no question {input_id[:64]!r}, or not of you")


def demand_repeat(
    request: InputRequest, resolved: InputResolved, reply: Reply, read: Read | None = None
) -> InputResolved:
    """The end of a question, for one who says the same again. Raises InputAlreadyResolved for another."""
    if repeats(request, resolved, reply, read):
        return resolved

    outcome = resolved.outcome.name
    otherwise = " otherwise" if resolved.outcome is InputOutcome.ANSWERED else ""
    raise InputAlreadyResolved(f"the question was {outcome.lower()}{otherwise}", outcome=outcome)


def _release(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
