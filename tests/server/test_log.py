"""The run log: order, cursors, followers, and merging that loses nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Iterator, Sequence

import pytest
from anyio import wait_all_tasks_blocked
from headrace.events import Event
from headrace.log import Entry, RunLog, memory, merge
from headrace.log.memory import BLOCK
from hypothesis import given
from hypothesis import strategies as st
from server.recordings import Texts, apply, entries, recordings, status, texts_of, token


def test_events_are_numbered_from_one_and_read_past_a_cursor() -> None:
    log = RunLog()

    assert [log.append(status(name)) for name in "abc"] == [1, 2, 3]
    assert [entry.event for entry in log.read(1)] == [status("b"), status("c")]
    assert log.read(3) == ()


def test_a_closed_log_takes_nothing_more() -> None:
    log = RunLog()
    log.append(status())
    log.close()

    assert log.append(status()) == 0
    assert log.last_sequence == 1


async def test_what_is_drained_is_out_of_the_log_and_numbers_go_on() -> None:
    log = RunLog()
    log.append(token("a", 0))

    assert [entry.event for entry in log.drain()] == [token("a", 0)]
    assert log.held_bytes == log.recorded_bytes
    assert log.append(token("b", 1)) == 2
    assert await log.wait(1)
    assert [entry.sequence for entry in log.drain()] == [2]
    assert log.drain() == []


async def test_entries_of_another_log_keep_all_that_they_are_and_wake_who_waits_for_them() -> None:
    log = RunLog()
    text, step = log.follow(0), log.follow(0, patient=True)
    first = Entry(3, 1.5, token("abc", 0), event_count=3)
    log.extend([first])
    assert (text.done(), step.done()) == (True, False)

    group = [Entry(5, 2.5, token("d", 3), attempt=2), Entry(5, 2.5, token("e", 0, "x"), attempt=2)]
    log.extend([first, *group, Entry(6, 3.5, status(), attempt=2)])
    assert step.done()
    assert log.read() == [first, *group, Entry(6, 3.5, status(), attempt=2)]
    assert (log.last_sequence, log.first_token_time) == (6, 1.5)
    assert not log.follow(6).done()


def test_a_log_that_was_written_and_read_back_reads_the_same() -> None:
    log, copy = RunLog(merges=True), RunLog(merges=True)

    for place in range(3 * BLOCK):
        log.append(token("x", place // 2, "ab"[place % 2]))

    log.close()
    copy.extend(log.read())
    assert copy.read() == log.read()
    assert (copy.recorded_bytes, copy.held_bytes) == (log.recorded_bytes, log.held_bytes)

    copy.close()
    copy.extend([Entry(1000, 0.0, status())])
    assert copy.read() == log.read()


async def test_a_follower_is_woken_from_another_thread() -> None:
    log = RunLog()
    waiting = asyncio.ensure_future(log.wait(0))
    await wait_all_tasks_blocked()
    threading.Thread(target=log.append, args=[status()]).start()

    assert await asyncio.wait_for(waiting, 5)


async def test_waiting_at_the_end_of_a_closed_log_gives_false() -> None:
    log = RunLog()
    log.append(status())
    log.close()

    assert await log.wait(0)
    assert not await log.wait(1)


async def test_a_patient_follower_sleeps_through_text_and_wakes_for_a_status() -> None:
    log = RunLog()
    future = log.follow(0, patient=True)
    log.append(token("a", 0))
    assert not future.done()

    log.append(status())
    assert future.done()
    assert not log.follow(2, patient=True).done()
    assert log.follow(1, patient=True).done()


def test_a_limited_read_keeps_entries_of_one_sequence_together() -> None:
    log = RunLog(merges=True)

    for place in range(BLOCK):
        log.append(token("x", place // 2, "ab"[place % 2]))

    assert [entry.sequence for entry in log.read(0, limit=1)] == [BLOCK, BLOCK]


def test_tokens_of_a_field_between_statuses_become_one() -> None:
    recorded = entries(status(), token("a", 0), token("b", 1), status(), token("c", 2))

    assert list(merge(recorded)) == [
        Entry(1, 0.0, status()),
        Entry(3, 0.0, token("ab", 0), event_count=2),
        Entry(4, 0.0, status()),
        Entry(5, 0.0, token("c", 2)),
    ]


def test_parallel_fields_share_the_sequence_at_which_their_group_ends() -> None:
    recorded = entries(token("a", 0, "x"), token("1", 0, "y"), token("b", 1, "x"))

    assert list(merge(recorded)) == [
        Entry(3, 0.0, token("ab", 0, "x"), event_count=2),
        Entry(3, 0.0, token("1", 0, "y")),
    ]


def test_tokens_of_different_attempts_stay_apart() -> None:
    one, two = Entry(1, 0.0, token("a", 0)), Entry(2, 0.0, token("b", 1))
    other = two._replace(attempt=2)
    more = Entry(3, 0.0, token("c", 2), attempt=2)

    assert list(merge([one, two])) == [Entry(2, 0.0, token("ab", 0), event_count=2)]
    assert list(merge([one, other])) == [one, other]
    assert list(merge([one, other, more])) == [
        one,
        Entry(3, 0.0, token("bc", 1), event_count=2, attempt=2),
    ]


def test_entries_carry_the_attempt_of_their_log() -> None:
    log = RunLog(attempt=2)
    log.append(status())
    log.append(token("a", 0))

    assert [entry.attempt for entry in log.read()] == [2, 2]


def test_a_text_that_is_taken_back_merges_into_what_remains_of_it() -> None:
    recorded = entries(token("abc", 2), token("X", 3), token("Y", 1))

    assert list(merge(recorded[:2])) == [Entry(2, 0.0, token("aX", 2), event_count=2)]
    assert list(merge(recorded)) == [Entry(3, 0.0, token("Y", 1), event_count=3)]


@given(recordings(), st.data())
def test_merging_changes_neither_texts_nor_counts_wherever_it_is_cut(
    events: list[Event], data: st.DataObject
) -> None:
    places = data.draw(st.sets(st.integers(0, max(len(events), 1))))
    merged = list(merge(entries(*events), places))

    assert texts_of([entry.event for entry in merged]) == texts_of(events)
    assert sum(entry.event_count for entry in merged) == len(events)

    for place in places & set(range(1, len(events) + 1)):
        before = [entry.event for entry in merged if entry.sequence <= place]
        assert texts_of(before) == texts_of(events[:place])


@given(recordings(), st.data())
def test_merging_what_was_merged_is_the_same_as_merging_once(
    events: list[Event], data: st.DataObject
) -> None:
    places = data.draw(st.sets(st.integers(0, max(len(events), 1))))

    assert list(merge(merge(entries(*events), places))) == list(merge(entries(*events)))


@given(recordings(), st.data())
def test_a_reader_that_resumes_inside_a_merged_group_ends_with_the_same_text(
    events: list[Event], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(events)))
    texts: Texts = {}
    apply(events[:place], texts)
    apply([entry.event for entry in merge(entries(*events)) if entry.sequence > place], texts)

    assert texts == texts_of(events)


def test_a_merging_log_holds_text_and_not_tokens() -> None:
    log = RunLog(merges=True)

    for place in range(10 * BLOCK):
        log.append(token("x", place))

    assert len(log.read()) <= BLOCK
    assert texts_of([entry.event for entry in log.read()]) == {(1, "answer"): "x" * 10 * BLOCK}
    log.close()
    assert len(log.read()) == 1


def test_a_log_that_is_read_as_it_grows_holds_text_and_not_tokens_either() -> None:
    log = RunLog(merges=True)
    cursor = log.cursor()

    for place in range(10 * BLOCK):
        log.append(token("x", place))
        cursor.read()

    assert len(log.read()) <= BLOCK + 1


def test_what_a_reader_kept_apart_becomes_one_once_it_has_gone() -> None:
    log = RunLog(merges=True)

    for place in range(4):
        log.append(token("x", place))

    slow = log.cursor(after=2)

    for place in range(4, BLOCK):
        log.append(token("x", place))

    assert [entry.sequence for entry in log.read()] == [2, BLOCK]
    slow.close()
    log.close()
    assert [entry.sequence for entry in log.read()] == [BLOCK]


def test_readers_that_lag_behind_each_in_its_own_way_leave_no_more_entries() -> None:
    log = RunLog(merges=True)
    cursors = [log.cursor() for _ in range(20)]

    for place in range(3000):
        log.append(token("x", place // 3, "abc"[place % 3]))

        for pace, cursor in enumerate(cursors, start=1):
            if place % pace == 0:
                cursor.read()

    for cursor in cursors:
        cursor.close()

    log.close()
    assert len(log.read()) < 100


def test_many_parallel_fields_are_not_looked_at_again_for_every_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def counting(entries: Sequence[Entry], places: Collection[int]) -> Iterator[Entry]:
        seen.append(len(entries))
        return merge(entries, places)

    monkeypatch.setattr(memory, "merge", counting)
    log = RunLog(merges=True)

    for place in range(20_000):
        log.append(token("x", place // 1000, str(place % 1000)))

    assert sum(seen) < 3 * 20_000


def test_no_merging_crosses_the_place_of_an_open_cursor() -> None:
    log = RunLog(merges=True)

    for place in range(10):
        log.append(token("x", place))

    cursor = log.cursor(after=4)
    log.close()

    assert [(entry.sequence, entry.event_count) for entry in log.read()] == [(4, 4), (10, 6)]
    assert [entry.event for entry in cursor.read()] == [token("xxxxxx", 4)]
    assert cursor.position == 10


def test_a_full_log_says_so_once_and_still_records_how_calls_end() -> None:
    reports: list[str] = []
    log = RunLog(max_bytes=4, when_full=lambda: reports.append("full"))

    for place in range(3):
        log.append(token("éé", 2 * place))

    log.append(status())

    assert reports == ["full"]
    assert log.last_sequence == 4
