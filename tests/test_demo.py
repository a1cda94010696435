"""The demo: its columns, and `make demo`'s program as a whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from headrace.demo.display import WIDTH, Columns


def rows(*added: tuple[str, str, bool]) -> list[str]:
    columns = Columns("a", "b")

    return [row for one in added for row in columns.add(*one)]


def row(left: str, right: str) -> str:
    return f"{left:<{WIDTH}} | {right}".rstrip()


def test_a_row_waits_for_both_columns() -> None:
    assert rows(("a", "word " * 20, False)) == []


def test_a_row_comes_when_both_columns_have_a_line() -> None:
    line = ("word " * 9).strip()

    assert rows(("a", "word " * 12, False), ("b", "word " * 12, False)) == [row(line, line)]


def test_a_column_that_ended_holds_up_no_row() -> None:
    assert rows(("a", "short", True), ("b", "also", True)) == [row("short", "also")]
    assert rows(("a", "", True), ("b", "alone", True)) == [row("", "alone")]


def test_text_cut_anywhere_gives_the_same_rows() -> None:
    text = "The water comes down the headrace, over the wheel, and leaves by the tailrace."
    whole = rows(("a", text, True), ("b", text, True))
    letters = [("a", letter, False) for letter in text] + [("b", letter, False) for letter in text]

    assert rows(*letters, ("a", "", True), ("b", "", True)) == whole


def test_other_fields_are_left_out() -> None:
    assert rows(("c", "word " * 20, True)) == []


@pytest.mark.timeout(90)
def test_the_demo_shows_both_branches_the_answer_and_what_to_try_next() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "HEADRACE_LM"}
    demo = subprocess.run(
        [sys.executable, "-m", "headrace.demo"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    shown = demo.stdout

    assert demo.returncode == 0, demo.stderr
    assert "canned prose" in shown.splitlines()[0]
    assert " | This is canned prose from mock-lm for the" in shown
    assert shown.index("[ideas.brainstorm]") < shown.index("[answer]") < shown.index("grpcurl")
