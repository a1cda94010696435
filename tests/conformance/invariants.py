"""The invariants, by name. Each reads journals and says what is broken; nothing broken, nothing said."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from conformance.journal import Journal, Message, Stream

Field: TypeAlias = tuple[int, str]
Texts: TypeAlias = dict[Field, str]

TO_BE_ACCEPTED = {
    "custom": "CUSTOM",
    "input_request": "INPUT",
    "input_resolved": "INPUT",
    "batch": "BATCH",
}
"""Kinds of message that only readers get which accept them, and the name they accept."""

CANARY = "canary-sk-"
"""Stands in everything that must not leave the server."""


class Breach(NamedTuple):
    """An invariant that does not hold."""

    invariant: str
    run_id: str
    reader: str
    what: str


def validate(journals: Iterable[Journal]) -> list[Breach]:
    """Everything that is broken in the journals of any number of runs and readers."""
    by_run: dict[str, list[Journal]] = {}

    for journal in journals:
        by_run.setdefault(journal.run_id, []).append(journal)

    breaches: list[Breach] = []

    for run_id, readers in by_run.items():
        for name, check in PER_READER.items():
            breaches += [
                Breach(name, run_id, one.reader, what) for one in readers for what in check(one)
            ]

        for name, compare in PER_RUN.items():
            breaches += [Breach(name, run_id, "", what) for what in compare(readers)]

    return breaches


def apply(message: Message, texts: Texts) -> None:
    """The one rule of text."""
    if message.kind == "token":
        body = message.body
        key = (body["call"], body["field"])
        texts[key] = texts.get(key, "")[: body["offset"]] + body["chunk"]


def final_texts(journal: Journal) -> Texts:
    """What a reader holds at its end."""
    texts: Texts = {}

    for message in journal.messages:
        apply(message, texts)

    return texts


def contiguous(journal: Journal) -> Iterator[str]:
    """Positions only grow, and between two of them the counts add up to their difference."""
    for stream in journal.streams:
        position, counted = stream.after, 0

        for message in _recorded(stream):
            counted += message.count

            if not message.sequence:
                continue

            if message.sequence <= position:
                yield f"position {message.sequence} after {position}"
            elif counted != message.sequence - position:
                yield f"{counted} events from {position} to {message.sequence}"

            position, counted = message.sequence, 0


def resumed_where_it_was(journal: Journal) -> Iterator[str]:
    """Each stream begins after the last position of those before."""
    position = 0

    for stream in journal.streams:
        if stream.after != position:
            yield f"resumed after {stream.after}, not {position}"

        for message in _recorded(stream):
            position = message.sequence or position


def no_gaps_in_text(journal: Journal) -> Iterator[str]:
    """A token begins no later than its field ends."""
    texts: Texts = {}

    for message in journal.messages:
        if message.kind == "token":
            held = len(texts.get((message.body["call"], message.body["field"]), ""))

            if message.body["offset"] > held:
                yield f"{message.body['field']} at {message.body['offset']}, and {held} are there"

        apply(message, texts)


def text_only_grows(journal: Journal) -> Iterator[str]:
    """Inside a stream tokens follow each other; only the first of a field after a resume goes back."""
    texts: Texts = {}

    for stream in journal.streams:
        seen: set[Field] = set()

        for message in stream.messages:
            if message.kind == "token":
                key = (message.body["call"], message.body["field"])
                back = message.body["offset"] < len(texts.get(key, ""))

                if back and (key in seen or not stream.after):
                    yield f"{key} goes back to {message.body['offset']}"

                seen.add(key)

            apply(message, texts)


def heartbeats_repeat(journal: Journal) -> Iterator[str]:
    """A heartbeat counts nothing and repeats the last position."""
    for stream in journal.streams:
        position = stream.after

        for message in stream.messages:
            if message.kind == "batch":
                continue

            if message.kind == "heartbeat" and (message.sequence, message.count) != (position, 0):
                yield f"heartbeat {message.sequence}/{message.count} at {position}"

            if message.kind != "heartbeat":
                position = message.sequence or position


def ended_once(journal: Journal) -> Iterator[str]:
    """The last stream, and only that, says how the run ended; a prediction, then, stands last."""
    states = [stream.end.state if stream.end else "" for stream in journal.streams]

    if not states or not states[-1]:
        yield "never saw the run's end"

    if any(states[:-1]):
        yield "went on after the run's end"

    messages = list(journal.messages)
    predictions = sum(message.kind == "prediction" for message in messages)
    expected = 1 if states and states[-1] == "SUCCEEDED" else 0

    if predictions != expected:
        yield f"{predictions} predictions of a run that is {states[-1] if states else 'unknown'}"

    if predictions and messages[-1].kind != "prediction":
        yield f"{messages[-1].kind} after the prediction"


def calls_close(journal: Journal) -> Iterator[str]:
    """Each call starts once and then ends once, inside its parent."""
    open_calls: set[int] = set()
    ended: set[int] = set()

    for message in journal.messages:
        if message.kind != "status":
            continue

        call, parent = message.body["call"], message.body["parent"]

        if message.body["phase"] == "START":
            if call in open_calls | ended:
                yield f"call {call} starts twice"

            if parent and parent not in open_calls:
                yield f"call {call} starts outside its parent {parent}"

            open_calls.add(call)
        elif call not in open_calls:
            yield f"call {call} {message.body['phase']} while it is not open"
        elif message.body["phase"] == "END":
            open_calls.discard(call)
            ended.add(call)

    if open_calls:
        yield f"calls {sorted(open_calls)} never end"


def fields_close(journal: Journal) -> Iterator[str]:
    """Each field that started is ended by its last token, and holds text only inside its call."""
    last: dict[Field, bool] = {}

    for message in journal.messages:
        if message.kind == "token":
            key = (message.body["call"], message.body["field"])
            last[key] = message.body["is_last"]

    for key, is_last in last.items():
        if not is_last:
            yield f"{key} never ends"


def questions_close(journal: Journal) -> Iterator[str]:
    """Each question is resolved once, after it was asked, by the call that asked and while it is open."""
    asked: dict[str, int] = {}
    resolved: set[str] = set()
    open_calls: set[int] = set()

    for message in journal.messages:
        _note_call(message, open_calls)

        if message.kind == "input_request":
            asked[message.body["input_id"]] = message.body["call"]
        elif message.kind == "input_resolved":
            name = message.body["input_id"]

            if name in resolved or asked.get(name) != message.body["call"]:
                yield f"question {name} is resolved out of turn"

            resolved.add(name)

        if message.kind.startswith("input") and message.body["call"] not in open_calls:
            yield f"{message.kind} of call {message.body['call']}, which is not open"

    if left := asked.keys() - resolved:
        yield f"questions {sorted(left)} are never resolved"


def told_inside_calls(journal: Journal) -> Iterator[str]:
    """What a program tells of itself belongs to a call that is open."""
    open_calls: set[int] = set()

    for message in journal.messages:
        _note_call(message, open_calls)

        if message.kind == "custom" and message.body["call"] not in open_calls:
            yield f"{message.body['name']!r} of call {message.body['call']}, which is not open"


def only_what_was_accepted(journal: Journal) -> Iterator[str]:
    """Kinds of event that a reader did not accept do not reach it."""
    for message in journal.messages:
        if (kind := TO_BE_ACCEPTED.get(message.kind)) and kind not in journal.accepts:
            yield f"{message.kind} was not accepted"


def batches_are_plain(journal: Journal) -> Iterator[str]:
    """A batch holds two events or more, none of which is a batch, and itself is no position."""
    for stream in journal.streams:
        left = 0

        for message in stream.messages:
            if message.kind != "batch":
                left = max(left - 1, 0)
                continue

            if left:
                yield "a batch inside a batch"

            if message.sequence or message.count:
                yield f"a batch at {message.sequence} counts {message.count}"

            left = message.body["size"]

            if left < 2:
                yield f"a batch of {left}"


def whole_fields_once(journal: Journal) -> Iterator[str]:
    """Who asked for whole fields gets each of them once in a stream: from its beginning to its end."""
    for stream in journal.streams if journal.detail == "WHOLE" else ():
        held: dict[Field, int] = {}
        ended: set[Field] = set()

        for message in stream.messages:
            if message.kind == "token":
                key = (message.body["call"], message.body["field"])

                if key in ended or message.body["offset"] != held.get(key, 0):
                    yield f"{key} comes in pieces"

                held[key] = message.body["offset"] + len(message.body["chunk"])
                ended |= {key} if message.body["is_last"] else set()


def usage_is_told(journal: Journal) -> Iterator[str]:
    """A run that did not succeed ends with what it used, in the trailers."""
    for stream in journal.streams:
        if stream.end and stream.end.state in ("FAILED", "CANCELLED") and stream.end.usage is None:
            yield f"nothing is told of what a run that {stream.end.state} used"


def prediction_is_text(journal: Journal) -> Iterator[str]:
    """An output that streamed under its own name is what streamed."""
    streamed: dict[str, set[str]] = {}

    for (_, field), text in final_texts(journal).items():
        streamed.setdefault(field, set()).add(text)

    for message in journal.messages:
        for name, value in message.body.get("outputs", {}).items():
            if isinstance(value, str) and name in streamed and value not in streamed[name]:
                yield f"output {name} is not what streamed"


def provider_was_asked_as_told(journal: Journal) -> Iterator[str]:
    """The provider got as many requests as the statuses tell of attempts."""
    if journal.provider_requests is None:
        return

    attempts = sum(
        message.body["attempt"]
        for message in journal.messages
        if message.kind == "status"
        and message.body["kind"] == "LM"
        and message.body["phase"] == "END"
        and not message.body["cached"]
    )

    if attempts != journal.provider_requests:
        yield f"{attempts} attempts told, {journal.provider_requests} requests made"


def nothing_secret(journal: Journal) -> Iterator[str]:
    """What must stay inside the server does."""
    if CANARY in journal.to_json():
        yield "a secret reached the reader"


def same_story(readers: list[Journal]) -> Iterator[str]:
    """All readers of a run got the same in the same places, of what all accepted, and the same end."""
    common = functools.reduce(set[str].intersection, map(_kinds, readers))
    stories = {reader.reader: transcript(reader, common) for reader in readers}
    first = next(iter(stories.values()), None)

    for name, story in stories.items():
        if first is not None and story != first:
            yield f"reader {name}: {_difference(first, story)}"


def same_text(readers: list[Journal]) -> Iterator[str]:
    """Wherever two readers held a position, they held the same texts."""
    held: dict[int, Texts] = {}

    for reader in readers:
        if reader.detail != "ALL":
            continue

        texts: Texts = {}

        for message in reader.messages:
            apply(message, texts)

            if message.sequence and message.kind != "heartbeat":
                other = held.setdefault(message.sequence, dict(texts))

                if other != texts:
                    yield f"reader {reader.reader} holds other text at {message.sequence}"


def transcript(journal: Journal, kinds: Container[str]) -> dict[str, Any]:
    """What a run was in events of these kinds, as one reader tells it: equal however its stream was
    cut and merged."""
    texts: Texts = {}
    steps: list[Any] = []

    for message in journal.messages:
        apply(message, texts)

        if message.kind in kinds:
            steps.append((message.sequence, message.kind, message.body))

    last = journal.streams[-1].end if journal.streams else None
    ends = Counter(
        (message.body["call"], message.body["field"])
        for message in journal.messages
        if message.kind == "token" and message.body["is_last"]
    )

    return {
        "steps": steps,
        "texts": texts,
        "ended fields": sorted(ends),
        "end": (last.code, last.state, last.reason, last.details) if last else None,
    }


def _kinds(journal: Journal) -> set[str]:
    """The kinds of event that a reader gets one by one."""
    accepted = {kind for kind, name in TO_BE_ACCEPTED.items() if name in journal.accepts}

    return {"status", "prediction", *accepted} - {"batch"}


def _note_call(message: Message, open_calls: set[int]) -> None:
    if message.kind == "status" and message.body["phase"] == "START":
        open_calls.add(message.body["call"])
    elif message.kind == "status" and message.body["phase"] == "END":
        open_calls.discard(message.body["call"])


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} differ" for name in one if one[name] != other[name])


def _recorded(stream: Stream) -> Iterator[Message]:
    return (one for one in stream.messages if one.kind not in ("heartbeat", "batch"))


PER_READER: Mapping[str, Callable[[Journal], Iterator[str]]] = {
    check.__name__: check
    for check in (
        contiguous,
        resumed_where_it_was,
        no_gaps_in_text,
        text_only_grows,
        heartbeats_repeat,
        ended_once,
        calls_close,
        fields_close,
        questions_close,
        told_inside_calls,
        only_what_was_accepted,
        batches_are_plain,
        whole_fields_once,
        usage_is_told,
        prediction_is_text,
        provider_was_asked_as_told,
        nothing_secret,
    )
}

PER_RUN: Mapping[str, Callable[[list[Journal]], Iterator[str]]] = {
    check.__name__: check for check in (same_story, same_text)
}
