"""Two texts that grow at the same time, as rows of two columns: for where a live board cannot be drawn."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Iterator

WIDTH = 46


class Column:
    """A text that grows, cut into lines. The last line is held back until more text or the end comes."""

    def __init__(self) -> None:
        self._open = ""
        self._lines: deque[str] = deque()
        self._ended = False

    @property
    def ready(self) -> bool:
        """Whether a row may be drawn without waiting for this column."""
        return bool(self._lines) or self._ended

    @property
    def empty(self) -> bool:
        """Whether all of it so far has been taken."""
        return not self._lines

    def add(self, chunk: str, is_last: bool) -> None:
        """More text."""
        self._open += chunk
        self._ended = is_last
        *whole, self._open = textwrap.wrap(self._open, WIDTH, drop_whitespace=False) or [""]

        if is_last:
            whole.append(self._open)

        self._lines.extend(line.strip() for line in whole)

    def take(self) -> str:
        """The next line; empty when there is none."""
        return self._lines.popleft() if self._lines else ""


class Columns:
    """Two columns side by side; a row comes out once both have a line for it, or one has ended."""

    def __init__(self, left: str, right: str) -> None:
        self._columns = {left: Column(), right: Column()}

    def heads(self) -> str:
        """The columns' names as a row."""
        return _row(*(f"[{name}]" for name in self._columns))

    def add(self, name: str, chunk: str, is_last: bool) -> Iterator[str]:
        """More text for a column; gives the rows that are complete now. Other names are left out."""
        if name not in self._columns:
            return

        self._columns[name].add(chunk, is_last)
        left, right = self._columns.values()

        while left.ready and right.ready and not (left.empty and right.empty):
            yield _row(left.take(), right.take())


def _row(left: str, right: str) -> str:
    return f"{left:<{WIDTH}} | {right}".rstrip()
