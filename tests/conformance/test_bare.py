"""A client that knows four arms and accepts nothing: what it does not know is kept from it, and counted."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from client.events import Arm, answered, custom, envelope, log, prediction, question, token
from client.scripted_service import Ending, ScriptedService, serving
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from headrace import Module, Program, ask
from headrace.calls import current_call, current_run
from headrace.events import CustomEvent
from headrace.parsing import FieldDelta
from headrace.testing import serve_programs
from headrace_client import Client
from headrace_proto.v1 import headrace_pb2 as pb

BARE = Path(__file__).parent / "bare"
ARMS = ["status", "token", "prediction", "heartbeat"]
BOUND = 20.0
"""Seconds; a client that reads so long loops."""


class Sent(NamedTuple):
    """One event as the bare client had it."""

    arm: str | None
    sequence: int
    event_count: int
    chunk: str = ""


class Said(NamedTuple):
    """All that the bare client tells of reading a run."""

    arms: list[str]
    streams: list[int]
    """After which position each was asked for."""
    events: list[Sent]
    end: str


@pytest.fixture(scope="session")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stub of the cut copy, under the name of the whole one."""
    root = tmp_path_factory.mktemp("bare")
    package = root / "headrace_proto" / "v1"
    package.mkdir(parents=True)
    (package / "headrace.proto").write_text((BARE / "headrace.proto").read_text())

    for folder in (package, package.parent):
        (folder / "__init__.py").touch()

    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{root}"),
            *(f"--python_out={root}", f"--grpc_python_out={root}"),
            f"--descriptor_set_out={root}/bare.binpb",
            "headrace_proto/v1/headrace.proto",
        ],
        check=True,
        cwd=root,
    )

    return root


