"""Text measured in terminal cells, where a letter may take two of them or none."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, set_cell_size

LOOK_BACK = 4
"""To find the last lines, so many times the letters that fit are laid out."""
STEP = 2_000
"""Code points by which the point where a long text is laid out from moves on."""


def fit(text: str, width: int, more: str) -> str:
    """The text cut to a width, with a sign for what is left out."""
    if cell_len(text) <= width:
        return text

    text = set_cell_size(text, max(width - cell_len(more), 0))

    while text and cell_len(text + more) > width:  # marks that join letters measure oddly when cut
        text = text[:-1]

    return text.rstrip() + more


def fit_end(text: str, width: int, more: str) -> str:
    """The end of a text cut to a width, with a sign for what is left out before it."""
    if cell_len(text) <= width:
        return text

    while text and cell_len(more + text) > width:
        text = text[1:]

    return more + text


def pad(text: str, width: int) -> str:
    """The text filled with blanks up to a width."""
    return text + " " * (width - cell_len(text))


def recent(text: str, width: int, count: int) -> str:
    """Enough of the end of a text to lay out its last lines. It grows in steps: breaks stay put."""
    start = max(len(text) - LOOK_BACK * width * count, 0)

    return text[start // STEP * STEP :]


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

            *full, line = _chopped(word, width)
            yield from full

        yield line


def _chopped(word: str, width: int) -> Iterator[str]:
    line = ""

    for letter in word:
        if line and cell_len(line + letter) > width:
            yield line
            line = letter
        else:
            line += letter

    yield line
