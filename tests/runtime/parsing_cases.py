"""What every parser test stands on: reading under the laws, every way to cut a text, counted work."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from types import FrameType
from typing import Any

from headrace.parsing import FieldDelta, FieldParser
from hypothesis import strategies as st

Make = Callable[[], FieldParser]
Case = tuple[str, dict[str, str]]
"""A completion, and the text of each field it starts, in order."""


def parse(make: Make, *pieces: str) -> dict[str, str]:
    """Reads one completion; gives the joined deltas by field, in the order the fields started."""
    parser = make()
    deltas = [delta for piece in pieces for delta in parser.feed(piece)]

    return joined([*deltas, *parser.close()])


def joined(deltas: Iterable[FieldDelta]) -> dict[str, str]:
    """The text by field. Checks that each field ends once, with its last delta, and none is idle."""
    texts: dict[str, str] = {}
    ended: list[str] = []

    for field, text, is_last in deltas:
        assert field not in ended, f"text of {field} after its end"
        assert text or is_last, f"an empty delta of {field}"
        texts[field] = texts.get(field, "") + text

        if is_last:
            ended.append(field)

    assert sorted(ended) == sorted(texts)

    return texts


def cuts(text: str) -> Iterator[Sequence[str]]:
    """The text whole, by character, cut in two at every position, and cut at random."""
    yield [text]
    yield list(text)
    yield from ([text[:at], text[at:]] for at in range(1, len(text)))
    yield from (random_cut(text, random.Random(seed)) for seed in range(20))


def random_cut(text: str, source: random.Random) -> list[str]:
    """Pieces of 0 to 9 characters."""
    pieces: list[str] = []

    while sum(map(len, pieces)) < len(text):
        at = sum(map(len, pieces))
        pieces.append(text[at : at + source.randint(0, 9)])

    return pieces


def assert_reads(make: Make, text: str, expected: dict[str, str]) -> None:
    """However the text is cut, it reads as expected."""
    for pieces in cuts(text):
        texts = parse(make, *pieces)
        assert list(texts.items()) == list(expected.items()), f"cut as {pieces}"


def given_after_each(make: Make, text: str, field: str) -> Iterator[tuple[str, str]]:
    """Fed by character: what was received, and what was given of a field by then."""
    parser, given = make(), ""

    for at, character in enumerate(text, 1):
        given += "".join(delta.text for delta in parser.feed(character) if delta.field == field)

        yield text[:at], given


def held_after_each(make: Make, text: str) -> Iterator[str]:
    """Fed by character: what the parser holds back each time, as it would give it if the text ended."""
    parser = make()

    for character in text:
        parser.feed(character)

        yield "".join(delta.text for delta in deepcopy(parser).close())


TRICKY = st.sampled_from(
    [
        "[", "[[", "]]", "[[ ##", " ## ]]", "see [[Home]]", "`[[ ## answer ## ]]`", "##", "<", ">", "</", "&",
        "&amp;", "&lt;", "&#", "&#65;", ";", "<b>", "</b>", "<answer>", "</answer>", "</answer", "<answer/>",
        "<![CDATA[", "]]>", "]", '"', "'", "\\", "\\n", "\\u00e9", "\\ud83d", "{", "}", '{"answer": "x"}', '",',
        '"}', ", ", ":", "\n", "\r\n", "\t", " ", "  \n", "null", "None", "é", "\N{GRINNING FACE}", "\x00", "\x1f",
        "\u2028", "\x85", "function f() { return a[0]; }", "word", "two words ",
    ]
)  # fmt: skip
"""Pieces of text that mean something to one dialect or another."""


def values() -> st.SearchStrategy[str]:
    """Any text, mostly of the tricky kind."""
    return st.one_of(st.text(), st.lists(TRICKY | st.text(max_size=5), max_size=12).map("".join))


@st.composite
def cut_up(draw: st.DrawFn, text: str) -> list[str]:
    """The text in pieces."""
    places = draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))

    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def work(make: Make, pieces: Sequence[str]) -> tuple[int, int]:
    """What reading costs: calls made, and characters handed to the parser's own functions.

    All is read once before: CPython 3.11 sees more calls in code that it has not specialised yet.
    """
    _read(make(), pieces)
    calls = characters = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls, characters
        calls += event in ("call", "c_call")

        if event == "call" and frame.f_globals["__name__"].startswith("headrace.parsing"):
            characters += sum(len(v) for v in frame.f_locals.values() if isinstance(v, str))

    parser = make()
    sys.setprofile(count)

    try:
        _read(parser, pieces)
    finally:
        sys.setprofile(None)

    return calls, characters


def _read(parser: FieldParser, pieces: Sequence[str]) -> None:
    for piece in pieces:
        parser.feed(piece)

    parser.close()
