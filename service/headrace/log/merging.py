"""Merging: the one rule by which recorded tokens become fewer, in a log and on the way to a reader.

Tokens of a field are adjacent when nothing but other tokens lies between them. They are joined, and
everything that was joined together, across fields, forms a group: its entries share the sequence at
which the group ends, because only there a reader has all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from headrace.events import Event, Token

MAX_TEXT = 65_536
"""Code points of text after which a group ends."""


class Entry(NamedTuple):
    """An event in its place in a log."""

    sequence: int
    """Entries that were merged together share the sequence at which their group ends."""
    time: float
    """Seconds since the epoch; of the newest event that was merged into it."""
    event: Event
    event_count: int = 1
    """Recorded events that were merged into it, itself included."""


def merge(entries: Iterable[Entry], places: Collection[int] = ()) -> Iterator[Entry]:
    """Joins adjacent tokens of each field. No group reaches across one of `places`."""
    group: dict[tuple[int, str], list[Entry]] = {}
    text = last = 0

    for entry in entries:
        event = entry.event

        if group and entry.sequence != last and (text >= MAX_TEXT or last in places):
            yield from _joined(group, last)
            group, text = {}, 0

        if isinstance(event, Token):
            group.setdefault((event.call_id, event.field), []).append(entry)
            text += len(event.chunk)
            last = entry.sequence
        else:
            yield from _joined(group, last)
            group, text = {}, 0
            yield entry

    yield from _joined(group, last)


def _joined(group: Mapping[tuple[int, str], list[Entry]], end: int) -> Iterator[Entry]:
    for pieces in group.values():
        newest = pieces[-1]

        if len(pieces) == 1:
            yield newest if newest.sequence == end else newest._replace(sequence=end)
        else:
            count = sum(piece.event_count for piece in pieces)
            yield Entry(end, newest.time, _join([piece.event for piece in pieces]), count)


def _join(events: Sequence[Event]) -> Token:
    tokens = [event for event in events if isinstance(event, Token)]
    start = end = tokens[0].offset
    chunks: list[str] = []

    for token in tokens:
        if token.offset != end:  # the text was taken back
            kept = "".join(chunks)[: max(token.offset - start, 0)]
            start, chunks = min(start, token.offset), [kept]

        chunks.append(token.chunk)
        end = token.offset + len(token.chunk)

    return tokens[-1]._replace(chunk="".join(chunks), offset=start)
