"""Display of a run of the composer: `headrace run`'s board on a terminal, elsewhere text in two columns."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections import deque
from collections.abc import Iterator

from headrace_client import Client, HeadraceError, Prediction, StatusUpdate, Token, outputs

from headrace.demo.commands import headrace

WIDTH = 46
"""Characters of a column."""

QUESTION = "Why do parallel branches feel faster?"
BRANCHES = {"brainstorm": "ideas.brainstorm", "evidence": "evidence.probe"}
"""The field of each branch, and the predictor that writes it."""


def say(text: str) -> None:
    """Prints in order with what commands print."""
    print(text, flush=True)  # noqa: T201 - this is a command


async def watch(address: str) -> int:
    """Runs the composer and shows it; gives the exit code."""
    if sys.stdout.isatty():
        question = f"question={QUESTION}"
        say(f"\n$ headrace run composer {shlex.quote(question)}")
        run = await headrace("run", "composer", question, "--address", address)
        return await run.wait()

    try:
        await _show_columns(address)
    except HeadraceError as error:
        say(f"the run failed: {error}")
        return 1

    return 0


async def _show_columns(address: str) -> None:
    columns = Columns(*BRANCHES.values())
    say(f"\ncomposer is asked: {QUESTION}\n\n{columns.heads()}")

    async with Client(address) as client, client.run("composer", question=QUESTION) as run:
        async for event in run:
            match event:
                case Token() if event.field in BRANCHES:
                    for row in columns.add(event.predictor, event.chunk, event.is_last):
                        say(row)
                case StatusUpdate() if event.message:
                    say(event.message)
                case Prediction():
                    say("\n[answer]\n" + textwrap.fill(outputs(event)["answer"], 95))
                case _:
                    pass


class Column:
    """A text that grows, cut into lines. The last line is held back until more text or the end comes."""

    def __init__(self) -> None:
        self._open = ""
        self._lines: deque[str] = deque()
        self._ended = False

    @property
    def ready(self) -> bool:
        """True where a row may be drawn without waiting for this column."""
        return bool(self._lines) or self._ended

    @property
    def empty(self) -> bool:
        """True where all of it so far has been taken."""
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
