"""The command with runs that ask: it asks in the terminal, answers for others, deletes."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from client.test_terminal import Tmux
from headrace import Module, Prediction, Program, Tool, ask, emit
from headrace.testing import serve_programs
from headrace_client import Client, InputRequest

BOUND = 20.0
"""Seconds; a test that waits so long has failed."""


class Choosing(Module):
    """Asks twice, the second time in words."""

    async def aforward(self) -> Prediction:
        emit("progress", {"asked": 1})
        way = await ask("Which way?", type=Literal["left", "right"])
        why = await ask("Why?")

        return Prediction(said=f"{way}, {why}")


def send(to: str, copies: int = 1) -> str:
    """Sends."""
    return f"{copies} to {to}"


class Sending(Module):
    """Calls a tool that wants leave."""

    def __init__(self) -> None:
        self.tool = Tool(send, approve=True)

    async def aforward(self) -> Prediction:
        return Prediction(sent=await self.tool.acall(to="ann"))


class Pair(Module):
    """Asks two things at once, as parallel branches do."""

    async def aforward(self) -> Prediction:
        answers = await asyncio.gather(ask("First?", type=bool), ask("Second?", type=int))

        return Prediction(said=" and ".join(map(str, answers)))


@pytest.fixture
async def address() -> AsyncGenerator[str, None]:
    async with (
        asyncio.timeout(BOUND),
        serve_programs(
            Program(Choosing(), name="choosing"),
            Program(Sending(), name="sending"),
            Program(Pair(), name="pair"),
        ) as address,
    ):
        yield address


@asynccontextmanager
async def process(address: str, *arguments: str) -> AsyncGenerator[Process, None]:
    """The command as a process that does not outlive the block."""
    command = sys.executable, "-m", "headrace_client.cli", *arguments, "--address", address
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)

    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()

        await process.wait()


async def called(
    address: str, *arguments: str, typed: str = ""
) -> tuple[int | None, str, list[str]]:
    """Exit code, output and messages of a command that gets lines typed."""
    async with process(address, *arguments) as command:
        output, messages = await command.communicate(typed.encode())

    return command.returncode, output.decode(), messages.decode().splitlines()


async def asked(client: Client, run_id: str) -> InputRequest:
    """What a run asks, once it does."""
    while True:
        for request in (await client.get_run(run_id)).input_requests:
            return request


async def test_it_asks_when_the_run_asks(address: str) -> None:
    code, output, messages = await called(
        address, "run", "choosing", "-q", typed="up\n2\nit is shorter\n"
    )

    assert (code, output) == (0, "right, it is shorter\n")
    assert messages == [
        "Which way?",
        "  1  left",
        "  2  right",
        "[1 to 2, or the choice itself; nothing declines] there is no 'up' among the choices",
        "[1 to 2, or the choice itself; nothing declines] Why?",
        "[text; nothing declines] ",
    ]


async def test_lines_of_a_run_tell_what_it_asks_and_how_that_ended(address: str) -> None:
    _, output, _ = await called(
        address, "run", "choosing", "--run-id", "r1", typed="left\nwhy not\n"
    )
    lines = output.splitlines()
    ids = [line.partition("headrace answer r1 ")[2].split()[0] for line in lines if "asks:" in line]

    assert lines[1:6] == [
        'progress: {"asked":1}',
        f"asks: Which way? (headrace answer r1 {ids[0]} ...)",
        f"answered (input {ids[0]})",
        f"asks: Why? (headrace answer r1 {ids[1]} ...)",
        f"answered (input {ids[1]})",
    ]


async def test_an_empty_line_declines(address: str) -> None:
    code, _, messages = await called(address, "run", "choosing", "-q", typed="\n")

    assert code == 1
    assert "INPUT_DECLINED" in messages[-1]


async def test_a_tool_is_allowed_declined_or_given_other_arguments(address: str) -> None:
    replies = ("y\n", "n\n", '{"copies": "many"}\n{"to": "bob", "copies": 2}\n')
    found = [await called(address, "run", "sending", "-q", typed=reply) for reply in replies]

    assert [(code, output) for code, output, _ in found] == [
        (0, "1 to ann\n"),
        (1, ""),
        (0, "2 to bob\n"),
    ]
    assert any("answer.copies" in line for line in found[2][2])


@pytest.mark.parametrize("options", [["--no-input"], []])
async def test_where_nobody_can_answer_the_run_is_cancelled_and_the_command_fails(
    address: str, options: list[str]
) -> None:
    code, _, messages = await called(address, "run", "choosing", "--run-id", "r1", *options)

    async with Client(address) as client:
        record = await client.get_run("r1")

    assert code == 1
    assert messages[-1].startswith("headrace: the run asks: Which way?; ")
    assert "`headrace answer r1 " in messages[-1]
    assert record.failure.reason == "RUN_CANCELLED"


async def test_as_json_it_fails_too_where_nobody_is_to_be_asked(address: str) -> None:
    code, output, messages = await called(address, "run", "choosing", "--json", "--no-input")

    assert code == 1
    assert "inputRequest" in output
    assert messages[-1].startswith("headrace: the run asks: Which way?; ")


async def test_who_joins_a_run_is_not_asked_what_is_answered_already(address: str) -> None:
    async with Client(address) as client, client.run("choosing", run_id="r1") as run:
        choice = await asked(client, "r1")
        await run.answer(choice.input_id, "left")
        text = await next_after(client, choice)
        joined = await called(address, "run", "choosing", "--run-id", "r1", "-q", typed="no idea\n")
        ended = await called(address, "run", "choosing", "--run-id", "r1", "-q", "--no-input")
        del text

    assert joined == (0, "left, no idea\n", ["Why?", "[text; nothing declines] "])
    assert ended == (0, "left, no idea\n", [])


async def test_questions_of_parallel_branches_are_put_one_after_another(address: str) -> None:
    code, output, messages = await called(address, "run", "pair", "-q", typed="maybe\ny\n3\n")

    assert (code, output) == (0, "True and 3\n")
    assert messages == [
        "First?",
        "[y or n; nothing declines] write y or n",
        "[y or n; nothing declines] Second?",
        "[a whole number as JSON; nothing declines] ",
    ]


async def test_what_is_no_answer_is_told_and_asked_for_again(address: str) -> None:
    replies = ["y", "NaN", "[" * 100_000, "9" * 5_000, "4"]
    code, output, messages = await called(address, "run", "pair", "-q", typed="\n".join(replies))

    assert (code, output) == (0, "True and 4\n")
    assert len(messages) == 6


async def test_as_json_it_prints_the_question_and_goes_on_reading(address: str) -> None:
    async with process(address, "run", "choosing", "--json", "--run-id", "r1") as command:
        assert command.stdout is not None
        events: list[dict[str, object]] = []

        async with Client(address) as client:
            while line := await command.stdout.readline():
                events.append(json.loads(line))

                if "inputRequest" in events[-1]:
                    request = await asked(client, "r1")
                    await client.answer("r1", request.input_id, "left")

        code = await command.wait()

    assert code == 0
    assert [
        next(iter({*event} & {"inputRequest", "inputResolved"}))
        for event in events
        if ({*event} & {"inputRequest", "inputResolved"})
    ] == ["inputRequest", "inputResolved"] * 2


async def test_a_question_answered_elsewhere_is_taken_back(address: str) -> None:
    async with (
        process(address, "run", "choosing", "--run-id", "r1", "-q") as command,
        Client(address) as client,
    ):
        assert command.stderr is not None
        assert command.stdin is not None
        await command.stderr.readuntil(b"declines] ")
        first = await asked(client, "r1")
        await client.answer("r1", first.input_id, "left")
        said = await command.stderr.readuntil(b"Why?\n")
        output, _ = await command.communicate(b"somebody did\n")

    assert said.splitlines() == [b"", b"(it needs no answer any more)", b"Why?"]
    assert output == b"left, somebody did\n"


async def test_another_command_answers_a_run(address: str) -> None:
    async with Client(address) as client, client.run("choosing", run_id="r1") as run:
        choice = await asked(client, "r1")
        answered = [
            await called(address, "answer", "r1", choice.input_id, *given)
            for given in (["up"], [""], ["2"], ["right"], ["left"], [])
        ]
        text = await next_after(client, choice)
        declined = await called(
            address, "answer", "r1", text.input_id, "--decline", "--reason", "no idea"
        )
        failure = await failure_of(client, "r1")
        del run

    said = f"run r1, input {choice.input_id}: answered\n"
    assert [(code, output) for code, output, _ in answered] == [
        (2, ""),
        (2, ""),
        (0, said),
        (0, said),
        (2, ""),
        (2, ""),
    ]
    assert declined[:2] == (0, f"run r1, input {text.input_id}: declined: no idea\n")
    assert failure == "INPUT_DECLINED"


async def next_after(client: Client, former: InputRequest) -> InputRequest:
    """What the run asks next."""
    while True:
        request = await asked(client, "r1")

        if request.input_id != former.input_id:
            return request


async def failure_of(client: Client, run_id: str) -> str:
    """The reason of a run's failure, once it has failed."""
    while True:
        if reason := (await client.get_run(run_id)).failure.reason:
            return reason


