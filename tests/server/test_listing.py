"""Lists of runs: newest first, by what is asked for, in pages that stay true while runs come and go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import grpc
import headrace
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from headrace.errors import ProgramError, RequestInvalid, RunCancelled
from headrace.hosting.port import StartRequest
from headrace.runs.limits import Limits
from headrace.runs.record import Ending, RunKey, RunRecord, RunState
from headrace.runs.registry import Registry
from headrace.runs.stores.base import Intake, Outbox, RunStore
from headrace.runs.stores.listing import ALL, Page, PagePlace, RunFilter
from headrace.runs.stores.memory import MemoryStore
from headrace.server.v1 import requests
from headrace.server.v1.values import timestamp
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from server.scripted import Gate, Scripted, soon, started
from server.serving import Served, asking, first, heard, program, refusal, served
from server.stores import STORES

ENDINGS = {
    RunState.SUCCEEDED: Ending(),
    RunState.FAILED: Ending(ProgramError("it raised")),
    RunState.CANCELLED: Ending(RunCancelled("caller")),
}


class Model:
    """Runs in a store, and beside it what is known of them."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.there: dict[str, RunRecord] = {}
        self.changed: set[str] = set()
        """Those that were not as they are now all the time."""
        self._count = 0
        self._latest = 0.0
        self._outboxes: dict[str, Outbox] = {}

    async def start(self, created: int, kind: int) -> None:
        """A run of one of two programs, with one of two labels."""
        name = f"r{self._count}"
        self._count += 1
        record = RunRecord(
            RunKey("ann", name),
            program="ab"[kind % 2],
            revision="1",
            digest="",
            create_time=float(created),
            timeout=9.0,
            linger=0.0,
            labels={"team": "xy"[kind // 2]},
        )
        assert await self.store.claim(record) is None
        intake = Intake(lambda event: event, 1000, lambda: None, lambda error: None)
        self._outboxes[name] = self.store.outbox(record, intake)
        self.there[name] = record
        self.changed.add(name)

    async def begin(self, name: str) -> None:
        if self.there[name].state is RunState.QUEUED:
            self._become(name, begun=True)
            self.store.update(self.there[name])

    async def end(self, name: str, state: RunState) -> None:
        if self.there[name].ending is None:
            self._latest = max(self._latest, float(state))  # who ends later expires no sooner
            self._become(name, ending=ENDINGS[state], end_time=1.0, expire_time=self._latest)
            self._outboxes[name].end(self.there[name])
            await asyncio.sleep(0)

    async def delete(self, name: str) -> None:
        await self.store.drop(self.there.pop(name).key)

    async def expire(self, now: int) -> None:
        await self.store.expire(float(now))
        self.there = {
            name: one
            for name, one in self.there.items()
            if one.expire_time is None or one.expire_time > now
        }

    def _become(self, name: str, **changes: Any) -> None:
        self.there[name] = replace(self.there[name], **changes)
        self.changed.add(name)


def wants(wanted: RunFilter, record: RunRecord) -> bool:
    """Whether the run is meant, said once more in other words."""
    after = -1.0 if wanted.created_after is None else wanted.created_after
    before = 99.0 if wanted.created_before is None else wanted.created_before

    return all(
        (
            not wanted.program or wanted.program == record.program,
            not wanted.states or record.state in wanted.states,
            {**record.labels, **wanted.labels} == record.labels,
            after < record.create_time < before,
        )
    )


moments = st.integers(0, 5)
filters = st.builds(
    RunFilter,
    program=st.sampled_from(["", "a", "b"]),
    states=st.frozensets(st.sampled_from(RunState), max_size=3),
    labels=st.dictionaries(st.just("team"), st.sampled_from("xy")),
    created_after=st.none() | moments.map(float),
    created_before=st.none() | moments.map(float),
)
starts = st.tuples(st.just("start"), moments, st.integers(0, 3))
changes = starts | st.one_of(
    st.tuples(st.just("begin"), st.integers(0, 9)),
    st.tuples(st.just("end"), st.integers(0, 9), st.sampled_from([*ENDINGS])),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("expire"), st.integers(0, 6)),
)


async def change(model: Model, step: Sequence[Any]) -> None:
    """Takes a step; those that name a run name one of those there are."""
    what, *how = step

    if what in ("start", "expire"):
        await getattr(model, what)(*how)
    elif model.there:
        names = list(model.there)
        await getattr(model, what)(names[how[0] % len(names)], *how[1:])


@pytest.mark.parametrize("kind", STORES)
@given(
    st.lists(starts, max_size=8),
    st.lists(changes, max_size=8),
    st.lists(st.lists(changes, max_size=4), max_size=6),
    filters,
    st.integers(1, 4),
)
def test_pages_repeat_no_run_and_leave_none_out_while_runs_come_and_go(
    kind: str,
    first: Sequence[Sequence[Any]],
    then: Sequence[Sequence[Any]],
    between: Sequence[Sequence[Sequence[Any]]],
    wanted: RunFilter,
    size: int,
) -> None:
    async def pages() -> None:
        limits = Limits()
        model = Model(STORES[kind](limits))
        registry = Registry(limits, model.store)

        for step in [*first, *then]:
            await change(model, step)

        meant_first = {name for name, one in model.there.items() if wants(wanted, one)}
        meant_ever = set(meant_first)
        model.changed.clear()
        listed: list[tuple[float, str]] = []
        page, token = await registry.page("ann", wanted, size=size)

        for steps in [*between, *[()] * 99]:
            assert len(page) <= size
            listed += [(run.create_time, run.run_id) for run in page]

            if not token:
                break

            for step in steps:
                await change(model, step)
                meant_ever |= {name for name, one in model.there.items() if wants(wanted, one)}

            page, token = await registry.page("ann", wanted, size=size, token=token)

        names = [name for _, name in listed]
        stayed = {name for name in meant_first & model.there.keys() if name not in model.changed}

        assert listed == sorted(set(listed), reverse=True)
        assert stayed <= set(names) <= meant_ever

    asyncio.run(pages())


@pytest.fixture
async def service() -> AsyncIterator[Served]:
    async with served(program(), program(name="other")) as one:
        yield one


async def listed(service: Served, **asked: Any) -> list[str]:
    """The runs that are listed, in one page."""
    answer = await soon(service.stub.ListRuns(pb.ListRunsRequest(**asked)))

    return [run.run_id for run in answer.runs]


async def until_over(call: Any) -> None:
    """Reads a stream to its end."""
    while await call.read() is not grpc.aio.EOF:
        pass


async def ran(service: Served, run_id: str, program: str = "scripted", **asked: Any) -> None:
    request = asking(run_id=run_id, **asked)
    request.program = program
    await soon(heard(service.stub.Run(request)))


@pytest.mark.usefixtures("each_store")
async def test_runs_are_listed_by_program_and_labels(service: Served) -> None:
    await ran(service, "r1", labels={"team": "blue", "stage": "test"})
    await ran(service, "r2", labels={"team": "blue"})
    await ran(service, "r3", "other", labels={"team": "red"})

    assert await listed(service) == ["r3", "r2", "r1"]
    assert await listed(service, program="scripted") == ["r2", "r1"]
    assert await listed(service, program="nothing") == []
    assert await listed(service, labels={"team": "blue"}) == ["r2", "r1"]
    assert await listed(service, labels={"team": "blue", "stage": "test"}) == ["r1"]
    assert await listed(service, labels={"stage": ""}) == []
    assert await listed(service, program="other", labels={"team": "blue"}) == []


@pytest.mark.usefixtures("each_store")
async def test_runs_are_listed_by_their_state() -> None:
    gates = {"running": Gate(), "queued": Gate()}

    async def play(question: str) -> object:
        if question == "fail":
            raise ValueError

        return await gates[question].play(question) if question in gates else question

    async with served(program(play), limits=Limits(max_running_count=1)) as service:
        for question in ("good", "fail"):
            await soon(heard(service.stub.Run(asking(question, run_id=question))))

        calls: list[Any] = []

        for question in gates:
            call = service.stub.Run(asking(question, run_id=question))
            await soon(call.initial_metadata())
            calls.append(call)

        running, queued = pb.Run.STATE_RUNNING, pb.Run.STATE_QUEUED
        assert await listed(service, states=[running]) == ["running"]
        assert await listed(service, states=[queued, running]) == ["queued", "running"]
        assert await listed(service, states=[pb.Run.STATE_SUCCEEDED]) == ["good"]
        assert await listed(service, states=[pb.Run.STATE_FAILED]) == ["fail"]
        assert await listed(service, states=[pb.Run.STATE_WAITING]) == []
        assert await listed(service, states=[99]) == []

        await soon(service.stub.CancelRun(pb.CancelRunRequest(run_id="queued")))
        assert await listed(service, states=[pb.Run.STATE_CANCELLED]) == ["queued"]
        gates["running"].opened.set()
        await soon(heard(calls[0]))
        assert await listed(service, states=[pb.Run.STATE_SUCCEEDED]) == ["running", "good"]


@pytest.mark.usefixtures("each_store")
async def test_a_run_that_asks_people_is_listed_as_waiting_until_they_have_answered() -> None:
    async def play(question: str) -> object:
        return await headrace.ask(question)

    options = pb.StreamOptions(
        accept=[pb.EVENT_KIND_INPUT],
        status_detail=pb.STATUS_DETAIL_NONE,
        heartbeat_interval=Duration(),
    )
    waiting, running = pb.Run.STATE_WAITING, pb.Run.STATE_RUNNING

    async with served(program(play)) as service:
        call = service.stub.Run(asking(run_id="r1", options=options))
        [event] = await first(call, 1)
        assert await listed(service, states=[waiting]) == ["r1"]
        assert await listed(service, states=[running]) == []

        answer = pb.SendInputRequest(run_id="r1", input_id=event.input_request.input_id)
        answer.answer_json = '"because"'
        await soon(service.stub.SendInput(answer))
        assert await listed(service, states=[waiting]) == []
        await soon(until_over(call))
        assert await listed(service, states=[pb.Run.STATE_SUCCEEDED]) == ["r1"]


@pytest.mark.usefixtures("each_store")
async def test_a_state_that_is_none_is_refused(service: Served) -> None:
    request = pb.ListRunsRequest(states=[pb.Run.STATE_UNSPECIFIED])
    refused = await soon(refusal(service.stub.ListRuns(request)))

    assert refused.trailers["headrace-error-reason"] == "REQUEST_INVALID"
    assert refused.details == "states: 0 is no state; leave it out for any"


@pytest.mark.usefixtures("each_store")
async def test_runs_are_listed_by_when_they_were_accepted_the_moment_itself_left_out(
    service: Served,
) -> None:
    for run_id in ("r1", "r2", "r3"):
        await ran(service, run_id)

    runs = (await soon(service.stub.ListRuns(pb.ListRunsRequest()))).runs
    moment = {run.run_id: run.create_time for run in runs}

    assert await listed(service, created_after=moment["r1"]) == ["r3", "r2"]
    assert await listed(service, created_before=moment["r3"]) == ["r2", "r1"]
    between = {"created_after": moment["r1"], "created_before": moment["r3"]}
    assert await listed(service, **between) == ["r2"]
    assert await listed(service, created_after=moment["r3"], created_before=moment["r1"]) == []
    assert await listed(service, created_after=Timestamp()) == ["r3", "r2", "r1"]


BAD_MOMENTS = [
    Timestamp(nanos=-1),
    Timestamp(nanos=1_000_000_000),
    Timestamp(seconds=253_402_300_800),
    Timestamp(seconds=-62_135_596_801),
]


@pytest.mark.parametrize("moment", BAD_MOMENTS, ids=str)
@pytest.mark.parametrize("field", ["created_after", "created_before"])
def test_a_malformed_moment_is_refused_by_name(field: str, moment: Timestamp) -> None:
    request = pb.ListRunsRequest()
    getattr(request, field).CopyFrom(moment)

    with pytest.raises(RequestInvalid) as refused:
        requests.decode_filter(request)

    [violation] = refused.value.violations
    assert violation.field == field
    assert violation.description.startswith("must be a moment of the years 1 to 9999")


@given(st.floats(1e9, 4e9))
def test_a_moment_that_was_told_comes_back_as_it_was(moment: float) -> None:
    filter_ = requests.decode_filter(pb.ListRunsRequest(created_after=timestamp(moment)))

    assert filter_.created_after == moment


@pytest.mark.usefixtures("each_store")
async def test_a_page_token_says_nothing_and_cannot_be_made_up(service: Served) -> None:
    for run_id in ("r1", "r2"):
        await ran(service, run_id)

    page = await soon(service.stub.ListRuns(pb.ListRunsRequest(page_size=1)))
    assert "r2" not in page.next_page_token
    rest = await listed(service, page_token=page.next_page_token)
    assert rest == ["r1"]

    for token in ("x", "r1", page.next_page_token + "A", page.next_page_token[1:], "é", "===="):
        refused = await soon(refusal(service.stub.ListRuns(pb.ListRunsRequest(page_token=token))))
        assert refused.code is StatusCode.INVALID_ARGUMENT
        assert refused.details == "page_token: must be the next_page_token of the page before"


@given(st.text())
def test_any_place_goes_through_a_page_token(place: str) -> None:
    try:
        place.encode()
    except UnicodeEncodeError:
        return

    assert requests.page_place(requests.page_token(place)) == place


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)) | st.text())
def test_a_page_token_is_one_that_is_given_for_its_place_or_refused(token: str) -> None:
    place = None

    with contextlib.suppress(RequestInvalid):
        place = requests.page_place(token)

    assert place is None or requests.page_token(place) == token


