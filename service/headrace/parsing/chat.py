r"""The chat dialect: `[[ ## name ## ]]` headers, each followed by the field's text.

    [[ ## reasoning ## ]]
    It is the seat of government.

    [[ ## answer ## ]]
    Paris

    [[ ## completed ## ]]

Rules:

- A header counts only as the first thing on its line, after whitespace at most; what follows it on
  its line is already text of the field. Anywhere else it is text. A line ends at `\n`.
- A field's text runs to the next header, known or not, or to the end of the completion. It is kept
  as it is, line endings included, without the whitespace around it.
- The first section of a name wins. Text before the first header, sections of unknown names and
  repeated sections are dropped.
- `[[ ## completed ## ]]` ends the reading, but need not come. (An output that is itself called
  "completed" takes the first such header.)
- A name has at most 64 characters, or as many as the longest output name.

Held back: trailing whitespace, however long, and after it, at the start of a line, what can still
become a header: at most 11 characters more than a name may have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from headrace.parsing.machine import SOLID, Machine, beginnings, spelled

END = "completed"


class ChatParser(Machine):
    """Reads a completion in the chat dialect."""

    def __init__(self, output_names: Iterable[str]) -> None:
        super().__init__(ChatParser._line_start)
        self._names = frozenset(output_names)
        self._header = _header(max(64, *map(len, self._names)) if self._names else 64)

    def _line(self, text: str, at: int) -> int:
        """Within a line, where nothing but its end matters."""
        end = text.find("\n", at) + 1

        if not end:
            self._say(text[at:])

            return len(text)

        self._say(text[at:end])
        self._state = ChatParser._line_start

        return end

    def _line_start(self, text: str, at: int) -> int:
        """Before the first character of a line that is not whitespace."""
        solid = SOLID.search(text, at)

        if solid is None:
            self._say(text[at:])

            return len(text)

        mark = solid.start()

        if text[mark] == "[":
            if header := self._header.whole.match(text, mark):
                self._enter(header[1])

                return header.end()

            if self._header.partial.fullmatch(text, mark):
                self._say(text[at:mark])

                return self._hold(text, mark)

        self._state = ChatParser._line

        return at

    def _enter(self, name: str) -> None:
        self._end()
        self._state = ChatParser._line

        if name in self._names and not (name == END and name in self._seen):
            self._open(name, strips=True)
        elif name == END:
            self._state = ChatParser._ignore


class _Header(NamedTuple):
    whole: re.Pattern[str]
    partial: re.Pattern[str]


@lru_cache(maxsize=64)
def _header(longest: int) -> _Header:
    name = rf"\w{{1,{longest}}}"
    atoms = [*spelled("[[ ## "), name, *spelled(" ## ]]")]

    return _Header(re.compile(rf"\[\[ ## ({name}) ## \]\]"), re.compile(beginnings(atoms)))
