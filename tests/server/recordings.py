"""Recordings: made-up events of runs, and what a reader makes of them."""

from __future__ import annotations

from collections.abc import Iterable

from headrace.events import Event, Kind, Phase, Status, Token
from headrace.log import Entry
from hypothesis import strategies as st


def status(name: str = "step") -> Status:
    return Status(Kind.MODULE, Phase.START, 1, 0, name)


def token(chunk: str, offset: int, field: str = "answer", call_id: int = 1) -> Token:
    return Token("self", field, chunk, False, offset, call_id)


def entries(*events: Event) -> list[Entry]:
    return [Entry(place, 0.0, event) for place, event in enumerate(events, start=1)]


@st.composite
def recordings(draw: st.DrawFn) -> list[Event]:
    """Events of a run: three parallel fields, statuses between them, and texts taken back."""
    ends = {"a": 0, "b": 0, "c": 0}
    events: list[Event] = []

    for _ in range(draw(st.integers(0, 60))):
        kind = draw(st.sampled_from(["token", "token", "token", "status", "rewind"]))
        field = draw(st.sampled_from(["a", "b", "c"]))

        if kind == "status":
            events.append(status())
            continue

        offset = draw(st.integers(0, ends[field])) if kind == "rewind" else ends[field]
        chunk = draw(st.text("xyzé", max_size=4))
        events.append(token(chunk, offset, field))
        ends[field] = offset + len(chunk)

    return events


def apply(events: Iterable[Event], texts: dict[str, str]) -> None:
    for event in events:
        if isinstance(event, Token):
            texts[event.field] = texts.get(event.field, "")[: event.offset] + event.chunk


def texts_of(events: Iterable[Event]) -> dict[str, str]:
    texts: dict[str, str] = {}
    apply(events, texts)

    return texts