@pytest.mark.parametrize(("asked", "given_"), [(0, 100), (7, 7), (1000, 1000), (1001, 1000)])
def test_a_page_has_so_many_items(asked: int, given_: int) -> None:
    assert requests.page_size(asked) == given_


@pytest.mark.usefixtures("each_store")
async def test_a_page_beyond_the_largest_is_the_largest_and_a_negative_one_is_refused(
    service: Served,
) -> None:
    await ran(service, "r1")
    lists: Mapping[str, Callable[[int], Any]] = {
        "runs": lambda size: service.stub.ListRuns(pb.ListRunsRequest(page_size=size)),
        "programs": lambda size: service.stub.ListPrograms(pb.ListProgramsRequest(page_size=size)),
    }

    for items, call in lists.items():
        assert len(getattr(await soon(call(2**31 - 1)), items)) == {"runs": 1, "programs": 2}[items]
        refused = await soon(refusal(call(-1)))
        assert refused.details == "page_size: must not be negative"


@pytest.mark.usefixtures("each_store")
async def test_programs_go_on_after_a_page_token_and_not_after_what_is_none(
    service: Served,
) -> None:
    page = await soon(service.stub.ListPrograms(pb.ListProgramsRequest(page_size=1)))
    rest = pb.ListProgramsRequest(page_token=page.next_page_token)
    bad = pb.ListProgramsRequest(page_token="scripted")

    assert [one.name for one in page.programs] == ["other"]
    assert [one.name for one in (await soon(service.stub.ListPrograms(rest))).programs] == [
        "scripted"
    ]
    assert (await soon(refusal(service.stub.ListPrograms(bad)))).code is StatusCode.INVALID_ARGUMENT


class Late(MemoryStore):
    """A store in which something happens between reading a page and telling it."""

    async def happens(self) -> None:
        """Nothing, unless the test sets it."""

    async def page(
        self, principal: str, wanted: RunFilter, *, after: PagePlace | None = None, size: int
    ) -> Page:
        page = await super().page(principal, wanted, after=after, size=size)
        await self.happens()

        return page


async def test_a_run_is_listed_as_it_is_when_it_is_told_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate, limits = Gate(), Limits()
    running = RunFilter(states=frozenset([RunState.RUNNING]))

    async with Registry(limits, store := Late(limits)) as registry:
        order = StartRequest(Scripted(gate.play), {"question": "why?"}, run_id="r1")
        run = await started(registry, order)
        [[told], _] = await registry.page("", running, size=9)
        assert told is run

        async def ends() -> None:
            gate.opened.set()
            await soon(run.ended())

        monkeypatch.setattr(store, "happens", ends)
        assert await registry.page("", running, size=9) == ([], "")
        [[told], _] = await registry.page("", ALL, size=9)
        assert (told.run_id, told.state) == ("r1", RunState.SUCCEEDED)
