"""The core by itself: callers start, join and follow runs in process, without a protocol."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from headrace.errors import (
    CursorAhead,
    InputInvalid,
    PermissionDenied,
    ProgramNotFound,
    RequestInvalid,
    RevisionMismatch,
    RunNotFound,
)
from headrace.events import (
    CustomEvent,
    InputRequest,
    InputResolved,
    PredictionEvent,
    Status,
    Token,
)
from headrace.runs.limits import Limits
from headrace.runs.record import RunState
from headrace.runs.registry import Registry
from headrace.runs.run import Run
from headrace.server.config import Principal
from headrace.server.core import Caller, Core, Start
from headrace.server.errors import StreamAged
from headrace.server.reader import Delivery
from headrace.server.selection import ReaderOptions, StatusDetail
from server.scripted import BOUND, Gate, soon, until, write
from server.serving import program

ANN = Caller(Principal(name="ann", include_data=True))
BOB = Caller(Principal(name="bob", programs=("other",)))
QUIET = ReaderOptions(status_detail=StatusDetail.NONE, heartbeat_interval=0.0)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    one = Registry(Limits(max_token_bytes=64))
    yield one
    await one.close()


@pytest.fixture
def core(registry: Registry) -> Core:
    return Core([program(), program(name="other")], registry)


class Sink:
    """A face without a protocol: it keeps what a reader is told, and tells of a heartbeat."""

    def __init__(self) -> None:
        self.told: list[Delivery] = []
        self.alive = asyncio.Event()

    async def write(self, delivery: Delivery) -> None:
        self.told.append(delivery)

        if delivery.event is None:
            self.alive.set()

    @property
    def outline(self) -> list[tuple[int, int, str]]:
        return [(one.sequence, one.event_count, outlined(one)) for one in self.told]


class Holding(Sink):
    """Holds back what it was told until it is flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Delivery] = []

    async def write(self, delivery: Delivery) -> None:
        self.held.append(delivery)

    async def flush(self) -> None:
        held, self.held = self.held, []

        for delivery in held:
            await super().write(delivery)


def outlined(delivery: Delivery) -> str:
    match delivery.event:
        case Token() as token:
            return token.chunk
        case Status() as status:
            return f"{status.kind.name} {status.phase.name}"
        case PredictionEvent():
            return "prediction"
        case None:
            return "heartbeat"
        case CustomEvent() | InputRequest() | InputResolved() as event:
            return type(event).__name__


async def started(core: Core, caller: Caller = ANN, **asked: Any) -> Run:
    start = Start("scripted", {"question": "why?"}, **asked)

    return await core.start(caller, core.authorise(caller, start.program), start)


async def followed(core: Core, run: Run, options: ReaderOptions) -> list[tuple[int, int, str]]:
    """All that a reader is told of a run."""
    sink = Sink()

    with core.follow(run, options) as reader:
        await soon(reader.stream(sink.write))

    return sink.outline


def test_nothing_of_a_protocol_is_loaded() -> None:
    ask = (
        "import headrace.server.core, sys; print({name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, check=True, text=True
    ).stdout

    assert "headrace" in loaded
    assert not [one for one in ("grpc", "google", "headrace_proto") if repr(one) in loaded]


async def test_a_run_is_followed_from_its_start_to_its_prediction(core: Core) -> None:
    run = await started(core)

    assert await followed(core, run, ReaderOptions(heartbeat_interval=0.0)) == [
        (1, 1, "RUN START"),
        (2, 1, "MODULE START"),
        (3, 1, "MODULE START"),
        (8, 5, "why?"),
        (9, 1, "MODULE END"),
        (10, 1, "MODULE END"),
        (11, 1, "RUN END"),
        (12, 1, "prediction"),
    ]
    assert (run.state, run.reader_count) == (RunState.SUCCEEDED, 0)


async def test_a_reader_gets_what_it_selects_and_the_rest_is_counted(core: Core) -> None:
    run = await started(core)

    assert await followed(core, run, QUIET) == [(8, 8, "why?"), (12, 4, "prediction")]


async def test_a_reader_that_comes_back_goes_on_where_it_was(core: Core) -> None:
    run = await started(core, run_id="r1")

    with core.kept(run):
        await run.ended()

    again = await started(core, run_id="r1", resumes=True)
    rest = ReaderOptions(after=10, heartbeat_interval=0.0)

    assert again is run
    assert await followed(core, run, rest) == [(11, 1, "RUN END"), (12, 1, "prediction")]

    with pytest.raises(CursorAhead), core.follow(run, ReaderOptions(after=13)):
        pass

    with pytest.raises(RunNotFound):
        await started(core, run_id="r2", resumes=True)


async def test_a_reader_with_nothing_to_read_is_told_that_the_run_lives(registry: Registry) -> None:
    gate, sink = Gate(), Sink()
    core = Core([program(gate.play)], registry)
    run = await started(core)
    await soon(gate.entered.wait())

    with core.follow(run, ReaderOptions(status_detail=StatusDetail.NONE)) as reader:
        reading = asyncio.create_task(reader.stream(sink.write))
        await soon(sink.alive.wait())
        gate.opened.set()
        await soon(reading)

    assert sink.outline == [(5, 5, "why?"), (5, 0, "heartbeat"), (9, 4, "prediction")]
    assert reader.position == 9


