"""Merging: the one rule by which recorded tokens become fewer, in a log and on the way to a reader.

Tokens of a field are adjacent when nothing but other tokens lies between them. They are joined, and
everything that was joined together, across fields, forms a group: its entries share the sequence at
which the group ends, because only there a reader has all of it. An attempt ends a group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeAlias

from headrace.events import Token
from headrace.log.port import Entry

MAX_TEXT = 65_536
"""Code points of text after which a group ends."""


Piece: TypeAlias = tuple[Entry, Token]
"""An entry of text, and its token."""

Group: TypeAlias = dict[tuple[int, str], list[Piece]]
"""Pieces by predictor call and field."""


def merge(entries: Iterable[Entry], places: Collection[int] = ()) -> Iterator[Entry]:
    """Joins adjacent tokens of each field. No group reaches across one of `places`, or an attempt."""
    group: Group = {}
    text = last = last_attempt = 0

    for entry in entries:
        sequence, _, event, _, attempt = entry  # cheaper than by name

        ends = attempt != last_attempt or text >= MAX_TEXT or last in places

        if ends and group and sequence != last:
            yield from _joined(group, last)
            group, text = {}, 0

        if isinstance(event, Token):
            key = event.call_id, event.field
            last, last_attempt = sequence, attempt
            text += len(event.chunk)

            if key in group:
                group[key].append((entry, event))
            else:
                group[key] = [(entry, event)]
        else:
            yield from _joined(group, last)
            group, text = {}, 0
            yield entry

    yield from _joined(group, last)


def _joined(group: Group, end: int) -> Iterator[Entry]:
    for pieces in group.values():
        if len(pieces) > 1:
            yield _join(pieces, end)
        else:
            entry, _ = pieces[0]
            yield entry if entry.sequence == end else entry._replace(sequence=end)


def _join(pieces: Sequence[Piece], sequence: int) -> Entry:
    newest, last = pieces[-1]
    start = end = pieces[0][1].offset
    chunks: list[str] = []
    count = 0

    for entry, token in pieces:
        if token.offset != end:  # the text was taken back
            kept = "".join(chunks)[: max(token.offset - start, 0)]
            start, chunks = min(start, token.offset), [kept]

        chunks.append(token.chunk)
        end = token.offset + len(token.chunk)
        count += entry.event_count

    token = last._replace(chunk="".join(chunks), offset=start)

    return Entry(sequence, newest.time, token, count, newest.attempt)
