"""Laws of what readers are sent, over made-up runs: whatever they choose, and wherever they are cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations, islice

import pytest
from headrace.events import (
    CustomEvent,
    Event,
    InputRequest,
    InputResolved,
    PredictionEvent,
    Token,
)
from headrace.log import Cursor, RunLog
from headrace.server.reader import Deliveries, deliveries_of
from headrace.server.selection import (
    EventKind,
    ReaderOptions,
    Selection,
    StatusDetail,
    TokenDetail,
)
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from server.messages import apply_messages, message, sent, shown
from server.recordings import (
    Texts,
    answered,
    asked,
    custom,
    entries,
    recordings,
    status,
    texts_of,
    token,
)

KINDS = (EventKind.CUSTOM, EventKind.INPUT)

OPTIONS = st.builds(
    ReaderOptions,
    fields=st.sampled_from([frozenset[str](), frozenset({"*"}), frozenset({"self.a"})]),
    token_detail=st.sampled_from(TokenDetail),
    status_detail=st.sampled_from(StatusDetail),
    accept=st.sets(st.sampled_from(KINDS)).map(frozenset),
)

PLANS = st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 4)), max_size=40)
"""Of a reader: events that come, then messages after which its connection breaks; None = it does not."""


def read_by(
    plan: Sequence[tuple[int, int | None]],
    events: Sequence[Event],
    options: ReaderOptions,
    size: int = 65_536,
) -> tuple[list[pb.StreamEvent], int]:
    """Reads a growing, merging log in portions, and anew after each break: the messages and the position.

    The counts add up between any two positions, or this fails.
    """
    log = RunLog(merges=True)
    pending = iter(events)
    messages: list[pb.StreamEvent] = []
    position = counted = 0
    one, cursor = following(log, options, size)

    for more, cut in [*plan, *[(len(events), None)] * (len(events) + 1)]:
        for event in islice(pending, more):
            log.append(event)

        if log.last_sequence == len(events):
            log.close()

        for told in list(one.of(cursor.read(limit=3)))[:cut]:
            messages.append(message(told, options))
            counted += told.event_count

            if told.sequence:
                assert counted == told.sequence - position
                position, counted = told.sequence, 0

        if cut is not None:  # the connection broke there
            cursor.close()
            counted = 0
            one, cursor = following(log, replace(options, after=position), size)

    return messages, position


def following(log: RunLog, options: ReaderOptions, size: int) -> tuple[Deliveries, Cursor]:
    return deliveries_of(log, options, max_token_bytes=size), log.cursor(options.after)


def is_told(event: Event, options: ReaderOptions) -> bool:
    """True for an event that some message has to tell of."""
    if isinstance(event, Token) and options.token_detail is TokenDetail.WHOLE and not event.is_last:
        return False

    return Selection(options)(event)


def told_texts(events: Sequence[Event], options: ReaderOptions) -> Texts:
    chosen = [event for event in events if isinstance(event, Token) and Selection(options)(event)]

    return texts_of(chosen)


@given(recordings(), PLANS, OPTIONS)
def test_a_reader_cut_anywhere_ends_with_every_text_and_every_event_counted(
    events: list[Event], plan: list[tuple[int, int | None]], options: ReaderOptions
) -> None:
    messages, position = read_by(plan, events, options)
    texts: Texts = {}
    apply_messages(messages, texts)

    assert texts == told_texts(events, options)
    assert not [event for event in events[position:] if is_told(event, options)]


@given(recordings(), PLANS, OPTIONS, st.sampled_from([4, 8, 64]))
def test_whole_fields_are_what_all_of_their_tokens_make(
    events: list[Event], plan: list[tuple[int, int | None]], options: ReaderOptions, size: int
) -> None:
    """However it is cut, and if parts are small: each message begins where the field's text stands."""
    options = replace(options, token_detail=TokenDetail.WHOLE)
    messages, _ = read_by(plan, events, options, size)
    whole: Texts = {}

    for text in (one.token for one in messages if one.HasField("token")):
        key = text.call_id, text.field
        assert text.offset in (0, len(whole.get(key, "")))
        whole[key] = whole.get(key, "")[: text.offset] + text.chunk
        assert len(text.chunk.encode()) <= size
        assert not text.is_last or whole[key] == texts_of(events)[key]

    assert whole == told_texts(events, options)