async def test_a_tool_is_approved_by_another_command(address: str) -> None:
    async with Client(address) as client, client.run("sending", run_id="r1") as run:
        request = await asked(client, "r1")
        answered = await called(address, "answer", "r1", request.input_id, "--approve")
        sent = await run.result()

    assert answered[:2] == (0, f"run r1, input {request.input_id}: answered\n")
    assert sent == {"sent": "1 to ann"}


async def test_waiting_runs_are_listed_and_deleted(address: str) -> None:
    async with Client(address) as client, client.run("choosing", run_id="r1", labels={"a": "b"}):
        await asked(client, "r1")
        listed = [
            await called(address, "runs", *options)
            for options in (["--state", "waiting"], ["--state", "failed"], ["--label", "a=c"])
        ]
        deleted = await called(address, "rm", "r1")
        again = await called(address, "rm", "r1")

    assert [output.split()[:3] for _, output, _ in listed] == [
        ["r1", "choosing", "waiting"],
        [],
        [],
    ]
    assert deleted[:2] == (0, "run r1: deleted\n")
    assert (again[0], again[1]) == (2, "")


async def test_runs_are_deleted_though_one_among_them_is_unknown(address: str) -> None:
    async with Client(address) as client, client.run("choosing", run_id="r2"):
        code, output, messages = await called(address, "rm", "r1", "r2", "r3")

    assert (code, output) == (2, "run r2: deleted\n")
    assert [line.split(":")[1] for line in messages] == [" no run 'r1'", " no run 'r3'"]


