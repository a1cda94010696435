"""The contract of every field parser.

The laws, for any chunking of the same text:

1. the joined deltas of a field are its value (for `str` fields) or the text its value is parsed from;
2. text is held back only while it could still turn out not to be value; each dialect states its bound;
3. every field that started ends with exactly one `is_last` delta, at the latest from `close()`;
4. the first occurrence of a field wins; later ones are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class FieldDelta(NamedTuple):
    """More text of one output field."""

    field: str
    text: str
    is_last: bool


class FieldParser(Protocol):
    """Reads one completion in its dialect."""

    def feed(self, text: str) -> list[FieldDelta]:
        """Takes the next piece of the completion, however cut; gives what is now known to be value."""
        ...

    def close(self) -> list[FieldDelta]:
        """Ends the completion: gives what was held back and ends every open field. Call once."""
        ...


def joined(deltas: Iterable[FieldDelta]) -> dict[str, str]:
    """The text of each field in some deltas, in the order the fields began."""
    texts: dict[str, str] = {}

    for name, chunk, _ in deltas:
        texts[name] = texts.get(name, "") + chunk

    return texts


def read_whole(parser: FieldParser, text: str) -> dict[str, str]:
    """The text of each field of a whole answer."""
    return joined([*parser.feed(text), *parser.close()])
