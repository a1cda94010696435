"""Recordings: made-up events of runs, and what a reader makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from headrace.events import (
    CustomEvent,
    Event,
    InputKind,
    InputOutcome,
    InputRequest,
    InputResolved,
    Kind,
    Phase,
    PredictionEvent,
    Status,
    Token,
)
from headrace.log import Entry
from hypothesis import strategies as st

Texts: TypeAlias = dict[tuple[int, str], str]
"""By call and field."""

CALLS = (2, 3)
FIELDS = ("a", "b", "c")
TYPED = ("c",)


def status(name: str = "step") -> Status:
    return Status(Kind.MODULE, Phase.START, 1, 0, name)


def token(chunk: str, offset: int, field: str = "answer", call_id: int = 1) -> Token:
    return Token("self", field, chunk, False, offset, call_id)


def custom(name: str = "progress") -> CustomEvent:
    return CustomEvent(name, 2, '{"done":1}')


def asked() -> InputRequest:
    return InputRequest("q", 2, InputKind.QUESTION, "Which?", '{"type":"string"}')


def answered() -> InputResolved:
    return InputResolved("q", 2, InputOutcome.ANSWERED, '"this"')


def entries(*events: Event) -> list[Entry]:
    return [Entry(place, 0.0, event) for place, event in enumerate(events, start=1)]


@st.composite
def recordings(draw: st.DrawFn) -> list[Event]:
    """Events of a run: parallel fields of two calls, texts taken back, texts that come at once, and
    statuses, told events and questions between them. Every field that begins ends; not every run does."""
    ends = dict.fromkeys([(call, field) for call in CALLS for field in FIELDS], 0)
    begun: set[tuple[int, str]] = set()
    events: list[Event] = []
    texts = st.text("xyzé", max_size=4)
    kinds = st.sampled_from(["token"] * 6 + ["rewind", "last", "cached", "status", "other"])
    others: st.SearchStrategy[Event] = st.sampled_from((custom(), asked(), answered()))

    def write(key: tuple[int, str], offset: int, chunk: str, last: bool, cached: bool) -> None:
        call, field = key
        events.append(Token("self", field, chunk, last, offset, call, cached, field in TYPED))
        begun.add(key)
        ends[key] = offset + len(chunk)

        if last:
            begun.discard(key)
            del ends[key]

    for _ in range(draw(st.integers(0, 60))):
        kind = draw(kinds)

        if kind == "status":
            events.append(status())
        elif kind == "other":
            events.append(draw(others))
        elif ends:
            key = draw(st.sampled_from(sorted(ends)))
            offset = draw(st.integers(0, ends[key])) if kind == "rewind" else ends[key]
            whole = kind == "cached" and key not in begun
            write(key, offset, draw(texts), kind == "last" or whole, whole)

    for key in sorted(begun):
        write(key, ends[key], draw(texts), True, False)

    if draw(st.booleans()):
        events.append(PredictionEvent("done", {"answer": "done"}))

    return events


def apply(events: Iterable[Event], texts: Texts) -> None:
    for event in events:
        if isinstance(event, Token):
            key = event.call_id, event.field
            texts[key] = texts.get(key, "")[: event.offset] + event.chunk


def texts_of(events: Iterable[Event]) -> Texts:
    texts: Texts = {}
    apply(events, texts)

    return texts
