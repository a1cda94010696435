"""Asking people, from inside a run: questions of programs, and leave to call tools.

A question is recorded, and the code that asked waits until it is answered, declined or expired. Who is
cancelled while it waits, withdraws it. On a server callers answer; in tests a stand-in does.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar, cast, overload

from pydantic import ValidationError

from headrace.calls import current_call, current_run
from headrace.errors import (
    CannotAsk,
    FieldViolation,
    InputAlreadyResolved,
    InputDeclined,
    InputExpired,
    InputInvalid,
    OutputUnserialisable,
    UsageError,
)
from headrace.events import InputKind, InputOutcome, InputRequest
from headrace.questions import (
    Answer,
    Question,
    Questions,
    Read,
    Reply,
    StandIn,
    new_input_id,
    same,
    stand_in,
)
from headrace.signatures import Field, InputField
from headrace.signatures.schemas import JsonSchema
from headrace.signatures.violations import violations
from headrace.threads import portal
from headrace.threads.background import running_loop
from headrace.values import JSON, json_text, to_jsonable

T = TypeVar("T")

LONGEST = 1e9
"""Seconds that a question may wait, a generation: its end has to be a moment that can be told."""

NOBODY = (
    "nobody can answer {what} here: serve the program, or in a test answer it inside "
    "`with headrace.testing.answering(...)`"
)


@overload
async def ask(message: str, *, type: type[T], timeout: float | None = None) -> T: ...


@overload
async def ask(message: str, *, timeout: float | None = None) -> str: ...


@overload
async def ask(message: str, *, type: Any, timeout: float | None = None) -> Any: ...


async def ask(message: str, *, type: Any = str, timeout: float | None = None) -> Any:
    """Asks people, and waits for the answer; gives it as `type`, any type that a signature takes.

    timeout: seconds to wait; None = until the run's own timeout is spent. Several questions may be open
    at once. Raises InputExpired, InputDeclined, CannotAsk where nobody can answer, RunTooLarge for more
    than the server's limits of questions, SignatureError for what is no type, and UsageError for a
    message that is no text and a timeout that is none.
    """
    _check_message(message)
    field: Field = InputField().named("answer", type)
    question = _question(
        _reader(field),
        "the question",
        timeout,
        kind=InputKind.QUESTION,
        message=message,
        answer_schema_json=json_text(field.json_schema()),
    )

    return await _answered(question, timeout)


@overload
def ask_sync(message: str, *, type: type[T], timeout: float | None = None) -> T: ...


@overload
def ask_sync(message: str, *, timeout: float | None = None) -> str: ...


@overload
def ask_sync(message: str, *, type: Any, timeout: float | None = None) -> Any: ...


def ask_sync(message: str, *, type: Any = str, timeout: float | None = None) -> Any:
    """`ask` for sync code, which waits in its worker thread.

    Raises what `ask` raises, and CannotAsk on an event loop's thread, which would be blocked.
    """
    refuse_on_loop("ask_sync", "await headrace.ask(...)")

    return portal.run(ask, message, type=type, timeout=timeout)


async def ask_for_leave(
    tool: str,
    arguments: Mapping[str, Any],
    schema: JsonSchema,
    check: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    timeout: float | None = None,
) -> Mapping[str, Any]:
    """Asks whether a tool may be called; gives the arguments to call it with.

    `check` makes of arguments what the tool takes, or raises InputInvalid. Raises what `ask` raises.
    """
    plain = to_jsonable(arguments, "arguments")

    def read(answer: Any) -> Answer:
        if not isinstance(answer, dict):
            rule = "is the arguments, as an object, or true for those that were proposed"
            raise InputInvalid([FieldViolation("answer", rule)])

        # What was proposed is taken from the code that calls the tool, which may have passed objects.
        edited = cast("dict[str, Any]", answer)
        values = check(arguments if same(edited, plain) else edited)

        return Answer(values, _plain(values, edited))

    question = _question(
        read,
        f"the call of {tool}",
        timeout,
        kind=InputKind.APPROVAL,
        message=f"Call {tool}?",
        answer_schema_json=json_text(schema),
        proposal_json=json_text(plain),
        tool=tool,
    )

    allowed: Mapping[str, Any] = await _answered(question, timeout)

    return allowed


def check_timeout(timeout: float | None, name: str = "timeout") -> None:
    """Raises UsageError for what is no time to wait for people."""
    if timeout is not None and not (0 < timeout < LONGEST):
        raise UsageError(
            f"{name} is in seconds, above 0 and below {LONGEST:g}, or None; not {timeout!r}"
        )


def refuse_on_loop(what: str, instead: str) -> None:
    """Raises CannotAsk on an event loop's thread, where waiting for people would block all others."""
    if running_loop() is not None:
        raise CannotAsk(f"{what} would block the event loop until somebody answers: {instead}")


async def _answered(question: Question, timeout: float | None) -> Any:
    substitute = stand_in.get()
    questions = _questions_here(question.what, substitute)
    questions.ask(question)

    try:
        if substitute is not None:
            await _let_answer(substitute, question, questions)

        if not await question.ended(timeout):
            questions.end(question, InputOutcome.EXPIRED)
    finally:
        questions.end(question, InputOutcome.WITHDRAWN)  # unless it has ended otherwise

    return question.outcome(timeout)


def _questions_here(what: str, substitute: StandIn | None) -> Questions:
    run = current_run()

    if run is None and substitute is not None:
        return Questions(lambda event: None)

    if run is None or not (run.questions.has_desk or substitute):
        raise CannotAsk(NOBODY.format(what=what))

    return run.questions


async def _let_answer(substitute: StandIn, question: Question, questions: Questions) -> None:
    """Has a stand-in answer, unless somebody was faster. Raises CannotAsk where its answer does not fit."""
    try:
        answer = substitute(question.request)
        answer = await answer if inspect.isawaitable(answer) else answer
        reply = Reply(to_jsonable(answer, "answer"))
    except InputExpired:
        questions.end(question, InputOutcome.EXPIRED)
        return
    except InputDeclined as declined:
        reply = Reply(declines=True, reason=declined.explanation)

    try:
        with suppress(InputAlreadyResolved):
            questions.reply(question.request.input_id, reply)
    except InputInvalid as error:
        raise CannotAsk(f"{question.request.message!r}: {error.message}") from error


def _check_message(message: object) -> None:
    if not isinstance(message, str):
        raise UsageError(f"ask(message): message is text, not of type {type(message).__name__}")


def _question(read: Read, what: str, timeout: float | None, **asked: Any) -> Question:
    check_timeout(timeout)
    call = current_call()
    request = InputRequest(
        new_input_id(),
        call.call_id if call is not None else 0,
        expire_time=None if timeout is None else time.time() + timeout,
        **asked,
    )

    return Question(request, read, what)


def _plain(value: object, answer: JSON) -> JSON:
    """What a type has made of an answer, as JSON; where that has no JSON form, the answer as it came."""
    try:
        return to_jsonable(value, "answer")
    except OutputUnserialisable:
        return answer


def _reader(field: Field) -> Read:
    def read(answer: Any) -> Answer:
        try:
            value = field.validate(answer)
        except ValidationError as error:
            found = violations(error, field.adapter, own_words=True)
            raise InputInvalid(
                [FieldViolation(f"answer{one.path}", one.rule) for one in found]
            ) from error

        return Answer(value, _plain(field.going_out(value), answer))

    return read
