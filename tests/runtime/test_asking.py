"""Asking people: questions of programs, their types and ends, with a stand-in in the place of people."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import json
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import headrace
import pytest
from headrace.asking import ask, ask_sync
from headrace.calls import RunScope, enter_run, open_call
from headrace.errors import (
    CannotAsk,
    InputAlreadyResolved,
    InputDeclined,
    InputExpired,
    InputInvalid,
    InputNotFound,
    RunTooLarge,
    SignatureError,
    UsageError,
)
from headrace.events import (
    Event,
    InputKind,
    InputOutcome,
    InputRequest,
    InputResolved,
    Kind,
    Outcome,
    Phase,
    Status,
)
from headrace.execution import Execution, Work
from headrace.module import Module
from headrace.questions import Desk, Reply
from headrace.streaming import streamify
from headrace.testing import answering
from headrace.threads import portal
from pydantic import BaseModel, Field


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    city: str
    country: str = "NL"


def outline(events: list[Event]) -> list[str]:
    """Events in a word or two each."""
    return [outlined(event) for event in events]


def outlined(event: Event) -> str:
    match event:
        case InputRequest():
            return f"asked {event.message}"
        case InputResolved():
            return event.outcome.name.lower()
        case Status():
            return f"{event.kind.name} {event.phase.name}"
        case _:
            return type(event).__name__


class Run:
    """A run of a function, whose questions the test answers."""

    def __init__(self, play: Callable[[], Awaitable[object]], max_open: int = 100) -> None:
        self.execution = Execution(
            Work(play), desk=Desk(max_open, 10_000, when_changed=self._changed)
        )
        self.changes = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.execution.start()

    def _changed(self) -> None:
        self._loop.call_soon_threadsafe(self.changes.set)

    @property
    def events(self) -> list[Event]:
        return [entry.event for entry in self.execution.log.read()]

    async def asked(self, count: int = 1) -> list[InputRequest]:
        """The questions, once there are so many."""
        async with asyncio.timeout(20):
            while True:
                found = [event for event in self.events if isinstance(event, InputRequest)]

                if len(found) >= count:
                    return found

                await self.changes.wait()
                self.changes.clear()

    def reply(self, request: InputRequest, answer: object) -> tuple[InputResolved, bool]:
        return self.execution.questions.reply(request.input_id, Reply(answer))

    async def result(self) -> Any:
        async with asyncio.timeout(20):
            await self.execution.ended()

        if self.execution.error is not None:
            raise self.execution.error

        assert self.execution.result is not None

        return self.execution.result.value


# Types


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        (str, "a", "a"),
        (bool, True, True),
        (int, 3, 3),
        (int, 3.0, 3),
        (Literal["a", "b"], "b", "b"),
        (Colour, "red", Colour.RED),
        (list[int], [1, 2], [1, 2]),
        (Place, {"city": "Delft"}, Place(city="Delft")),
        (Place | None, None, None),
        (Annotated[int, Field(ge=1)], 1, 1),
        (Any, {"a": [1]}, {"a": [1]}),
    ],
)
async def test_an_answer_becomes_the_type_that_was_asked_for(
    kind: Any, given: object, taken: object
) -> None:
    with answering({"Which?": given}) as asked:
        assert await ask("Which?", type=kind) == taken

    assert [one.message for one in asked] == ["Which?"]


async def test_a_question_tells_people_what_fits() -> None:
    with answering({"Which?": "a"}) as asked:
        await ask("Which?", type=Literal["a", "b"], timeout=600)

    request = asked[0]
    assert json.loads(request.answer_schema_json) == {"enum": ["a", "b"], "type": "string"}
    assert (request.kind, request.tool, request.proposal_json) == (InputKind.QUESTION, "", "")
    assert request.expire_time is not None


async def test_without_a_timeout_a_question_has_no_time_of_its_own() -> None:
    with answering({"Which?": "a"}) as asked:
        await ask("Which?")

    assert asked[0].expire_time is None


async def test_questions_have_names_that_differ() -> None:
    with answering({"Which?": "a"}) as asked:
        for _ in range(10):
            await ask("Which?")

    assert len({one.input_id for one in asked}) == 10


@pytest.mark.parametrize("timeout", [0, -1, 1e9, 1e300, float("inf"), float("nan")])
async def test_a_timeout_is_a_time_that_can_be_told(timeout: float) -> None:
    with answering({"Which?": "a"}), pytest.raises(UsageError, match="timeout is in seconds"):
        await ask("Which?", timeout=timeout)


async def test_a_question_is_text() -> None:
    question: Any = 5

    with (
        answering({"Which?": "a"}),
        pytest.raises(UsageError, match="message is text, not of type int"),
    ):
        await ask(question)


async def test_what_is_no_type_cannot_be_asked_for() -> None:
    with answering({"Which?": "a"}), pytest.raises(SignatureError, match="is not a type"):
        await ask("Which?", type=["a", "b"])


# Stand-ins


async def test_where_nobody_can_answer_asking_says_what_to_do() -> None:
    with pytest.raises(CannotAsk, match=r"nobody can answer the question here: .*answering"):
        await ask("Which?")


async def test_a_run_in_process_asks_nobody() -> None:
    async def program(question: str) -> str:
        return await ask(question)

    stream = streamify(program, is_async_program=True)

    with pytest.raises(CannotAsk, match="nobody can answer"):
        [item async for item in stream(question="Which?")]


async def test_a_function_answers_too_sync_or_async() -> None:
    async def answer(request: InputRequest) -> str:
        await asyncio.sleep(0)
        return request.message.lower()

    with answering(answer):
        assert await ask("WHICH?") == "which?"

    with answering(lambda request: request.message.upper()):
        assert await ask("which?") == "WHICH?"


async def test_an_answer_of_a_test_may_be_what_the_program_takes() -> None:
    with answering({"Where?": Place(city="Delft"), "Which?": Colour.BLUE}):
        assert await ask("Where?", type=Place) == Place(city="Delft")
        assert await ask("Which?", type=Colour) is Colour.BLUE


async def test_a_question_that_a_test_does_not_know_fails_there() -> None:
    with (
        answering({"Which?": "a"}),
        pytest.raises(CannotAsk, match=r"no answer to 'Where\?'; there are 'Which\?'"),
    ):
        await ask("Where?")


async def test_an_answer_of_a_test_that_does_not_fit_fails_where_it_is_asked() -> None:
    with (
        answering({"Where?": {"country": "NL"}}),
        pytest.raises(CannotAsk, match=r"'Where\?': answer.city: Field required"),
    ):
        await ask("Where?", type=Place)


async def test_answers_hold_inside_their_block_alone() -> None:
    with answering({"Which?": "a"}):
        with answering({"Which?": "b"}):
            assert await ask("Which?") == "b"

        assert await ask("Which?") == "a"

    with pytest.raises(CannotAsk):
        await ask("Which?")


async def test_a_declined_question_raises_with_the_reason() -> None:
    with (
        answering({"Which?": InputDeclined("none of them")}),
        pytest.raises(InputDeclined, match="the question was declined: none of them") as raised,
    ):
        await ask("Which?")

    assert (raised.value.explanation, raised.value.reason) == ("none of them", "INPUT_DECLINED")


async def test_an_expired_question_raises() -> None:
    with (
        answering({"Which?": InputExpired()}),
        pytest.raises(InputExpired, match="the question was not answered within 600 s"),
    ):
        await ask("Which?", timeout=600)


# Sync code


def test_sync_code_asks_and_waits() -> None:
    with answering({"How many?": 3}):
        assert ask_sync("How many?", type=int) == 3


async def test_sync_code_on_a_loops_thread_would_block_it() -> None:
    with (
        answering({"Which?": "a"}),
        pytest.raises(CannotAsk, match=r"would block the event loop.*await headrace\.ask"),
    ):
        ask_sync("Which?")


class Sync(Module):
    def forward(self, question: str) -> str:
        return ask_sync(question)


async def test_a_sync_program_asks_from_its_worker_thread() -> None:
    with answering({"Which?": "a"}):
        assert await Sync().acall(question="Which?") == "a"


async def test_threads_and_branches_ask_at_the_same_time() -> None:
    async def program() -> list[str]:
        with ThreadPoolExecutor() as pool:
            loop = asyncio.get_running_loop()
            copied = contextvars.copy_context()
            thread = loop.run_in_executor(pool, copied.run, lambda: ask_sync("in a pool?"))
            branches = [ask("one?"), ask("other?"), portal.in_thread(ask_sync, "in a thread?")]

            return list(await asyncio.gather(thread, *branches))

    run = Run(program)
    asked = await run.asked(4)

    for request in reversed(asked):
        run.reply(request, request.message.upper())

    assert await run.result() == ["IN A POOL?", "ONE?", "OTHER?", "IN A THREAD?"]
    assert not run.execution.questions.any_open


async def test_a_question_of_a_loop_in_another_thread_is_answered_there() -> None:
    async def program() -> str:
        return await asyncio.to_thread(lambda: asyncio.run(ask("elsewhere?")))

    run = Run(program)
    [request] = await run.asked()
    run.reply(request, "here")

    assert await run.result() == "here"


# The record


class Composed(Module):
    async def aforward(self, question: str) -> str:
        return await ask(question, timeout=60)


async def test_a_question_is_recorded_where_it_was_asked_and_ends_before_its_call() -> None:
    run = Run(lambda: Composed().acall(question="Which?"))
    [request] = await run.asked()
    run.reply(request, "a")

    assert await run.result() == "a"
    assert outline(run.events) == [
        "RUN START",
        "MODULE START",
        "asked Which?",
        "answered",
        "MODULE END",
        "RUN END",
        "PredictionEvent",
    ]
    resolved = run.events[3]
    assert isinstance(resolved, InputResolved)
    assert (request.call_id, resolved.call_id, resolved.answer_json) == (2, 2, '"a"')


async def test_a_stream_in_process_is_the_same_with_answers() -> None:
    with answering({"Which?": "a"}):
        items = [item async for item in streamify(Composed())(question="Which?")]
        later = streamify(Composed(), async_streaming=False)(question="Which?")

    assert items == ["a"]
    assert await asyncio.to_thread(lambda: list(later)) == ["a"]


async def test_what_nobody_answers_expires_and_the_program_may_go_on() -> None:
    async def program() -> str:
        try:
            return await ask("Which?", timeout=0.01)
        except InputExpired as expired:
            return expired.message

    run = Run(program)

    assert await run.result() == "the question was not answered within 0.01 s"
    assert outline(run.events)[1:3] == ["asked Which?", "expired"]


async def test_a_program_that_does_not_recover_fails_as_its_question_did() -> None:
    run = Run(lambda: ask("Which?", timeout=0.01))

    with pytest.raises(InputExpired):
        await run.result()


async def test_who_is_cancelled_while_it_waits_withdraws_its_question() -> None:
    async def program() -> str:
        waiting = asyncio.create_task(ask("Which?"))
        first = asyncio.create_task(ask("Or this?"))
        answer = await first
        waiting.cancel()
        await asyncio.wait([waiting])

        return answer

    run = Run(program)
    which, this = await run.asked(2)
    run.reply(this, "yes")

    assert await run.result() == "yes"
    assert outline(run.events)[1:5] == ["asked Which?", "asked Or this?", "answered", "withdrawn"]

    with pytest.raises(InputAlreadyResolved, match="the question was withdrawn") as raised:
        run.reply(which, "a")

    assert raised.value.metadata == {"outcome": "WITHDRAWN"}


async def test_a_question_that_was_left_behind_ends_before_the_call_that_asked() -> None:
    tasks: list[asyncio.Task[str]] = []
    begun = asyncio.Event()

    async def program() -> str:
        tasks.append(asyncio.create_task(Composed().acall(question="Which?")))
        await begun.wait()
        return "done"

    run = Run(program)
    await run.asked()
    begun.set()

    assert await run.result() == "done"
    assert outline(run.events) == [
        "RUN START",
        "MODULE START",
        "asked Which?",
        "withdrawn",
        "MODULE END",
        "RUN END",
        "PredictionEvent",
    ]
    await asyncio.wait(tasks)


async def test_a_run_that_is_stopped_withdraws_what_it_asked_in_threads_too() -> None:
    ended = threading.Event()

    def wait() -> None:
        try:
            ask_sync("in a thread?")
        finally:
            ended.set()

    async def program() -> None:
        await asyncio.gather(ask("here?"), portal.in_thread(wait))

    run = Run(program)
    await run.asked(2)
    run.execution.cancel("caller")

    with pytest.raises(headrace.HeadraceError, match="cancelled by caller"):
        await run.result()

    assert outline(run.events)[3:] == ["withdrawn", "withdrawn", "RUN END"]
    assert ended.wait(20)


async def test_nothing_is_asked_once_a_program_has_ended() -> None:
    scope = RunScope(lambda event: None, desk=Desk(1, 1000))
    scope.close(None)

    with enter_run(scope), pytest.raises(asyncio.CancelledError):
        await ask("Which?")


# Replies


@contextmanager
def scoped(max_open: int = 100, max_bytes: int = 1000) -> Generator[RunScope, None, None]:
    events: list[Event] = []
    scope = RunScope(events.append, desk=Desk(max_open, max_bytes))

    with enter_run(scope), open_call(Kind.RUN, "program", None, {}):
        yield scope


async def test_an_answer_that_does_not_fit_names_the_place_and_leaves_the_question_open() -> None:
    run = Run(lambda: ask("Where?", type=Place))
    [request] = await run.asked()

    with pytest.raises(InputInvalid) as raised:
        run.reply(request, {"city": 3, "country": []})

    assert [one.field for one in raised.value.violations] == ["answer.city", "answer.country"]
    assert run.execution.questions.any_open

    assert run.reply(request, {"city": "Delft"})[1]
    assert await run.result() == Place(city="Delft")


@pytest.mark.parametrize(
    ("kind", "given", "taken"),
    [
        (int, 10**400, 10**400),
        (Any, [10**400], [10**400]),
        (float, "inf", float("inf")),
        (dict[str, float], {"a": "-1e999"}, {"a": float("-inf")}),
    ],
    ids=["int", "Any", "float", "dict"],
)
async def test_an_answer_that_becomes_what_json_has_not_is_recorded_as_it_came(
    kind: Any, given: object, taken: object
) -> None:
    run = Run(lambda: ask("Which?", type=kind))
    [request] = await run.asked()
    resolved, counts = run.reply(request, given)

    assert (json.loads(resolved.answer_json), counts) == (given, True)
    assert run.reply(request, given) == (resolved, False)
    assert await run.result() == taken


class Sack(BaseModel):
    label: str = "rye" * 100


async def test_an_answer_has_a_size_as_json_with_what_its_type_makes_of_it() -> None:
    run = Run(lambda: ask("Which?", type=list[Sack] | str))
    [request] = await run.asked()

    sacks: list[dict[str, str]] = [{}] * 100

    for unfit, size in (sacks, 31_301), ("\x01" * 2_000, 12_002):
        with pytest.raises(InputInvalid) as raised:
            run.reply(request, unfit)

        [violation] = raised.value.violations
        assert violation.field == "answer"
        assert violation.description == f"becomes {size} bytes of JSON; at most 10000 are taken"

    assert run.reply(request, sacks[:20])[1]
    assert len(await run.result()) == 20


@pytest.mark.parametrize(
    ("kind", "first", "again"),
    [
        (int, 3, 3.0),
        (int, 3, "3"),
        (int, "3", 3),
        (Place, {"city": "D"}, {"country": "NL", "city": "D"}),
        (Place, {"city": "D", "country": "NL"}, {"city": "D"}),
        (Literal["a", "b"], "a", "a"),
    ],
)
async def test_the_same_answer_counts_once(kind: Any, first: object, again: object) -> None:
    run = Run(lambda: ask("Which?", type=kind))
    [request] = await run.asked()
    resolved, counts = run.reply(request, first)

    assert counts
    assert run.reply(request, again) == (resolved, False)

    await run.result()
    assert outline(run.events).count("answered") == 1


@pytest.mark.parametrize("other", [4, True, "a", None, [3], 3.5])
async def test_another_answer_is_refused_whether_or_not_it_fits(other: object) -> None:
    run = Run(lambda: ask("How many?", type=int))
    [request] = await run.asked()
    run.reply(request, 3)

    with pytest.raises(InputAlreadyResolved, match="was answered otherwise") as raised:
        run.reply(request, other)

    assert raised.value.metadata == {"outcome": "ANSWERED"}
    assert await run.result() == 3


async def test_what_was_declined_cannot_be_answered_and_may_be_declined_again() -> None:
    async def program() -> str:
        try:
            return await ask("Which?")
        except InputDeclined as declined:
            return declined.explanation

    run = Run(program)
    [request] = await run.asked()
    questions = run.execution.questions
    questions.reply(request.input_id, Reply(declines=True, reason="not mine"))
    resolved, counts = questions.reply(request.input_id, Reply(declines=True))

    assert (resolved.outcome, resolved.reason, counts) == (
        InputOutcome.DECLINED,
        "not mine",
        False,
    )

    with pytest.raises(InputAlreadyResolved, match="was declined"):
        run.reply(request, "a")

    assert await run.result() == "not mine"


async def test_a_question_that_was_never_asked_is_not_found() -> None:
    run = Run(lambda: ask("Which?"))
    [request] = await run.asked()

    with pytest.raises(InputNotFound):
        run.execution.questions.reply("another", Reply("a"))

    run.reply(request, "a")
    await run.result()


async def test_of_many_answers_from_many_threads_one_counts() -> None:
    run = Run(lambda: ask("How many?", type=int))
    [request] = await run.asked()
    barrier = threading.Barrier(4)

    def answer(number: int) -> bool:
        barrier.wait(20)

        try:
            return run.reply(request, number)[1]
        except InputAlreadyResolved:
            return False

    counted = await asyncio.gather(*(asyncio.to_thread(answer, number) for number in range(4)))

    assert sum(counted) == 1
    assert await run.result() == counted.index(True)
    assert outline(run.events).count("answered") == 1


# Limits


async def test_questions_that_are_open_at_once_have_a_limit() -> None:
    async def program() -> list[object]:
        return await asyncio.gather(*(ask(f"{at}?") for at in range(3)), return_exceptions=True)

    run = Run(program, max_open=2)

    for request in await run.asked(2):
        run.reply(request, "a")

    *answers, refused = await run.result()
    assert answers == ["a", "a"]
    assert isinstance(refused, RunTooLarge)
    assert "at most 2 questions of a run may be open at once" in refused.message


async def test_a_question_has_a_size() -> None:
    with scoped(max_bytes=100), pytest.raises(RunTooLarge, match=r"the question is 11. bytes"):
        await ask("?" * 100)


# Outcomes of calls


async def test_a_call_whose_question_was_declined_fails_as_declined() -> None:
    with answering({"Which?": InputDeclined("no")}):
        run = Run(lambda: Composed().acall(question="Which?"))

    with pytest.raises(InputDeclined):
        await run.result()

    ends = [one for one in run.events if isinstance(one, Status) and one.phase is Phase.END]
    assert [(one.kind, one.outcome) for one in ends] == [
        (Kind.MODULE, Outcome.ERROR),
        (Kind.RUN, Outcome.ERROR),
    ]
    assert all(isinstance(one.failure, InputDeclined) for one in ends)
