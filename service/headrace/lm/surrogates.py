"""Mends text that is not Unicode: halves of surrogate pairs, and bytes that were not UTF-8.

Both arrive as surrogate code points, which no UTF-8 can carry onwards. Halves that meet again, also
across two deltas, become the character they were; the rest becomes U+FFFD.
"""

from __future__ import annotations

import re

PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
BYTES = re.compile("[\udc80-\udcff]+")
"""Bytes that were not UTF-8, as `surrogateescape` leaves them."""
SURROGATE = re.compile("[\ud800-\udfff]")
UNFINISHED = re.compile(
    "(?:[\ud800-\udbff]"
    "|[\udcc2-\udcdf]"
    "|[\udce0-\udcef][\udc80-\udcbf]?"
    "|[\udcf0-\udcf4][\udc80-\udcbf]{0,2}"
    ")\\Z"
)
"""An end that the next delta may complete: the first half of a pair, the first bytes of a character."""


class Mender:
    """Mends one text as it streams."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Takes more text; gives what is whole."""
        text, self._held = PAIR.sub(_joined, self._held + text), ""
        unfinished = UNFINISHED.search(text)

        if unfinished is not None:
            text, self._held = text[: unfinished.start()], unfinished[0]

        return mend(text)

    def close(self) -> str:
        """Gives what still waited."""
        held, self._held = self._held, ""

        return mend(held)


def mend(text: str) -> str:
    """The text without surrogates."""
    if SURROGATE.search(text) is None:
        return text

    text = BYTES.sub(_decoded, PAIR.sub(_joined, text))

    return SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def _joined(match: re.Match[str]) -> str:
    return match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _decoded(match: re.Match[str]) -> str:
    return match[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
