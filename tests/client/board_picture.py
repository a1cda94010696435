"""The picture of the board in the documentation."""

from __future__ import annotations

import io
import re
from pathlib import Path

from client.events import Arm, S, end, log, start, token, tokens
from headrace_client.cli.board import Board
from headrace_client.cli.frame import Frame
from headrace_client.cli.live import group
from rich.console import Console

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "board.svg"

WIDTH = 92

MOMENT: list[Arm] = [
    start(S.KIND_RUN, "composer"),
    start(S.KIND_MODULE, "ideas", "Spinning ideas...", call_id=2),
    start(S.KIND_MODULE, "evidence", "Pulling evidence...", call_id=3),
    *tokens("ideas.brainstorm.reasoning", "Rivers carve what they ", "can carry away.", call_id=4),
    *tokens("evidence.probe.reasoning", "The oldest surveys are of ", "the Maeander.", call_id=5),
    token("ideas.brainstorm.brainstorm", "A bend slows its inner bank, which gathers ", call_id=4),
    token("evidence.probe.evidence", "Laboratory flumes of a constant slope ", call_id=5),
    start(S.KIND_TOOL, "search", "Searching for flumes...", call_id=6),
    end(S.KIND_TOOL, "search", "Found 3 pages.", call_id=6, seconds=1.5),
    token("evidence.probe.evidence", "meander within hours", offset=38, call_id=5),
]


def draw_board() -> str:
    """A run of composer as the board draws it, as SVG."""
    board = Board()

    for event in log(*MOMENT):
        board.update(event)

    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(group(Frame(width=WIDTH, height=20).lines(board)))

    svg = console.export_svg(title="headrace run composer", unique_id="board")

    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # fonts from elsewhere
