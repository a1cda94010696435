"""The board on a terminal: drawn in place while the run goes on, left as it was at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Generator
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from headrace_client import Prediction, StreamEvent, outputs
from headrace_client.cli.board import Board, Mark
from headrace_client.cli.clean import one_line
from headrace_client.cli.frame import ASCII, UNICODE, Frame, Line
from headrace_client.cli.streams import OutputLost
from headrace_client.cli.views import cost_line
from headrace_client.cli.wording import value_text

REDRAW_SECONDS = 0.1
ROOM_FOR_CTRL_C = 2
"""Cells: the terminal echoes `^C` behind the last line, which must not break for it."""

LOOKS = {
    "": "",
    "title": "bold",
    "label": "cyan",
    "faint": "dim",
    "running": "yellow",
    "done": "green",
    "failed": "red",
    "stopped": "red",
    "note": "dim",
}


class LiveView:
    """Draws a board ten times a second, and the prediction below it at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._board = Board()
        self._live = self._new_live()
        self._is_paused = False
        self._glyphs = UNICODE if console.encoding.lower().startswith("utf") else ASCII
        self._width = console.width
        self._tick = 0
        self._newest = time.monotonic()
        self._drawing: asyncio.Task[None] | None = None
        self._lost: OutputLost | None = None

    def __enter__(self) -> Self:
        self._live.start()
        self._drawing = asyncio.get_running_loop().create_task(self._keep_drawing())

        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._drawing is not None:
            self._drawing.cancel()

        if self._board.mark is Mark.RUNNING:
            self._board.end(_mark_of(exc))

        self._draw(whole=True)
        self._live.stop()

        if self._board.prediction is not None:
            self._console.print(prediction_group(self._board.prediction))

    def show(self, event: StreamEvent) -> None:
        """Takes an event onto the board; it is drawn soon. Raises OutputLost if it was not lately."""
        if self._lost is not None:
            raise self._lost

        self._board.update(event)
        self._newest = time.monotonic()

    @contextlib.contextmanager
    def paused(self) -> Generator[None, None, None]:
        """See View. The board is drawn anew below what was written meanwhile."""
        self._draw()
        self._live.stop()
        self._is_paused = True

        try:
            yield
        finally:
            self._is_paused = False
            self._live = self._new_live()
            self._live.start()

    def _new_live(self) -> Live:
        return Live(console=self._console, auto_refresh=False, redirect_stdout=False)

    async def _keep_drawing(self) -> None:
        try:
            while True:
                if not self._is_paused:
                    self._draw()

                self._tick += 1
                await asyncio.sleep(REDRAW_SECONDS)
        except OutputLost as lost:
            self._lost = lost

    def _draw(self, *, whole: bool = False) -> None:
        self._measure()
        width = self._console.width

        if width < self._width:
            self._console.clear()  # lines drawn wider were broken in two: nobody knows where they are

        self._width = width
        frame = Frame(
            width=max(width - ROOM_FOR_CTRL_C, 1),
            height=None if whole else self._console.height,
            glyphs=self._glyphs,
            tick=self._tick,
            idle=time.monotonic() - self._newest,
        )
        self._live.update(group(frame.lines(self._board)), refresh=True)

    def _measure(self) -> None:
        """Asks the terminal itself: COLUMNS in the environment does not follow its size."""
        with contextlib.suppress(OSError, ValueError):
            size = os.get_terminal_size(self._console.file.fileno())
            self._console.size = ConsoleDimensions(size.columns, size.lines)


def _mark_of(error: BaseException | None) -> Mark:
    if isinstance(error, asyncio.CancelledError):
        return Mark.STOPPED

    return Mark.DONE if error is None else Mark.FAILED


def group(lines: list[Line]) -> Group:
    """Lines as rich draws them; nothing in them is taken for markup."""
    texts = [
        Text.assemble(*((text, LOOKS[style]) for text, style in line), no_wrap=True)
        for line in lines
    ]

    return Group(*texts)


def prediction_group(prediction: Prediction) -> Group:
    """A prediction as it stands below the board."""
    parts: list[Text] = []

    for name, value in outputs(prediction).items():
        parts += [Text(""), Text(one_line(name), LOOKS["title"]), Text(value_text(value))]

    return Group(*parts, Text(""), Text(cost_line(prediction), LOOKS["faint"]))