@given(recordings(), OPTIONS)
def test_a_reader_that_is_never_cut_gets_each_whole_field_once(
    events: list[Event], options: ReaderOptions
) -> None:
    options = replace(options, token_detail=TokenDetail.WHOLE)
    messages, _ = read_by([(1, None)] * len(events), events, options)
    tokens = [one.token for one in messages if one.HasField("token")]

    assert sorted((token.call_id, token.field, token.chunk) for token in tokens) == sorted(
        (*key, text) for key, text in told_texts(events, options).items()
    )
    assert all((token.offset, token.is_last) == (0, True) for token in tokens)


def test_a_reader_that_resumes_inside_a_field_gets_all_of_its_text() -> None:
    log = RunLog()

    for event in (status(), token("ab", 0), token("c", 1), status(), token("de", 2), status()):
        log.append(event)

    log.append(token("!", 4)._replace(is_last=True))

    for after in range(1, 7):
        options = ReaderOptions(after=after, token_detail=TokenDetail.WHOLE)
        one, cursor = following(log, options, 65_536)
        told = [message(delivery, options) for delivery in one.of(cursor.read())]

        assert [shown(one) for one in told if one.HasField("token")] == ["answer@0:acde!"]
        assert sum(one.event_count for one in told) == 7 - after


ACCEPTED = [
    frozenset(some)
    for some in chain.from_iterable(combinations(EventKind, count) for count in range(4))
]

EVERY_KIND = (
    status(),
    token("a", 0),
    custom(),
    asked(),
    answered(),
    token("b", 1)._replace(is_last=True),
    PredictionEvent("ab", {"answer": "ab"}),
)


@pytest.mark.parametrize("event", EVERY_KIND, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("accept", ACCEPTED, ids=str)
@pytest.mark.parametrize("token_detail", TokenDetail)
def test_what_is_not_accepted_is_counted_wherever_it_stands(
    event: Event, accept: frozenset[EventKind], token_detail: TokenDetail
) -> None:
    """Every kind, for everyone, in every place of a run, and resumed in every place."""
    options = ReaderOptions(accept=accept, token_detail=token_detail)

    for place in range(len(EVERY_KIND)):
        events = [*EVERY_KIND[:place], event, *EVERY_KIND[place:]]

        for cut in range(4):
            messages, position = read_by([(place, None), (1, cut)], events, options)
            accepted = {one.WhichOneof("event") for one in messages}

            assert not [later for later in events[position:] if is_told(later, options)]
            assert ("custom" in accepted) == (EventKind.CUSTOM in accept)
            assert ("input_request" in accepted) == (EventKind.INPUT in accept)
            assert ("input_resolved" in accepted) == (EventKind.INPUT in accept)


@given(recordings(), OPTIONS)
def test_who_accepts_nothing_new_gets_the_bytes_of_a_run_that_neither_tells_nor_asks(
    events: list[Event], options: ReaderOptions
) -> None:
    options = replace(options, accept=frozenset())
    news = (CustomEvent, InputRequest, InputResolved)
    silent = [event for event in events if not isinstance(event, news)]

    def told(recorded: Sequence[Event]) -> list[bytes]:
        messages = sent(entries(*recorded), options)
        assert sum(one.event_count for one in messages) == max(
            (one.sequence for one in messages), default=0
        )

        for one in messages:
            one.ClearField("sequence")
            one.ClearField("event_count")

        return [one.SerializeToString() for one in messages]

    assert told(events) == told(silent)