async def test_an_answer_that_is_no_json_is_refused_in_a_line(address: str) -> None:
    code, output, messages = await called(address, "answer", "r1", "q1", "--answer-json", "NaN")

    assert (code, output) == (2, "")
    assert messages[-1].startswith("Error: ")


async def test_a_run_that_is_yet_to_come_is_cancelled(address: str) -> None:
    cancelled = await called(address, "cancel", "r1")
    refused = await called(address, "run", "choosing", "--run-id", "r1")

    assert cancelled[1].startswith("run r1: there is none; one of this name is refused until ")
    assert refused[0] == 1
    assert "RUN_CANCELLED" in refused[2][-1]


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
async def test_on_a_terminal_it_asks_below_the_board(address: str) -> None:
    tmux = Tmux()
    command = f"{sys.executable} -m headrace_client.cli run choosing --address {address}"

    try:
        await tmux("new-session", "-d", "-s", "t", "-x", "80", "-y", "24", "env PS1='$ ' sh -i")
        await tmux("send-keys", "-t", "t", command, "Enter")
        await tmux.shows("asks", "Which way?", "1  left", "[1 to 2, or the choice itself")
        await tmux("send-keys", "-t", "t", "2", "Enter")
        await tmux.shows("Why?", "[text; nothing declines]")
        await tmux("send-keys", "-t", "t", "it is shorter", "Enter")
        screen = await tmux.shows("said", "right, it is shorter")
    finally:
        await tmux("kill-server")

    assert "✓ asks      answered" in screen


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
async def test_what_was_typed_for_one_question_answers_no_other(address: str) -> None:
    """The first is answered elsewhere while somebody types; the next one must not get the rest."""
    tmux = Tmux()
    command = f"{sys.executable} -m headrace_client.cli run pair --run-id r1 --address {address}"

    try:
        await tmux("new-session", "-d", "-s", "t", "-x", "80", "-y", "24", "env PS1='$ ' sh -i")
        await tmux("send-keys", "-t", "t", command, "Enter")
        await tmux.shows("First?", "[y or n; nothing declines]")
        await tmux("send-keys", "-t", "t", "12")

        async with Client(address) as client:
            first = await asked(client, "r1")
            await client.answer("r1", first.input_id, True)

        await tmux.shows("(it needs no answer any more)", "[a whole number as JSON")
        await tmux("send-keys", "-t", "t", "3", "Enter")
        await tmux.shows("said", "True and 3")
    finally:
        await tmux("kill-server")
