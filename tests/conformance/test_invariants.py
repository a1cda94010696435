"""The validator finds what is broken: good journals pass, and each way of damaging one is named."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from headrace_proto.v1 import headrace_pb2 as pb

from conformance.hosting import asking, hosted
from conformance.invariants import PER_READER, PER_RUN, validate
from conformance.journal import Journal, Message, load, save
from conformance.reader import connected, read

pytestmark = pytest.mark.usefixtures("each_store")

Damage = Callable[[Journal], None]


@pytest.fixture(scope="module")
def good() -> list[Journal]:
    """Two readers of one run, the second of which was cut three times."""
    return asyncio.run(recorded())


async def recorded() -> list[Journal]:
    async with hosted() as server, connected(server.address) as channel:
        request = asking(turn=0, seed=2, tokens=10, asks=1)
        whole = await read(channel, request, reader="whole")
        cuts = iter([3, 0, 5])
        limit = [next(cuts)]

        def cut(messages: int) -> bool:
            due = messages >= limit[0]

            if due:
                limit[0] = next(cuts, 10_000)

            return due

        request.options.accept.remove(pb.EVENT_KIND_BATCH)  # so that there are places to cut at

        return [whole, await read(channel, request, reader="cut", cut=cut)]


def tokens(journal: Journal) -> list[Message]:
    return [message for message in journal.messages if message.kind == "token"]


def statuses(journal: Journal, phase: str) -> list[Message]:
    return [one for one in journal.messages if one.body.get("phase") == phase]


def drop(journal: Journal, lost: Message) -> None:
    for stream in journal.streams:
        stream.messages = [message for message in stream.messages if message is not lost]


def repeat(journal: Journal, message: Message) -> None:
    for stream in journal.streams:
        if any(one is message for one in stream.messages):
            place = [one is message for one in stream.messages].index(True)
            stream.messages.insert(place, copy.deepcopy(message))


def lose_a_token(journal: Journal) -> None:
    drop(journal, tokens(journal)[4])


def lose_the_start_of_a_call(journal: Journal) -> None:
    drop(journal, statuses(journal, "START")[1])


def lose_the_end_of_a_call(journal: Journal) -> None:
    drop(journal, statuses(journal, "END")[0])


def repeat_a_position(journal: Journal) -> None:
    repeat(journal, next(one for one in tokens(journal) if one.sequence))


def repeat_a_start(journal: Journal) -> None:
    repeat(journal, statuses(journal, "START")[1])


def swap_two_positions(journal: Journal) -> None:
    one, other = [one for one in journal.messages if one.sequence][5:7]
    one.sequence, other.sequence = other.sequence, one.sequence


def miscount(journal: Journal) -> None:
    tokens(journal)[2].count += 1


def change_a_letter(journal: Journal) -> None:
    token = next(one for one in tokens(journal) if one.body["chunk"])
    token.body["chunk"] = "#" + token.body["chunk"][1:]


def shift_a_token(journal: Journal) -> None:
    tokens(journal)[-1].body["offset"] += 1


def take_text_back(journal: Journal) -> None:
    last = [one for one in tokens(journal) if one.body["offset"]][-1]
    stream = next(one for one in journal.streams if any(last is other for other in one.messages))
    again = copy.deepcopy(last)
    again.body["offset"] -= 1
    stream.messages.append(again)


def leave_a_field_open(journal: Journal) -> None:
    for token in tokens(journal):
        token.body["is_last"] = False


def lose_the_prediction(journal: Journal) -> None:
    drop(journal, next(one for one in journal.messages if one.kind == "prediction"))


def repeat_the_prediction(journal: Journal) -> None:
    repeat(journal, next(one for one in journal.messages if one.kind == "prediction"))


def speak_after_the_prediction(journal: Journal) -> None:
    journal.streams[-1].messages.append(copy.deepcopy(tokens(journal)[0]))


def change_the_prediction(journal: Journal) -> None:
    prediction = next(one for one in journal.messages if one.kind == "prediction")
    prediction.body["outputs"]["text0"] += "#"


def end_twice(journal: Journal) -> None:
    journal.streams.append(copy.deepcopy(journal.streams[-1]))


def never_end(journal: Journal) -> None:
    journal.streams[-1].end = None


def end_otherwise(journal: Journal) -> None:
    end = journal.streams[-1].end
    assert end is not None
    end.details = "something else"


def count_a_heartbeat(journal: Journal) -> None:
    journal.streams[-1].messages.insert(0, Message(journal.streams[-1].after, 1, "heartbeat"))


def move_a_heartbeat(journal: Journal) -> None:
    journal.streams[-1].messages.insert(0, Message(journal.streams[-1].after + 1, 0, "heartbeat"))


def resume_elsewhere(journal: Journal) -> None:
    journal.streams[-1].after -= 1


def ask_the_provider_unseen(journal: Journal) -> None:
    journal.provider_requests = 1


def of_kind(journal: Journal, kind: str) -> list[Message]:
    return [message for message in journal.messages if message.kind == kind]


def lose_a_question(journal: Journal) -> None:
    drop(journal, of_kind(journal, "input_request")[0])


def leave_a_question_open(journal: Journal) -> None:
    drop(journal, of_kind(journal, "input_resolved")[0])


def resolve_twice(journal: Journal) -> None:
    repeat(journal, of_kind(journal, "input_resolved")[0])


def ask_in_a_call_that_is_over(journal: Journal) -> None:
    for kind in ("input_request", "input_resolved"):
        of_kind(journal, kind)[0].body["call"] = 10_000


def tell_outside_of_calls(journal: Journal) -> None:
    of_kind(journal, "custom")[0].body["call"] = 10_000


def tell_another_thing(journal: Journal) -> None:
    of_kind(journal, "custom")[0].body["data"] = "else"


def send_what_was_not_accepted(journal: Journal) -> None:
    journal.accepts.remove("CUSTOM")


def batch_one_alone(journal: Journal) -> None:
    journal.streams[0].messages.insert(0, Message(0, 0, "batch", {"size": 1}))


def batch_a_batch(journal: Journal) -> None:
    journal.streams[0].messages[:0] = [Message(0, 0, "batch", {"size": 2})] * 2


def count_a_batch(journal: Journal) -> None:
    journal.streams[0].messages.insert(0, Message(1, 1, "batch", {"size": 2}))


def ask_for_whole_fields(journal: Journal) -> None:
    journal.detail = "WHOLE"
    tokens(journal)[-1].body["offset"] -= 1


def fail_untold(journal: Journal) -> None:
    end = journal.streams[-1].end
    assert end is not None
    end.state = "FAILED"


def leak(journal: Journal) -> None:
    statuses(journal, "END")[0].body["message"] = "failed: canary-sk-0123456789"


DAMAGES: list[tuple[Damage, str]] = [
    (lose_a_token, "contiguous"),
    (lose_the_start_of_a_call, "calls_close"),
    (lose_the_end_of_a_call, "calls_close"),
    (repeat_a_position, "contiguous"),
    (repeat_a_start, "calls_close"),
    (swap_two_positions, "contiguous"),
    (miscount, "contiguous"),
    (change_a_letter, "prediction_is_text"),
    (change_a_letter, "same_text"),
    (change_a_letter, "same_story"),
    (shift_a_token, "no_gaps_in_text"),
    (take_text_back, "text_only_grows"),
    (leave_a_field_open, "fields_close"),
    (lose_the_prediction, "ended_once"),
    (repeat_the_prediction, "ended_once"),
    (speak_after_the_prediction, "ended_once"),
    (change_the_prediction, "prediction_is_text"),
    (end_twice, "ended_once"),
    (never_end, "ended_once"),
    (end_otherwise, "same_story"),
    (count_a_heartbeat, "heartbeats_repeat"),
    (move_a_heartbeat, "heartbeats_repeat"),
    (resume_elsewhere, "resumed_where_it_was"),
    (lose_a_question, "questions_close"),
    (leave_a_question_open, "questions_close"),
    (resolve_twice, "questions_close"),
    (ask_in_a_call_that_is_over, "questions_close"),
    (tell_outside_of_calls, "told_inside_calls"),
    (tell_another_thing, "same_story"),
    (send_what_was_not_accepted, "only_what_was_accepted"),
    (batch_one_alone, "batches_are_plain"),
    (batch_a_batch, "batches_are_plain"),
    (count_a_batch, "batches_are_plain"),
    (ask_for_whole_fields, "whole_fields_once"),
    (fail_untold, "usage_is_told"),
    (ask_the_provider_unseen, "provider_was_asked_as_told"),
    (leak, "nothing_secret"),
]


def test_journals_of_a_good_run_are_valid(good: list[Journal]) -> None:
    assert validate(good) == []
    assert [len(journal.streams) for journal in good] == [1, 4]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("damage", "invariant"), DAMAGES)
def test_damage_is_named(good: list[Journal], damage: Damage, invariant: str, which: int) -> None:
    journals = copy.deepcopy(good)
    damage(journals[which])

    assert invariant in {breach.invariant for breach in validate(journals)}


def test_each_invariant_is_broken_by_some_damage() -> None:
    assert {invariant for _, invariant in DAMAGES} == {*PER_READER, *PER_RUN}


def test_journals_survive_a_file(good: list[Journal], tmp_path: Path) -> None:
    save(good, tmp_path / "journals.jsonl")

    assert load(tmp_path / "journals.jsonl") == good