async def test_what_is_held_back_is_flushed_before_every_wait_and_at_the_end(
    registry: Registry,
) -> None:
    gate, sink = Gate(), Holding()
    core = Core([program(gate.play)], registry)
    run = await started(core)
    await soon(gate.entered.wait())

    with core.follow(run, ReaderOptions(status_detail=StatusDetail.NONE)) as reader:
        reading = asyncio.create_task(reader.stream(sink.write, sink.flush))
        await soon(sink.alive.wait())
        assert not sink.held
        gate.opened.set()
        await soon(reading)

    assert sink.outline == [(5, 5, "why?"), (5, 0, "heartbeat"), (9, 4, "prediction")]
    assert reader.position == 9


async def test_what_is_held_back_is_flushed_before_text_is_collected(registry: Registry) -> None:
    gate, sink = Gate(), Holding()
    core = Core([program(gate.play)], registry)
    run = await started(core)
    await soon(gate.entered.wait())
    options = replace(QUIET, merge_interval=BOUND, heartbeat_interval=0.0)

    with core.follow(run, options) as reader:
        reading = asyncio.create_task(reader.stream(sink.write, sink.flush))
        await soon(until(lambda: bool(sink.told)))
        gate.opened.set()
        await soon(reading)

    assert [text for _, _, text in sink.outline] == ["why?", "prediction"]


async def test_a_reader_sent_away_has_been_sent_all_up_to_its_position(registry: Registry) -> None:
    gate, sink = Gate(), Holding()
    core = Core([program(gate.play)], registry, max_stream_age=0.05)
    run = await started(core, linger=60.0)

    with pytest.raises(StreamAged), core.follow(run, QUIET) as reader:
        await soon(reader.stream(sink.write, sink.flush))

    assert [one.sequence for one in sink.told if one.sequence][-1] == reader.position == 5
    gate.opened.set()

    with core.kept(run):
        await soon(run.ended())


async def test_text_longer_than_a_token_may_be_is_split(registry: Registry) -> None:
    async def play(question: str) -> str:
        write("answer", "é" * 40, last=False)
        return question

    core = Core([program(play)], registry)
    run = await started(core)
    told = await followed(core, run, QUIET)

    assert [(sequence, len(text)) for sequence, _, text in told[:-1]] == [(0, 16), (0, 16), (5, 8)]


async def test_a_reader_sent_away_for_its_age_leaves_the_run_alone(registry: Registry) -> None:
    gate, sink = Gate(), Sink()
    core = Core([program(gate.play)], registry, max_stream_age=0.05)
    run = await started(core)

    with pytest.raises(StreamAged), core.follow(run, QUIET) as reader:
        await soon(reader.stream(sink.write))

    assert (run.over, run.reader_count) == (False, 0)
    gate.opened.set()

    with core.kept(run):
        await soon(run.ended())

    assert run.state is RunState.SUCCEEDED


async def test_a_reader_that_leaves_by_itself_begins_the_linger(registry: Registry) -> None:
    gate = Gate()
    core = Core([program(gate.play)], registry)
    run = await started(core)

    with core.follow(run, QUIET):
        await soon(gate.entered.wait())

    await soon(run.ended())
    assert run.state is RunState.CANCELLED


async def test_programs_and_data_are_for_who_may_see_them(core: Core) -> None:
    shown = ReaderOptions(include_data=True)

    assert core.authorise(ANN, "scripted", shown).name == "scripted"
    assert core.authorise(BOB, "other").name == "other"

    with pytest.raises(ProgramNotFound, match="there are other"):
        core.authorise(BOB, "scripted")

    with pytest.raises(PermissionDenied):
        core.authorise(BOB, "other", shown)

    with pytest.raises(RequestInvalid, match=r"'scripted\.nothing' cannot stream"):
        core.authorise(ANN, "scripted", ReaderOptions(fields=frozenset({"scripted.nothing"})))


async def test_runs_are_for_who_started_them(core: Core) -> None:
    run = await started(core, run_id="r1")
    ended = await soon(core.cancel(ANN, "r1", "x" * 300))

    assert (ended, await core.find(ANN, "r1")) == (run, run)
    assert await core.page(ANN, size=2) == ([run], "")
    assert await core.page(BOB, size=2) == ([], "")

    with pytest.raises(RunNotFound):
        await core.find(BOB, "r1")

    with pytest.raises(RequestInvalid, match="run_id"):
        await core.find(ANN, "")


async def test_a_start_that_does_not_fit_the_program_starts_nothing(
    core: Core, registry: Registry
) -> None:
    one = core.authorise(ANN, "scripted")

    with pytest.raises(RevisionMismatch) as mismatch:
        await core.start(ANN, one, Start("scripted", {}, revision="other"))

    with pytest.raises(InputInvalid) as unfit:
        await core.start(ANN, one, Start("scripted", {}, input_hint="send them"))

    assert mismatch.value.metadata == {"revision": one.revision}
    assert [(v.field, v.description) for v in unfit.value.violations][1:] == [
        ("inputs", "send them")
    ]
    assert registry.live_count == 0
