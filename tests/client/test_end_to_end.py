"""The client against the real server: programs run, roads break, and nothing is lost."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import AsyncGenerator

import pytest
from click.testing import CliRunner
from client.programs import Held, acting, agent, composing
from client.reading import read_all
from client.road import road_to
from headrace.server.app import Server
from headrace.server.config import Config
from headrace.testing import serve_programs
from headrace_client import (
    Client,
    Event,
    FieldViolation,
    InputInvalid,
    Prediction,
    ProgramError,
    ProgramNotFound,
    Run,
    RunCancelled,
    RunIdReused,
    RunLost,
    RunNotFound,
    RunTimeout,
    StatusUpdate,
    Token,
    outputs,
)
from headrace_client.cli.board import Board
from headrace_client.cli.commands import headrace
from headrace_client.cli.frame import Frame, plain
from scripted_lm import ScriptedLM

BOUND = 20.0
"""Seconds; a test that waits so long has failed."""

QUESTION = "why do mills need water?"

TEXTS = {
    ("ideas.brainstorm", "reasoning"): f"reasoning for {QUESTION}",
    ("ideas.brainstorm", "brainstorm"): f"brainstorm for {QUESTION}",
    ("evidence.probe", "reasoning"): f"reasoning for {QUESTION}",
    ("evidence.probe", "evidence"): f"evidence for {QUESTION}",
    ("compose", "reasoning"): f"reasoning for {QUESTION}",
    ("compose", "answer"): f"answer for {QUESTION}",
}


@pytest.fixture(autouse=True)
async def bound() -> AsyncGenerator[None, None]:
    async with asyncio.timeout(BOUND):
        yield


@pytest.fixture
async def address() -> AsyncGenerator[str, None]:
    async with serve_programs(composing(), agent()) as address:
        yield address


@pytest.fixture
async def client(address: str) -> AsyncGenerator[Client, None]:
    async with Client(address) as client:
        yield client


async def test_every_field_of_both_branches_arrives_whole(client: Client) -> None:
    async with client.run("composer", question=QUESTION) as run:
        events = [event async for event in run]

    assert {key: run.text(".".join(key)) for key in TEXTS} == TEXTS
    assert isinstance(events[-1], Prediction)
    assert outputs(events[-1]) == {name: TEXTS["compose", name] for name in ("reasoning", "answer")}
    messages = {e.message for e in events if isinstance(e, StatusUpdate) and e.message}
    assert messages > {"Spinning ideas...", "Pulling evidence..."}


async def test_fields_stream_side_by_side(client: Client) -> None:
    texts = {"brainstorm": "", "evidence": "", "compose.answer": ""}

    async with client.run("composer", question=QUESTION) as run:

        async def follow(selector: str) -> None:
            async for piece in run.field(selector):
                texts[selector] += piece

        await asyncio.gather(*map(follow, texts))

    assert list(texts.values()) == [
        TEXTS["ideas.brainstorm", "brainstorm"],
        TEXTS["evidence.probe", "evidence"],
        TEXTS["compose", "answer"],
    ]


async def test_a_road_that_breaks_again_and_again_loses_nothing(address: str) -> None:
    async with road_to(address) as road, Client(road.address) as client:
        events: list[Event] = []
        sequences: list[int] = []

        async with client.run("composer", question=QUESTION) as run:
            async for event in run:
                events.append(event)
                assert run.last_event is not None
                sequences.append(run.last_event.sequence)

                if len(events) % 4 == 0 and not isinstance(event, Prediction):
                    road.break_now()
                    await asyncio.sleep(0)

    assert road.breaks > 1
    assert {key: run.text(".".join(key)) for key in TEXTS} == TEXTS
    positions = [sequence for sequence in sequences if sequence]
    assert positions == sorted(set(positions)), "no event came twice"
    assert sum(isinstance(event, Prediction) for event in events) == 1
    starts = [e.call_id for e in events if isinstance(e, StatusUpdate) and e.phase == e.PHASE_START]
    ends = [e.call_id for e in events if isinstance(e, StatusUpdate) and e.phase == e.PHASE_END]
    assert sorted(starts) == sorted(ends) == sorted(set(starts))


async def test_an_ended_run_can_be_read_again_from_anywhere(client: Client) -> None:
    async with client.run("composer", question=QUESTION) as run:
        first = [event async for event in run]

    async with client.attach(run.run_id) as again:
        await again.prediction()
        assert {key: again.text(".".join(key)) for key in TEXTS} == TEXTS

    async with client.attach(run.run_id, after_sequence=run.cursor) as rest:
        assert [event async for event in rest] == []
        assert (
            await rest.result() == outputs(first[-1]) if isinstance(first[-1], Prediction) else {}
        )


async def test_predict_describe_and_the_rest_answer(client: Client) -> None:
    prediction = await client.predict("composer", question=QUESTION)
    described = await client.describe("composer")

    assert outputs(prediction)["answer"] == TEXTS["compose", "answer"]
    assert prediction.usage.lm_call_count == 3
    assert prediction.revision == described.revision
    assert [field.name for field in described.inputs] == ["question"]
    assert [program.name for program in await client.programs()] == ["agent", "composer"]
    assert (await client.server_info()).limits.max_running_count > 0


async def test_wrong_inputs_name_the_field_and_a_better_name(client: Client) -> None:
    with pytest.raises(InputInvalid) as caught:
        await read_all(client.run("composer", qestion=QUESTION))

    assert FieldViolation("inputs.qestion", "unknown; did you mean question?") in (
        caught.value.violations
    )

    with pytest.raises(ProgramNotFound, match="composer"):
        await client.predict("compser", question=QUESTION)

    with pytest.raises(RunNotFound):
        await client.get_run("never-begun")


async def test_a_run_id_belongs_to_its_inputs(client: Client) -> None:
    await client.predict("composer", run_id="mine", question=QUESTION)
    await client.predict("composer", run_id="mine", question=QUESTION)

    with pytest.raises(RunIdReused):
        await client.predict("composer", run_id="mine", question="another?")


async def test_leaving_early_closes_the_model_calls() -> None:
    lm = ScriptedLM(by_prompt=lambda prompt: ["[[ ## reasoning ## ]]\n", *["and "] * 1_000_000])

    async with serve_programs(composing(lm)) as address, Client(address) as client:
        async with client.run("composer", question=QUESTION) as run:
            async for event in run:
                if isinstance(event, Token):
                    break

        record = await client.get_run(run.run_id)

    assert record.state == Run.STATE_CANCELLED
    assert lm.closed == 2


async def test_a_detached_run_goes_on_and_can_be_attached_to() -> None:
    held = Held()

    async with serve_programs(held.program) as address, Client(address) as client:
        async with client.run("acting", number=2**60 + 1) as run:
            await held.begun.wait()
            run.detach()

        held.let_on.set()

        async with client.attach(run.run_id) as again:
            assert await again.result() == {"result": 2**60 + 1}


async def test_cancelling_ends_all_readers() -> None:
    held = Held()

    async with (
        serve_programs(held.program) as address,
        Client(address) as client,
        client.run("acting") as run,
        client.attach(run.run_id) as other,
    ):
        await held.begun.wait()
        await client.cancel(run.run_id, reason="enough")

        for reader in (run, other):
            with pytest.raises(RunCancelled, match="enough") as caught:
                await reader.prediction()

            assert caught.value.metadata["by"] == "caller"

    assert held.stopped.is_set()


async def test_a_run_ends_at_its_timeout() -> None:
    async with serve_programs(Held().program) as address, Client(address) as client:
        with pytest.raises(RunTimeout, match=r"0\.2 s"):
            await client.predict("acting", timeout=0.2)


async def test_a_program_that_raises_fails_with_what_it_had_used() -> None:
    async def fail(number: int) -> object:
        raise ValueError("the secret is 42")

    async with serve_programs(acting(fail)) as address, Client(address) as client:
        with pytest.raises(ProgramError) as caught:
            await read_all(client.run("acting", run_id="r-1"))

    assert (caught.value.reason, caught.value.run_id) == ("PROGRAM_ERROR", "r-1")
    assert caught.value.usage is not None
    assert "secret" not in str(caught.value)


async def test_a_server_that_restarts_without_a_store_loses_the_run_and_says_so() -> None:
    held = Held()
    server = Server([held.program], Config(listen="127.0.0.1:0"))
    address = server.bind()
    await server.start()

    async with Client(address) as client, client.run("acting") as run:
        await anext(aiter(run))
        await held.begun.wait()
        await server._server.stop(None)  # pyright: ignore[reportPrivateUsage]  # as if it were killed
        again = Server([held.program], Config(listen=address))
        again.bind()
        await again.start()

        with pytest.raises(RunLost, match="no longer knows run"):
            await run.prediction()

    await again.stop()
    await server.stop()


# The command


async def test_the_command_shows_an_agent_at_work(client: Client) -> None:
    board = Board()

    async with client.run("agent", question=QUESTION) as run:
        async for _ in run:
            assert run.last_event is not None
            board.update(run.last_event)

    text = plain(Frame(width=90).lines(board)).partition("\n")[2]

    assert re.sub(r"[A-Z]+_ERROR: .*", "✗", re.sub(r" +\d+\.\d s", "", text)) == inspect.cleandoc(
        """
        ✓ react.next_thought     First the mill.
        ✓ measure()              Measuring at mill...
        ✓ react.next_thought #2  Then the weir.
        ✗ measure()              ✗
        ✓ react.next_thought #3  That will do.
        ✓ finish()
        ✓ extract.reasoning      Measured once.
        ✓ extract.answer         1.5 m at the mill
        """
    )


async def test_the_command_runs_and_describes(address: str) -> None:
    def call(*arguments: str) -> str:
        environment = {"HEADRACE_ADDRESS": address}
        result = CliRunner().invoke(headrace, arguments, env=environment, catch_exceptions=False)
        assert result.exit_code == 0, result.output

        return result.stdout

    assert "headrace run composer" in await asyncio.to_thread(call, "describe", "composer")
    assert "agent " in await asyncio.to_thread(call, "programs")
