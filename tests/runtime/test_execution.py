"""One execution: a task that calls a program and writes all that happens into a log."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable

import pytest
from headrace import execution as executions
from headrace.calls import current_run, open_call
from headrace.errors import (
    HeadraceError,
    LMRateLimitError,
    ProgramError,
    RunCancelled,
    RunTimeout,
    RunTooLarge,
)
from headrace.events import (
    CustomEvent,
    Event,
    InputRequest,
    InputResolved,
    Kind,
    LmCall,
    Outcome,
    Phase,
    PredictionEvent,
    Status,
    Token,
    Usage,
)
from headrace.execution import Execution, Outlet, Work
from headrace.log import RunLog
from headrace.parsing import FieldDelta
from headrace.threads import portal
from scripted_lm import ScriptedLM


async def run(call: Callable[[], Awaitable[object]], timeout: float | None = None) -> Execution:
    execution = Execution(Work(call, name="program"), timeout=timeout)
    execution.start()
    await execution.ended()

    return execution


def story(execution: Execution) -> list[object]:
    """The log in short: what happened to which call, which text came, what was returned."""
    return [in_short(entry.event) for entry in execution.log.read()]


def in_short(event: Event) -> object:
    match event:
        case Status(outcome=outcome, phase=phase):
            moment = phase.name if outcome is None else outcome.name
            return event.name, moment, event.call_id, event.parent_call_id
        case Token():
            return event.field, event.chunk, event.is_last
        case PredictionEvent(value=value):
            return value
        case CustomEvent() | InputRequest() | InputResolved():
            return event


async def test_a_run_starts_calls_ends_and_gives_its_result() -> None:
    async def program() -> str:
        with open_call(Kind.MODULE, "step", None, {}), open_call(Kind.LM, "model", None, {}):
            pass

        return "done"

    assert story(await run(program)) == [
        ("program", "START", 1, 0),
        ("step", "START", 2, 1),
        ("model", "START", 3, 2),
        ("model", "OK", 3, 2),
        ("step", "OK", 2, 1),
        ("program", "OK", 1, 0),
        "done",
    ]


async def test_a_later_attempt_counts_on_from_where_the_earlier_one_stopped() -> None:
    async def program() -> str:
        with open_call(Kind.LM, "model", None, {}) as call:
            call.usage = Usage(input_tokens=3, lm_calls=1)

        return "done"

    earlier = Usage(input_tokens=2, lm_calls=1)
    execution = Execution(Work(program, name="program"), last_call_id=7, usage=earlier)
    execution.start()
    await execution.ended()

    assert story(execution) == [
        ("program", "START", 8, 0),
        ("model", "START", 9, 8),
        ("model", "OK", 9, 8),
        ("program", "OK", 8, 0),
        "done",
    ]
    assert execution.usage == Usage(input_tokens=5, lm_calls=2)


async def test_an_execution_is_over_before_its_readers_have_all_of_it() -> None:
    taken: list[Event] = []
    log = RunLog()

    async def program() -> str:
        return "done"

    execution = Execution(Work(program, name="program"), Outlet(log, taken.append, lambda: None))
    execution.start()
    await execution.ended()

    assert (execution.over, log.closed, log.last_sequence) == (True, False, 0)
    assert [in_short(event) for event in taken] == [
        ("program", "START", 1, 0),
        ("program", "OK", 1, 0),
        "done",
    ]


async def test_usage_adds_up_over_the_calls_of_a_run() -> None:
    async def program() -> None:
        for tokens in (2, 3):
            with open_call(Kind.LM, "model", None, {}) as call:
                call.usage = Usage(input_tokens=tokens, lm_calls=1)

    execution = await run(program)

    assert execution.usage == Usage(input_tokens=5, lm_calls=2)
    assert execution.result is not None
    assert execution.result.usage == execution.usage


async def test_our_errors_end_the_run_as_they_are() -> None:
    async def program() -> None:
        with open_call(Kind.LM, "model", None, {}):
            raise LMRateLimitError("slow down")

    execution = await run(program)

    assert isinstance(execution.error, LMRateLimitError)
    assert story(execution)[-2:] == [("model", "ERROR", 2, 1), ("program", "ERROR", 1, 0)]


async def test_other_errors_are_wrapped_and_say_nothing_of_their_text() -> None:
    async def program() -> None:
        raise KeyError("sk-secret")

    error = (await run(program)).error

    assert isinstance(error, ProgramError)
    assert str(error) == "the program raised KeyError"
    assert isinstance(error.__cause__, KeyError)


async def test_the_first_real_error_of_a_task_group_counts_and_notes_the_others() -> None:
    async def fail(error: Exception) -> None:
        raise error

    async def program() -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(fail(LMRateLimitError("slow down")))
            outer.create_task(fail(KeyError("too")))

    execution = await run(program)
    end = execution.log.read()[-1].event

    assert isinstance(execution.error, LMRateLimitError)
    assert execution.error.__notes__ == ["also raised: KeyError: 'too'"]
    assert isinstance(end, Status)
    assert end.failure is execution.error


async def start_and_hang() -> Execution:
    reached = asyncio.Event()

    async def program() -> None:
        reached.set()
        await asyncio.Event().wait()

    execution = Execution(Work(program, name="program"))
    execution.start()
    await reached.wait()

    return execution


async def start_and_swallow(release: asyncio.Event) -> Execution:
    """A program that goes on after its cancellation until it is released."""
    reached = asyncio.Event()

    async def program() -> str:
        reached.set()

        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

        return "too late"

    execution = Execution(Work(program, name="program"))
    execution.start()
    await reached.wait()

    return execution


async def test_cancelling_ends_the_run_cancelled_and_the_first_reason_stands() -> None:
    execution = await start_and_hang()
    execution.cancel("caller", "had enough")
    execution.cancel("drain")
    await execution.ended()

    assert isinstance(execution.error, RunCancelled)
    assert execution.error.by == "caller"
    assert story(execution)[-1] == ("program", "CANCELLED", 1, 0)


async def test_a_run_cancelled_before_its_first_step_ends_too() -> None:
    async def program() -> str:
        return "never"

    execution = Execution(Work(program))
    execution.start()
    execution.cancel("caller")
    await execution.ended()

    assert isinstance(execution.error, RunCancelled)
    assert execution.result is None


async def test_a_run_may_be_stopped_for_a_failure_outside_it() -> None:
    execution = await start_and_hang()
    execution.stop(RunTooLarge("the log is full"))
    await execution.ended()

    assert isinstance(execution.error, RunTooLarge)
    assert story(execution)[-1] == ("program", "ERROR", 1, 0)


async def test_a_result_that_comes_after_the_cancellation_does_not_count() -> None:
    release = asyncio.Event()
    execution = await start_and_swallow(release)
    execution.cancel("caller")
    release.set()
    await execution.ended()

    assert isinstance(execution.error, RunCancelled)
    assert execution.result is None


async def test_a_program_that_cancels_itself_has_failed() -> None:
    async def program() -> None:
        raise asyncio.CancelledError

    execution = await run(program)

    assert isinstance(execution.error, ProgramError)
    assert story(execution) == [("program", "START", 1, 0), ("program", "ERROR", 1, 0)]


async def test_a_program_that_ignores_cancellation_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executions, "GRACE", 0.01)
    release = asyncio.Event()
    execution = await start_and_swallow(release)
    execution.cancel("caller")
    await execution.ended()
    release.set()

    assert story(execution) == [("program", "START", 1, 0), ("program", "CANCELLED", 1, 0)]
    assert execution.log.closed


async def test_sync_code_that_does_not_return_is_left_behind_before_its_program_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(portal, "GRACE", 0.01)
    entered, release = threading.Event(), threading.Event()

    def stubborn() -> None:
        with open_call(Kind.MODULE, "stubborn", None, {}):
            entered.set()
            release.wait(10)

    execution = Execution(Work(lambda: portal.in_thread(stubborn), name="program"))
    execution.start()
    await asyncio.to_thread(entered.wait, 10)
    execution.cancel("caller")
    await execution.ended()
    release.set()

    assert story(execution) == [
        ("program", "START", 1, 0),
        ("stubborn", "START", 2, 1),
        ("stubborn", "CANCELLED", 2, 1),
        ("program", "CANCELLED", 1, 0),
    ]
    assert [record.name for record in caplog.records] == ["headrace.portal"]


async def test_the_run_has_a_time_budget() -> None:
    async def program() -> None:
        await asyncio.Event().wait()

    execution = await run(program, timeout=0.01)

    assert isinstance(execution.error, RunTimeout)
    assert story(execution)[-1] == ("program", "ERROR", 1, 0)


async def test_what_a_program_leaves_running_is_ended_with_the_run() -> None:
    inside = asyncio.Event()
    left: list[asyncio.Task[None]] = []

    async def forgotten() -> None:
        run = current_run()
        assert run is not None

        with (
            open_call(Kind.MODULE, "forgotten", None, {}) as call,
            run.fields("forgotten", call.call_id, ()) as writer,
        ):
            writer.write(FieldDelta("answer", "half", False))
            inside.set()
            await asyncio.Event().wait()

    async def program() -> str:
        left.append(asyncio.create_task(forgotten()))
        await inside.wait()

        return "done"

    execution = await run(program)
    left[0].cancel()

    assert story(execution) == [
        ("program", "START", 1, 0),
        ("forgotten", "START", 2, 1),
        ("answer", "half", False),
        ("answer", "", True),
        ("forgotten", "CANCELLED", 2, 1),
        ("program", "OK", 1, 0),
        "done",
    ]


async def test_phases_and_errors_are_told_apart_in_statuses() -> None:
    async def program() -> None:
        with open_call(Kind.LM, "model", None, {}) as call:
            call.update(failure=LMRateLimitError("slow down"))

    statuses = [entry.event for entry in (await run(program)).log.read()]
    update = statuses[2]

    assert isinstance(update, Status)
    assert update.phase is Phase.UPDATE
    assert isinstance(update.failure, HeadraceError)
    assert update.outcome is None


async def test_an_lm_call_names_its_model_from_the_start() -> None:
    async def program() -> list[str]:
        return await ScriptedLM("fine").acall("hello")

    statuses = [entry.event for entry in (await run(program)).log.read()]

    assert [one.lm for one in statuses if isinstance(one, Status) and one.kind is Kind.LM] == [
        LmCall("scripted"),
        LmCall("scripted"),
    ]


def test_outcomes_have_the_contracts_numbers() -> None:
    assert [outcome.value for outcome in Outcome] == [1, 2, 3, 4]
