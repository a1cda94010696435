"""The chat dialect: what counts as a header, what is value, and what waits."""

from __future__ import annotations

import re

import pytest
from headrace.parsing import ChatParser
from hypothesis import given
from hypothesis import strategies as st
from runtime.parsing_cases import (
    Case,
    assert_reads,
    cut_up,
    given_after_each,
    parse,
    values,
)

LONG = "list_of_recommended_next_actions_for_the_user_and_everyone_else_in_the_room"


def make() -> ChatParser:
    return ChatParser(["reasoning", "answer", LONG])


CASES: dict[str, Case] = {
    "a field": ("[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]", {"answer": "Paris"}),
    "several fields": (
        "[[ ## reasoning ## ]]\nIt is.\n\n[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]\n",
        {"reasoning": "It is.", "answer": "Paris"},
    ),
    "no completion marker": ("[[ ## answer ## ]]\nParis\n", {"answer": "Paris"}),
    "text on the header's line": ("[[ ## answer ## ]] Paris", {"answer": "Paris"}),
    "text right after the header": ("[[ ## answer ## ]]Paris", {"answer": "Paris"}),
    "a header after a header on one line is text": (
        "[[ ## reasoning ## ]] [[ ## answer ## ]] Paris",
        {"reasoning": "[[ ## answer ## ]] Paris"},
    ),
    "an indented header": (
        "[[ ## reasoning ## ]]\nx\n \t [[ ## answer ## ]]\ny",
        {"reasoning": "x", "answer": "y"},
    ),
    "a header in mid-line is text": (
        "[[ ## answer ## ]]\nwrite `[[ ## answer ## ]]` or [[ ## completed ## ]] there",
        {"answer": "write `[[ ## answer ## ]]` or [[ ## completed ## ]] there"},
    ),
    "text before the first header is dropped": (
        "Sure! [[ ## answer ## ]] is next.\n[[ ## answer ## ]]\nParis",
        {"answer": "Paris"},
    ),
    "an unknown header swallows its section": (
        "[[ ## answer ## ]]\nParis\n[[ ## notes ## ]]\nnot this\n[[ ## reasoning ## ]]\nbecause",
        {"answer": "Paris", "reasoning": "because"},
    ),
    "the first section of a name wins": (
        "[[ ## answer ## ]]\nParis\n[[ ## answer ## ]]\nLyon\n[[ ## reasoning ## ]]\nx",
        {"answer": "Paris", "reasoning": "x"},
    ),
    "nothing counts after the completion marker": (
        "[[ ## answer ## ]]\nParis\n[[ ## completed ## ]]\n[[ ## reasoning ## ]]\nx",
        {"answer": "Paris"},
    ),
    "an empty section is an empty field": (
        "[[ ## answer ## ]]\n\n[[ ## reasoning ## ]]\n \n",
        {"answer": "", "reasoning": ""},
    ),
    "whitespace around the value goes, inside it stays": (
        "[[ ## answer ## ]]\n\n  a\n\n\n    b  c \t\n\n[[ ## completed ## ]]",
        {"answer": "a\n\n\n    b  c"},
    ),
    "line endings stay as they are": (
        "[[ ## answer ## ]]\r\na\r\nb\rc\u2028d\x0be\r\n\r\n[[ ## completed ## ]]\r\n",
        {"answer": "a\r\nb\rc\u2028d\x0be"},
    ),
    "brackets are text": (
        "[[ ## answer ## ]]\n[1] M = [[1, 2], [3, 4]] done\n[[Home]]\n[[ ## not a name ## ]]\n[",
        {"answer": "[1] M = [[1, 2], [3, 4]] done\n[[Home]]\n[[ ## not a name ## ]]\n["},
    ),
    "a header cut off by the end is text": (
        "[[ ## answer ## ]]\nParis\n[[ ## compl",
        {"answer": "Paris\n[[ ## compl"},
    ),
    "a long name": (
        f"[[ ## {LONG} ## ]]\nrest\n[[ ## answer ## ]]\nx",
        {LONG: "rest", "answer": "x"},
    ),
    "a name too long to be one is text": (
        f"[[ ## answer ## ]]\nx\n[[ ## {'n' * 100} ## ]]\ny",
        {"answer": f"x\n[[ ## {'n' * 100} ## ]]\ny"},
    ),
    "no headers at all": ("I cannot do that.", {}),
    "nothing": ("", {}),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_reads_however_it_is_cut(text: str, expected: dict[str, str]) -> None:
    assert_reads(make, text, expected)


def test_an_output_called_completed_takes_the_first_such_header() -> None:
    text = "[[ ## completed ## ]]\nyes\n[[ ## answer ## ]]\nx\n[[ ## completed ## ]]\n[[ ## a ## ]]"

    assert_reads(
        lambda: ChatParser(["completed", "answer"]), text, {"completed": "yes", "answer": "x"}
    )


def without_headers(text: str) -> str:
    """Any text whose lines do not begin as a header does; that this dialect cannot say."""
    return re.sub(r"(?m)^(\s*)\[\[ ## ", r"\1", text)


@given(first=values().map(without_headers), second=values().map(without_headers), data=st.data())
def test_what_is_written_between_headers_is_what_is_read(
    first: str, second: str, data: st.DataObject
) -> None:
    text = (
        f"[[ ## reasoning ## ]]\n{first}\n\n[[ ## answer ## ]]\n{second}\n\n[[ ## completed ## ]]"
    )
    pieces = data.draw(cut_up(text))

    assert parse(make, *pieces) == {"reasoning": first.strip(), "answer": second.strip()}


@given(text=values(), data=st.data())
def test_any_text_reads_the_same_however_it_is_cut(text: str, data: st.DataObject) -> None:
    text = "[[ ## answer ## ]]\n" + text

    assert parse(make, *data.draw(cut_up(text))) == parse(make, text)


HEADER = "[[ ## answer ## ]]\n"
WAITS = re.compile(r"\s*\Z|\n\s*(\[(\[( (#(#( (\w{1,75}( (#(#( \]?)?)?)?)?)?)?)?)?)?)?)\Z")


@given(text=values().map(without_headers))
def test_what_waits_is_trailing_whitespace_and_what_may_become_a_header(text: str) -> None:
    for received, seen in given_after_each(make, HEADER + text, "answer"):
        if len(received) >= len(HEADER):
            content = received[len(HEADER) - 1 :]
            waiting = WAITS.search(content)

            assert waiting is not None
            assert seen == content[: waiting.start()].strip()


def test_mid_line_brackets_never_wait() -> None:
    text = HEADER + "x [[ ## answer"

    assert list(given_after_each(make, text, "answer"))[-1][1] == "x [[ ## answer"
