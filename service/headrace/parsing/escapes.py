r"""JSON's escapes, decoded where they stand in a text that may end within one.

Surrogate pairs are joined; half a pair becomes U+FFFD. An unknown escape (`\d`) is no escape: its
backslash is text. `\'`, which JSON does not know, is an apostrophe.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from headrace.parsing.machine import beginnings

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_HEX = "[0-9a-fA-F]"
_LOW = ["[dD]", "[c-fC-F]", _HEX, _HEX]
_PAIR = re.compile(rf"\\u([dD][89abAB]{_HEX}{{2}})\\u({''.join(_LOW)})")
_UNICODE = re.compile(rf"\\u({_HEX}{{4}})")
_SIMPLE = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {c: c for c in "\"'\\/"}
_UNFINISHED_PAIR = [r"\\", "u", "[dD]", "[89abAB]", _HEX, _HEX, r"\\", "u", *_LOW[:3]]
_UNFINISHED_SINGLE = [r"\\", "u", _HEX, _HEX, _HEX]
_UNFINISHED = re.compile(f"{beginnings(_UNFINISHED_PAIR)}|{beginnings(_UNFINISHED_SINGLE)}")


class Unescaped(NamedTuple):
    """The text that an escape stands for, and the place after it."""

    text: str
    end: int


def unescape(text: str, at: int) -> Unescaped | None:
    """Decodes the escape at `at`; None where the text ends before it is known which one it is."""
    if _UNFINISHED.fullmatch(text, at):
        return None

    if pair := _PAIR.match(text, at):
        return Unescaped(_joined(int(pair[1], 16), int(pair[2], 16)), pair.end())

    if single := _UNICODE.match(text, at):
        code = int(single[1], 16)

        return Unescaped(REPLACEMENT if 0xD800 <= code < 0xE000 else chr(code), single.end())

    if simple := _SIMPLE.get(text[at + 1]):
        return Unescaped(simple, at + 2)

    return Unescaped("\\", at + 1)


def unescape_end(text: str) -> str:
    """The text for an escape that the end cut off: half a pair is U+FFFD, others are nothing."""
    return REPLACEMENT if _UNICODE.match(text) else ""


def _joined(high: int, low: int) -> str:
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
