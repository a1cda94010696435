"""Answers are kept and shared: one request where one is enough, copies for everyone, honest usage."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from anyio import wait_all_tasks_blocked
from headrace.calls import RunScope, enter_run
from headrace.errors import LMServerError, UsageError
from headrace.events import Event, LmCall, Phase, Status, Usage
from headrace.lm import LM, Completion, Delta, cache_scope, configure_cache
from headrace.lm.cache.disk import MOST, DiskCache
from headrace.lm.cache.memory import OVERHEAD, MemoryCache
from headrace_mock import MockLM, Reply
from hypothesis import given, settings
from hypothesis import strategies as st

QUESTION = [{"role": "user", "content": "hi"}]
MODEL = "openai/any"
BOUND = 10.0


@pytest.fixture
async def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def mock(gate: asyncio.Event) -> AsyncIterator[MockLM]:
    async def gated(reply: Reply) -> None:
        await reply.open()
        await reply.chunks(["one "])
        await gate.wait()
        await reply.chunks(["two"])
        await reply.finish()
        await reply.end()

    async with MockLM({"gated": gated}) as mock:
        yield mock


def lm_for(mock: MockLM, model: str = "any", **arguments: Any) -> LM:
    return LM(f"openai/{model}", api_base=mock.base_url, api_key="k", **arguments)


async def ask(lm: LM, **options: Any) -> tuple[Completion, list[Delta]]:
    deltas: list[Delta] = []
    completion = await lm.complete(QUESTION, deltas.append, **options)

    return completion, deltas


async def test_the_same_request_is_answered_from_memory(mock: MockLM) -> None:
    lm = lm_for(mock)
    first, streamed = await ask(lm)
    second, deltas = await ask(lm)

    assert second.choices == first.choices
    assert second.choices is not first.choices
    assert (len(mock.requests), len(streamed) > 1, deltas) == (1, True, [])


async def test_a_cached_answer_says_so_and_cost_nothing(mock: MockLM) -> None:
    await ask(lm_for(mock))
    completion, _ = await ask(lm_for(mock))

    hit = Usage(cache_hits=1)
    assert completion.lm == LmCall(MODEL, "", "stop", cached=True, attempt=0)
    assert completion.usage == Usage(cache_hits=1, models={MODEL: hit})


async def test_sync_async_streamed_and_not_share_one_key(mock: MockLM) -> None:
    lm = lm_for(mock)
    answers = [
        await asyncio.to_thread(lm, "hi"),
        await lm.acall("hi"),
        await lm.acall(messages=QUESTION, stream=False, stream_options=None),
        [(await ask(lm_for(mock, engine="litellm")))[0].text],
    ]

    assert answers == [answers[0]] * 4
    assert len(mock.requests) == 1


@pytest.mark.parametrize(
    "options",
    [{"temperature": 0.5}, {"rollout_id": 1}, {"max_tokens": 9}, {"stop": ["x"]}],
    ids=str,
)
async def test_what_shapes_the_answer_makes_another_request(
    mock: MockLM, options: dict[str, Any]
) -> None:
    lm = lm_for(mock)
    await ask(lm)
    await ask(lm, **options)
    await ask(lm, **options)

    assert len(mock.requests) == 2


async def test_a_rollout_id_stays_at_home(mock: MockLM) -> None:
    await ask(lm_for(mock), rollout_id=1)

    assert "rollout_id" not in mock.requests[0].body


async def test_another_address_is_another_request(mock: MockLM) -> None:
    async with MockLM() as other:
        await ask(lm_for(mock))
        await ask(lm_for(other))

        assert (len(mock.requests), len(other.requests)) == (1, 1)


@pytest.mark.parametrize("where", ["lm", "call"])
async def test_cache_false_asks_every_time(mock: MockLM, where: str) -> None:
    lm = lm_for(mock, cache=where != "lm")
    options = {"cache": False} if where == "call" else {}
    await asyncio.gather(ask(lm, **options), ask(lm, **options))

    assert len(mock.requests) == 2


async def test_a_cache_that_is_off_is_off_for_every_lm(mock: MockLM) -> None:
    configure_cache(enabled=False)
    await asyncio.gather(ask(lm_for(mock)), ask(lm_for(mock)))

    assert len(mock.requests) == 2


async def test_scopes_do_not_see_each_others_answers(mock: MockLM) -> None:
    for principal in ("ada", "bob", "ada"):
        with cache_scope(principal):
            await ask(lm_for(mock))

    assert len(mock.requests) == 2


async def test_a_caller_cannot_change_what_is_kept(mock: MockLM) -> None:
    mock.models["any"] = [{"tool_calls": [{"index": 0, "function": {"name": "f"}}]}]
    lm = lm_for(mock)

    for _ in range(3):
        completion, _ = await ask(lm)
        name = completion.choices[0].tool_calls[0]["function"]["name"]
        completion.choices[0].tool_calls[0]["function"]["name"] = "changed"

        assert name == "f"


async def test_errors_are_not_kept(mock: MockLM) -> None:
    lm = lm_for(mock, "fault-status-500-once", num_retries=0)

    with pytest.raises(LMServerError):
        await ask(lm)

    assert (await ask(lm))[0].text


# Single flight


async def test_calls_at_the_same_time_share_one_request_and_hear_it_live(
    mock: MockLM, gate: asyncio.Event
) -> None:
    lm = lm_for(mock, "gated")
    heard: list[list[Delta]] = [[], [], []]
    begun = asyncio.Event()

    def first(delta: Delta) -> None:
        heard[0].append(delta)
        begun.set()

    calls = [asyncio.create_task(lm.complete(QUESTION, first))]
    await asyncio.wait_for(begun.wait(), BOUND)
    calls += [asyncio.create_task(lm.complete(QUESTION, one.append)) for one in heard[1:]]
    await wait_all_tasks_blocked()
    gate.set()
    completions = await asyncio.gather(*calls)

    assert heard == [[Delta("one "), Delta("two")]] * 3
    assert [one.text for one in completions] == ["one two"] * 3
    assert len(mock.requests) == 1
    assert [one.lm and (one.lm.attempt, one.lm.cached) for one in completions] == [
        (1, False),
        (0, False),
        (0, False),
    ]
    assert [(one.usage.lm_calls, one.usage.cache_hits) for one in completions] == [
        (1, 0),
        (0, 1),
        (0, 1),
    ]


async def test_one_that_leaves_does_not_end_it_for_the_others(
    mock: MockLM, gate: asyncio.Event
) -> None:
    lm = lm_for(mock, "gated")
    leaver, stayer = (asyncio.create_task(lm.complete(QUESTION)) for _ in range(2))
    await asyncio.wait_for(mock.received(1), BOUND)

    leaver.cancel()
    await asyncio.wait({leaver}, timeout=BOUND)
    gate.set()
    completion = await stayer

    assert (completion.text, completion.usage.lm_calls) == ("one two", 1)
    assert [request.left for request in mock.requests] == [None]


async def test_the_last_to_leave_closes_the_connection(mock: MockLM) -> None:
    lm = lm_for(mock, "gated")
    calls = [asyncio.create_task(lm.complete(QUESTION)) for _ in range(3)]
    [request] = await asyncio.wait_for(mock.received(1), BOUND)

    for call in calls:
        call.cancel()

    await asyncio.wait(calls, timeout=BOUND)
    await asyncio.wait_for(request.over.wait(), BOUND)

    assert request.left is not None


async def test_a_call_after_the_last_one_left_asks_anew(mock: MockLM, gate: asyncio.Event) -> None:
    lm = lm_for(mock, "gated")
    call = asyncio.create_task(lm.complete(QUESTION))
    await asyncio.wait_for(mock.received(1), BOUND)

    call.cancel()
    await wait_all_tasks_blocked()
    late = asyncio.create_task(lm.complete(QUESTION))
    await asyncio.wait_for(mock.received(2), BOUND)
    gate.set()

    assert (await late).text == "one two"


async def test_a_failure_reaches_everyone(mock: MockLM) -> None:
    lm = lm_for(mock, "fault-status-401")
    outcomes = await asyncio.gather(*(lm.acall("hi") for _ in range(3)), return_exceptions=True)

    assert {type(outcome).__name__ for outcome in outcomes} == {"LMAuthError"}
    assert len(mock.requests) == 1


async def test_a_receiver_that_raises_stops_its_own_call_only(
    mock: MockLM, gate: asyncio.Event
) -> None:
    def choke(delta: Delta) -> None:
        raise RuntimeError("enough")

    lm = lm_for(mock, "gated")
    choking = asyncio.create_task(lm.complete(QUESTION, choke))
    calm = asyncio.create_task(lm.complete(QUESTION))
    await asyncio.wait({choking}, timeout=BOUND)
    gate.set()

    assert isinstance(choking.exception(), RuntimeError)
    assert (await calm).text == "one two"


async def test_requests_and_recorded_attempts_agree_when_the_owner_leaves(
    mock: MockLM, gate: asyncio.Event
) -> None:
    events: list[Event] = []
    lm = lm_for(mock, "gated")

    with enter_run(RunScope(events.append)):
        owner, heir = (asyncio.create_task(lm.complete(QUESTION)) for _ in range(2))

    await asyncio.wait_for(mock.received(1), BOUND)
    owner.cancel()
    await asyncio.wait({owner}, timeout=BOUND)
    gate.set()
    await heir

    ends = [one for one in events if isinstance(one, Status) and one.phase is Phase.END]
    assert [one.lm and one.lm.attempt for one in ends] == [1, 0]
    assert len(mock.requests) == 1


# Where answers are kept


def test_memory_lets_the_least_recently_used_go() -> None:
    memory = MemoryCache(2 * (10 + OVERHEAD))

    for key in "ab":
        memory.put(key, b"x" * 10)

    memory.get("a")
    memory.put("c", b"x" * 10)

    assert [memory.get(key) is not None for key in "abc"] == [True, False, True]
    assert memory.size == 2 * (10 + OVERHEAD)


def test_memory_does_not_keep_what_is_bigger_than_itself() -> None:
    memory = MemoryCache(100)
    memory.put("a", b"x" * 1000)

    assert (memory.get("a"), memory.size) == (None, 0)


def test_the_disk_lets_the_least_recently_used_go(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path / "answers.db", limit=100)

    for key in "abc":
        disk.put(key, b"x" * 40)

    assert [disk.get(key) is not None for key in "abc"] == [False, True, True]
    disk.close()


def test_the_disk_does_not_keep_what_is_bigger_than_its_limit(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path / "answers.db", limit=100)
    disk.put("a", b"x" * 40)
    disk.put("b", b"x" * 101)

    assert [disk.get(key) is not None for key in "ab"] == [True, False]
    disk.close()


def kept_on_disk(path: Path) -> tuple[set[str], int]:
    """The keys in a file, and the total it has written down."""
    with closing(sqlite3.connect(path)) as database:
        keys = {key for (key,) in database.execute("SELECT key FROM answers")}
        [[total]] = database.execute("SELECT size FROM total")

    return keys, total


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"), st.integers(0, 120))))
def test_all_who_share_a_file_keep_its_limit_together(puts: list[tuple[bool, str, int]]) -> None:
    expected: dict[str, int] = {}  # the most recently used last

    with TemporaryDirectory() as directory:
        path = Path(directory) / "answers.db"
        sharers = [DiskCache(path, limit=100) for _ in range(2)]

        for second, key, size in puts:
            sharers[second].put(key, b"x" * size)

            if size <= 100:
                expected.pop(key, None)
                expected[key] = size

                while sum(expected.values()) > 100:
                    del expected[next(iter(expected))]

        found = kept_on_disk(path)

        for one in sharers:
            one.close()

    assert found == (set(expected), sum(expected.values()))


def test_a_lowered_limit_is_reached_by_and_by(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    disk = DiskCache(path, limit=10_000)

    for number in range(2 * MOST + 10):
        disk.put(str(number), b"x" * 10)

    disk.close()
    disk = DiskCache(path, limit=20)
    totals: list[int] = []

    for key in "abc":
        disk.put(key, b"x" * 10)
        totals.append(kept_on_disk(path)[1])

    disk.close()
    assert totals == [10 * (MOST + 11), 120, 20]


class Counted(sqlite3.Connection):
    """Counts the instructions that SQLite's machine executes."""

    instructions = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.set_progress_handler(self._count, 1)

    @classmethod
    def _count(cls) -> int:
        cls.instructions += 1
        return 0