async def read_bare(
    stub: Path,
    address: str,
    program: str,
    *,
    at_live_edge: Callable[[], Awaitable[None]] | None = None,
) -> Said:
    """Has the bare client read run "r"; `at_live_edge` is done once it has all there is."""
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, str(BARE / "client.py"), address, program, "r"),
        env={**os.environ, "PYTHONPATH": str(stub)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert client.stdout is not None
    lines: list[Any] = []

    try:
        async with asyncio.timeout(BOUND):
            async for line in client.stdout:
                lines.append(json.loads(line))

                if at_live_edge is not None and "heartbeat" in lines[-1]:
                    await at_live_edge()
                    at_live_edge = None

            await client.wait()
    finally:
        if client.returncode is None:
            client.kill()

    first, *told, (end,) = lines

    return Said(
        first["arms"],
        [line["stream_after"] for line in told if isinstance(line, dict)],
        [Sent(*line) for line in told if isinstance(line, list)],
        end,
    )


def positions(events: Iterable[Sent]) -> list[Sent]:
    return [event for event in events if event.sequence and event.arm != "heartbeat"]


def unaccounted(events: Iterable[Sent]) -> list[tuple[int, int]]:
    """Between which positions the counts do not add up to the difference."""
    found: list[tuple[int, int]] = []
    last = counted = 0

    for event in events:
        counted += event.event_count

        if event.sequence and event.arm != "heartbeat":
            if counted != event.sequence - last:
                found.append((last, event.sequence))

            last, counted = event.sequence, 0

    return found


# The cut copy


def test_the_cut_copy_is_a_part_of_the_contract(stub: Path) -> None:
    (cut,) = FileDescriptorSet.FromString((stub / "bare.binpb").read_bytes()).file
    whole = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(whole)

    assert parts(cut) - parts(whole) == set()
    assert len(parts(cut)) < len(parts(whole)) / 2


def parts(file: FileDescriptorProto) -> set[tuple[object, ...]]:
    """Every field, enum value and method with its number and types."""
    found: set[tuple[object, ...]] = {
        (method.name, method.input_type, method.output_type, method.server_streaming)
        for service in file.service
        for method in service.method
    }
    found |= {
        (enum.name, value.name, value.number) for enum in file.enum_type for value in enum.value
    }

    for message in file.message_type:
        found |= message_parts(message)

    return found


def message_parts(message: DescriptorProto) -> set[tuple[object, ...]]:
    fields = {
        (message.name, field.name, field.number, field.label, field.type, field.type_name)
        for field in message.field
    }
    values = {
        (message.name, enum.name, value.name, value.number)
        for enum in message.enum_type
        for value in enum.value
    }

    return {*fields, *values}


# Against the server


class Telling(Module):
    """Writes a text, and tells how far it is between its words."""

    async def aforward(self, words: int = 5) -> Mapping[str, str]:
        run, call = current_run(), current_call()
        assert run is not None
        assert call is not None

        with run.fields("self", call.call_id, typed=()) as writer:
            for done in range(words):
                run.emit(CustomEvent("progress", call.call_id, json.dumps({"done": done})))
                writer.write(FieldDelta("text", f"word{done} ", done == words - 1))
                run.emit(CustomEvent("log", call.call_id))
                await asyncio.sleep(0)

        return {"text": "".join(f"word{done} " for done in range(words))}


class Asking(Module):
    """Answers what it is told."""

    async def aforward(self) -> Mapping[str, str]:
        return {"text": await ask("What about?")}


async def test_it_is_sent_four_arms_alone_and_its_counts_add_up(stub: Path) -> None:
    async with serve_programs(Program(Telling(), name="telling")) as address:
        told = await read_bare(stub, address, "telling")

        async with Client(address) as client, client.attach("r") as run:
            kinds = [type(event).__name__ async for event in run]
            last = run.cursor

    assert (told.arms, told.end, told.streams) == (ARMS, "OK", [0])
    assert {event.arm for event in told.events} <= set(ARMS)
    assert unaccounted(told.events) == []
    assert positions(told.events)[-1].sequence == last
    assert sum(event.event_count for event in told.events) == last
    assert "".join(event.chunk for event in told.events) == "word0 word1 word2 word3 word4 "
    assert kinds.count("CustomEvent") == 10


async def test_it_stays_on_one_stream_while_a_run_waits(stub: Path) -> None:
    states: list[pb.Run.State.ValueType] = []

    async with (
        serve_programs(Program(Asking(), name="asking")) as address,
        Client(address) as other,
    ):

        async def answer() -> None:
            async with other.attach("r") as run:
                async for event in run:
                    if isinstance(event, pb.InputRequest):
                        states.append((await other.get_run("r")).state)
                        await run.answer(event.input_id, "mills")

        told = await read_bare(stub, address, "asking", at_live_edge=answer)
        last = (await other.get_run("r")).last_sequence

    assert states == [pb.Run.STATE_WAITING]
    assert (told.streams, told.end) == ([0], "OK")
    assert {event.arm for event in told.events} == {*ARMS} - {"token"}
    assert unaccounted(told.events) == []
    assert sum(event.event_count for event in told.events) == last


# Against servers that do what ours never did


async def test_what_it_does_not_know_does_not_hurt_it(stub: Path) -> None:
    events = log(custom("begun"), token("self.x", "a", last=True), prediction(x="a"))

    async with serving(ScriptedService(events)) as service:
        told = await read_bare(stub, service.address, "any")

    assert told.end == "OK"
    assert told.events == [
        Sent(None, 1, 1),
        Sent("token", 2, 1, "a"),
        Sent("prediction", 3, 1),
    ]


async def test_a_question_that_it_is_sent_all_the_same_does_not_stop_it(stub: Path) -> None:
    waiting: list[Arm] = [question("q", "Which?"), answered("q"), prediction(x="a")]
    service = ScriptedService([*log(waiting[0]), envelope(pb.Heartbeat(), 1), *log(*waiting)[1:]])

    async with serving(service), Client(service.address) as client:
        reading = asyncio.create_task(read_bare(stub, service.address, "any"))
        await service.waits.wait()
        await client.answer("r", "q", "b")
        told = await reading

    assert (told.streams, told.end) == ([0], "OK")
    assert [event.arm for event in told.events] == [None, "heartbeat", None, "prediction"]


@pytest.mark.parametrize("state", ["WAITING", "PARKED"])
async def test_it_stops_where_reading_on_would_not_help(stub: Path, state: str) -> None:
    service = ScriptedService(
        log(token("self.x", "a")), [Ending(grpc.StatusCode.UNAVAILABLE, run_state=state)]
    )

    async with serving(service):
        told = await read_bare(stub, service.address, "any")

    assert (told.streams, told.end) == ([0], "UNAVAILABLE")


async def test_it_resumes_where_a_stream_was_cut(stub: Path) -> None:
    events = log(token("self.x", "a"), custom("half"), token("self.x", "b", 1), prediction(x="ab"))
    cut = Ending(grpc.StatusCode.UNAVAILABLE, after=2)

    async with serving(ScriptedService(events, [cut])) as service:
        told = await read_bare(stub, service.address, "any")

    assert (told.streams, told.end) == ([0, 2], "OK")
    assert [event.sequence for event in told.events] == [1, 2, 3, 4]
    assert all(one.sequence < other.sequence for one, other in pairwise(told.events))
