"""The text of fields, put together from tokens, without I/O.

The one rule: `text = text[:offset] + chunk`. It covers plain growth, tokens that come again after a
resume, merged tokens and a field that starts over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from headrace_proto.v1.headrace_pb2 import Token


class FieldText:
    """The text of one field of one predictor call so far.

    A reader that came late holds the text from its first token on; offsets are counted from there.
    """

    def __init__(self) -> None:
        self._chunks: list[str] = []  # joined only when asked for: appending must not copy the text
        self._start = 0
        self._length = 0
        self.is_complete = False
        """The field's last token came."""

    def apply(self, offset: int, chunk: str) -> None:
        """Takes the chunk in, at `offset` code points of the field."""
        if not self._length:
            self._start = offset

        keep = max(offset - self._start, 0)

        if keep < self._length:
            self._chunks = [str(self)[:keep]]
            self._start = min(self._start, offset)
            self._length = keep

        self._chunks.append(chunk)
        self._length += len(chunk)

    def since(self, position: int) -> str:
        """The text after the first `position` code points held."""
        late: list[str] = []
        start = self._length

        for chunk in reversed(self._chunks):
            if start <= position:
                break

            start -= len(chunk)
            late.append(chunk)

        return "".join(reversed(late))[max(position - start, 0) :]

    def __str__(self) -> str:
        return "".join(self._chunks)

    def __len__(self) -> int:
        return self._length


class FieldKey(NamedTuple):
    """Key of a text: a field of one call of a predictor."""

    predictor: str
    field: str
    call_id: int


class Transcript:
    """All texts of a run, in the order in which they began."""

    def __init__(self) -> None:
        self._texts: dict[FieldKey, FieldText] = {}

    def apply(self, token: Token) -> FieldText:
        """Takes a token in and gives the text it belongs to."""
        key = FieldKey(token.predictor, token.field, token.call_id)
        text = self._texts.setdefault(key, FieldText())
        text.apply(token.offset, token.chunk)
        text.is_complete = token.is_last

        return text

    def matching(self, selector: str) -> Iterator[tuple[FieldKey, FieldText]]:
        """The texts of a selector: `field` or `predictor.field`."""
        predictor, _, field = selector.rpartition(".")
        predictor = wire_address(predictor)

        for key, text in self._texts.items():
            if key.field == field and predictor in ("", key.predictor):
                yield key, text

    def latest(self, selector: str, call_id: int | None = None) -> str:
        """The text of a field's latest call, or of the call given; empty before it began."""
        found = [text for key, text in self.matching(selector) if call_id in (None, key.call_id)]

        return str(found[-1]) if found else ""


def wire_address(predictor: str) -> str:
    """A predictor's address as events carry it: without the `.predict` that ChainOfThought adds."""
    return predictor.removesuffix(".predict")