@pytest.mark.parametrize("limit", [10**9, 1_000], ids=["room", "no room"])
def test_a_put_takes_the_same_work_however_much_is_kept(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = partial(sqlite3.connect, factory=Counted)
    monkeypatch.setattr(sqlite3, "connect", connect)
    work: list[int] = []

    for answers in (10, 1_000):
        disk = DiskCache(tmp_path / f"{answers}.db", limit if limit == 10**9 else answers)

        for number in range(answers):
            disk.put(f"old {number}", b"x")

        before = Counted.instructions
        disk.put("new", b"x")
        work.append(Counted.instructions - before)
        disk.close()

    assert work[0] > 20
    assert work[1] <= work[0] * 1.1


async def test_answers_on_disk_outlive_the_process(mock: MockLM, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "answers.db"
    configure_cache(disk=path)
    await ask(lm_for(mock))
    configure_cache(disk=path)
    completion, deltas = await ask(lm_for(mock))

    assert completion.lm is not None
    assert (completion.lm.cached, deltas, len(mock.requests)) == (True, [], 1)


def test_a_place_that_cannot_hold_a_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="cannot hold the LM cache"):
        configure_cache(disk=tmp_path / "file" / "answers.db")


def test_a_broken_disk_is_a_miss_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = DiskCache(tmp_path / "answers.db", limit=100)
    disk.close()

    disk.put("a", b"x")
    assert disk.get("a") is None
    assert len(caplog.records) == 2
