"""A board laid out in lines for a terminal of some width and height. Pure, like the board.

One line on top, then a row for each thing that began. What runs gets the space there is and shows
the end of its text, what is done takes one line, and the oldest rows fold into a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len

from headrace_client.cli.board import Board, Mark, Row
from headrace_client.cli.cells import fit, fit_end, pad, recent, wrap
from headrace_client.cli.clean import clean, one_line
from headrace_client.cli.wording import counted, seconds

WIDEST_LABEL = 36
MOST_LINES = 6
"""Of one running row."""
LONGEST_LINE = 2_000
"""Code points looked at of a text that gets one line."""
TIME_WIDTH = 9
NARROW = 60
"""Cells below which the times of rows are left out."""


class Span(NamedTuple):
    """Text in one style; `live` knows what the styles look like."""

    text: str
    style: str = ""


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs a terminal can show."""

    running: str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
    done: str = "✓"
    failed: str = "✗"
    stopped: str = "■"
    note: str = "·"
    more: str = "…"


UNICODE = Glyphs()
ASCII = Glyphs(running="|/-\\", done="+", failed="x", stopped="#", note="-", more="~")


@dataclass(frozen=True, slots=True)
class Frame:
    """The terminal and the moment for which a board is laid out."""

    width: int = 80
    height: int | None = None
    """None: as many lines as it takes."""
    glyphs: Glyphs = UNICODE
    tick: int = 0
    """Turns the spinner."""
    idle: float = 0.0
    """Seconds since the newest event."""

    def lines(self, board: Board) -> list[Line]:
        """The board in lines of at most `width` cells."""
        rows = list(board.rows.values())
        shown, each = self._share(rows)
        label_width = self._label_width(shown)
        lines = [self._head(board)]

        if len(shown) < len(rows):
            folded = f"  {self.glyphs.more} {len(rows) - len(shown)} earlier"
            lines.append((Span(fit(folded, self.width, ""), "faint"),))

        for row in shown:
            lines.extend(self._row(row, label_width, each, board.clock + self.idle))

        return lines

    def _share(self, rows: Sequence[Row]) -> tuple[list[Row], int]:
        """The rows that fit, and the lines that each running one may take."""
        running = [row for row in rows if row.mark is Mark.RUNNING]

        if self.height is None:
            return list(rows), 1

        room = max(self.height - 1, 1)
        spare = room - (len(rows) - len(running))
        each = min(max(spare // max(len(running), 1), 1), MOST_LINES)
        surplus = len(rows) - len(running) + each * len(running) - room

        if surplus <= 0:
            return list(rows), each

        ranked = sorted(
            rows, key=lambda row: row.mark is Mark.RUNNING
        )  # the oldest done ones first
        folded = {id(row) for row in ranked[: surplus + 1]}

        return [row for row in rows if id(row) not in folded], each

    def _head(self, board: Board) -> Line:
        elapsed = board.clock - board.started

        if board.mark is Mark.RUNNING:
            elapsed += self.idle

        facts = [
            seconds(elapsed),
            *([counted(board.token_count, "token")] * bool(board.token_count)),
        ]

        if board.rate:
            facts.append(f"{board.rate:,.0f}/s")

        if board.mark in (Mark.FAILED, Mark.STOPPED):
            facts.insert(0, board.mark.value)

        title = f"{self._sign(board.mark)} {one_line(board.title) or 'run'}"
        title = fit(title, self.width, self.glyphs.more)
        rest = fit("  " + ", ".join(facts), self.width - cell_len(title), "")
        spare = self.width - cell_len(title + rest) - 2
        name = "  " + board.run_id if len(board.run_id) <= spare else ""

        return (Span(title, "title"), Span(rest), Span(name, "faint"))

    def _row(self, row: Row, label_width: int, most: int, now: float) -> list[Line]:
        sign = Span(self._sign(row.mark) + " ", row.mark.value)

        if not row.label:
            text = fit(one_line(str(row.text)), self.width - 2, self.glyphs.more)

            return [(sign, Span(text, "faint"))]

        time = self._time(row, now)
        text_width = max(self.width - 2 - label_width - 2 - cell_len(time), 1)
        label = pad(fit_end(_label(row), label_width, self.glyphs.more), label_width)
        first, *others = self._text(row, text_width, most)
        indent = Span(" " * (2 + label_width + 2))

        return [
            (sign, Span(label, "label"), Span("  " + pad(first, text_width)), Span(time, "faint")),
            *((indent, Span(line)) for line in others),
        ]

    def _text(self, row: Row, width: int, most: int) -> list[str]:
        text = str(row.text)

        if row.mark is Mark.RUNNING:
            return list(wrap(clean(recent(text, width, most)), width))[-most:] or [""]

        return [fit(one_line(text[:LONGEST_LINE]), width, self.glyphs.more)]

    def _time(self, row: Row, now: float) -> str:
        if self.width < NARROW:
            return ""

        length = (now if row.ended is None else row.ended) - row.started
        text = "cached" if row.is_cached else seconds(length)

        return text.rjust(TIME_WIDTH)

    def _label_width(self, rows: Sequence[Row]) -> int:
        widest = max((cell_len(_label(row)) for row in rows), default=0)

        return min(widest, WIDEST_LABEL, self.width * 2 // 5)

    def _sign(self, mark: Mark) -> str:
        if mark is Mark.RUNNING:
            return self.glyphs.running[self.tick % len(self.glyphs.running)]

        return {
            Mark.DONE: self.glyphs.done,
            Mark.FAILED: self.glyphs.failed,
            Mark.STOPPED: self.glyphs.stopped,
            Mark.NOTE: self.glyphs.note,
        }[mark]


def plain(lines: Sequence[Line]) -> str:
    """The lines without styles."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)


def _label(row: Row) -> str:
    return one_line(row.label) + (f" #{row.number}" if row.number > 1 else "")
