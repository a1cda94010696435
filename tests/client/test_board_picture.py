"""The picture of the board in the documentation is what the board draws."""

from __future__ import annotations

import re

from client.board_picture import PICTURE, draw_board


def words_of(svg: str) -> list[str]:
    """What is written in it, whatever it is drawn like."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_the_documented_picture_says_what_the_board_says() -> None:
    assert words_of(draw_board()) == words_of(PICTURE.read_text(encoding="utf-8"))
