"""Texts: a field's text as a reader is sent it: in parts of a bearable size, or whole at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headrace.events import Token
from headrace.log import Entry

UTF_8 = "utf-8", "surrogatepass"
"""U+FFFD, which is sent in the place of half a surrogate pair, has three bytes as well."""


class _Text:
    """Text of a field that has begun, as bytes, for pieces of strings take six times as much."""

    __slots__ = ("length", "utf_8")

    def __init__(self) -> None:
        self.utf_8 = bytearray()
        self.length = 0  # in code points

    def apply(self, token: Token) -> None:
        if token.offset < self.length:  # the text was taken back
            kept = str(self)[: token.offset]
            self.utf_8, self.length = bytearray(kept.encode(*UTF_8)), len(kept)

        self.utf_8 += token.chunk.encode(*UTF_8)
        self.length += len(token.chunk)

    def __str__(self) -> str:
        return self.utf_8.decode(*UTF_8)


class WholeTexts:
    """Holds the text of fields that have begun until each is complete.

    A reader of whole fields takes as much memory for that as the run itself does, and for as long.
    """

    def __init__(self) -> None:
        self._begun: dict[tuple[int, str], _Text] = {}

    def take(self, token: Token) -> Token | None:
        """The whole text of the token's field, if this is the last token of it."""
        key = token.call_id, token.field

        if token.is_last and token.offset == 0:
            self._begun.pop(key, None)
            return token

        text = self._begun.setdefault(key, _Text())
        text.apply(token)

        if not token.is_last:
            return None

        del self._begun[key]

        return token._replace(chunk=str(text), offset=0)


def cut(entries: Iterable[Entry], max_bytes: int) -> Iterator[Entry]:
    """The entries, each text in parts of at most `max_bytes` of UTF-8. The last part is its position."""
    size = max_bytes // 4

    for entry in entries:
        token = entry.event

        if not isinstance(token, Token) or len(token.chunk.encode(*UTF_8)) <= max_bytes:
            yield entry
            continue

        for start in range(0, len(token.chunk), size):
            chunk = token.chunk[start : start + size]
            ends = start + size >= len(token.chunk)
            part = token._replace(
                chunk=chunk, offset=token.offset + start, is_last=token.is_last and ends
            )

            yield (
                entry._replace(event=part)
                if ends
                else entry._replace(sequence=0, event=part, event_count=0)
            )
