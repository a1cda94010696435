"""The board as drawn: what stays on the terminal when a run ends, however it ends."""

from __future__ import annotations

import io
import re

import pytest
from client.events import S, composer_run, log, prediction, start, token
from headrace_client import HeadraceError, ServerUnreachable
from headrace_client.cli.live import LiveView
from headrace_proto.v1 import headrace_pb2 as pb
from rich.console import Console

FRAME_START = "\x1b[2K"


def left_on_screen(
    events: list[pb.StreamEvent], error: HeadraceError | None = None, *, encoding: str = "utf-8"
) -> str:
    """What is drawn last, without its colours."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    view = LiveView(Console(file=file, force_terminal=True, width=60, height=20, _environ={}))
    view.__enter__()

    for event in events:
        view.show(event)

    view.__exit__(type(error) if error else None, error, None)
    drawn = raw.getvalue().decode(encoding).rpartition(FRAME_START)[2]

    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn).replace("\r", "").strip()


async def test_the_prediction_stands_below_the_board() -> None:
    assert left_on_screen(log(*composer_run())).splitlines()[-3:] == [
        "",
        "answer",
        "Because of rain.",
    ]


@pytest.mark.parametrize(
    ("error", "sign"), [(ServerUnreachable("the road broke"), "✗"), (None, "✓")]
)
async def test_nothing_is_left_spinning(error: HeadraceError | None, sign: str) -> None:
    last = left_on_screen(log(*composer_run())[:4], error)

    assert [line[0] for line in last.splitlines()] == [sign, "·", sign, sign]


async def test_brackets_of_a_model_are_text_and_not_markup() -> None:
    text = token("self.answer", "[bold]x[/] :smile:")
    last = left_on_screen(log(start(S.KIND_RUN, "qa"), text, prediction(a="[red]")))

    assert "[bold]x[/] :smile:" in last
    assert last.endswith("[red]")


async def test_a_terminal_without_unicode_gets_ascii_signs() -> None:
    last = left_on_screen(log(*composer_run())[:4], encoding="latin-1")

    assert [line[0] for line in last.splitlines()] == ["+", "-", "+", "+"]


async def test_the_board_makes_room_while_somebody_is_asked_and_is_drawn_anew_below() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    events = log(*composer_run())
    view = LiveView(Console(file=file, force_terminal=True, width=60, height=20, _environ={}))

    with view:
        view.show(events[0])

        with view.paused():
            drawn = len(raw.getvalue())
            view.show(events[1])
            file.write("Which way? ")

        for event in events[2:]:
            view.show(event)

    asked, _, rest = raw.getvalue()[drawn:].decode().partition("Which way? ")

    assert asked == ""
    assert "Spinning ideas..." in rest
