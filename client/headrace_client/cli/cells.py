"""Text measured in terminal cells, where a letter may take two of them or none."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, chop_cells, set_cell_size

LOOK_BACK = 4
"""How many times the cells shown are laid out to find the last of them."""
STEP = 2_000
"""Code points by which the point where a long text is laid out from moves on."""


def fit(text: str, width: int, more: str) -> str:
    """The text cut to a width, with a sign for what is left out."""
    if cell_len(text) <= width:
        return text

    return set_cell_size(text, max(width - cell_len(more), 0)).rstrip() + more


def fit_end(text: str, width: int, more: str) -> str:
    """The end of a text of one line, cut to a width."""
    if cell_len(text) <= width:
        return text

    while text and cell_len(more + text) > width:
        text = text[1:]

    return more + text


def pad(text: str, width: int) -> str:
    """The text filled with blanks up to a width."""
    return text + " " * (width - cell_len(text))


def last_lines(text: str, width: int, count: int) -> list[str]:
    """The last lines of a text that still grows, broken at words; earlier breaks stay put."""
    enough = LOOK_BACK * width * count
    start = max(len(text) - enough, 0) // STEP * STEP

    return list(wrap(text[start:], width))[-count:]


def wrap(text: str, width: int) -> Iterator[str]:
    """The text in lines of at most `width` cells, broken at words where that is possible."""
    for paragraph in text.expandtabs(4).splitlines():
        line = ""

        for word in paragraph.split(" "):
            if line and cell_len(line) + 1 + cell_len(word) <= width:
                line += " " + word
                continue

            if line:
                yield line

            *full, line = chop_cells(word, width) or [""]
            yield from full

        yield line
