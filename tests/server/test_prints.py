"""What is printed to standard error beside the log, and lines that come at odd moments."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from collections.abc import Callable

import pytest
from headrace.server.config import Logs
from headrace.server.logs import own_redactor, prints_logged, start_logging

logger = logging.getLogger("headrace.test")

pytestmark = pytest.mark.usefixtures("logging_put_back")


def logged(
    capsys: pytest.CaptureFixture[str], write: Callable[[], object], logs: Logs
) -> list[str]:
    """The lines on standard error that `write` leads to."""
    stop = start_logging(logs, own_redactor(""))

    with prints_logged(logs):
        write()

    stop()

    return capsys.readouterr().err.splitlines()


def test_where_lines_are_json_what_is_printed_is_too(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        sys.stderr.write("one\ntw")
        sys.stderr.write("o\r\n\nthree")

    lines = [json.loads(line) for line in logged(capsys, write, Logs(format="json", level="error"))]
    assert [(line["logger"], line["message"]) for line in lines] == [
        ("stderr", "one"),
        ("stderr", "two"),
        ("stderr", "three"),
    ]


def test_a_line_that_does_not_end_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        for _ in range(3):
            sys.stderr.write("." * 5_000)

    lines = [json.loads(line) for line in logged(capsys, write, Logs(format="json"))]
    assert [len(line["message"]) for line in lines] == [10_000, 5_000]


def test_where_lines_are_for_people_prints_are_left_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write = sys.stderr.write

    assert logged(capsys, lambda: write("one\n"), Logs(format="console")) == ["one"]


def test_other_processes_may_be_given_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    behind = sys.stderr

    with prints_logged(Logs(format="json")):
        assert sys.stderr.fileno() == behind.fileno()
        os.write(sys.stderr.fileno(), b"as it is\n")

    assert sys.stderr is behind
    assert capfd.readouterr().err == "as it is\n"


def test_a_line_that_cannot_be_written_shows_nothing_of_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = logged(capsys, lambda: logger.info("%d", "secret"), Logs(format="json"))

    assert [json.loads(line) for line in lines] == [
        {"level": "error", "message": "a line was lost: TypeError"}
    ]


class Late:
    """Logs when it is thrown away, which may be in the middle of anything."""

    def __init__(self) -> None:
        self.kept = self  # so that the garbage collector has to come

    def __del__(self) -> None:
        logger.info("thrown away")


def test_a_line_may_be_logged_while_another_is_put_into_the_queue(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def write() -> None:
        for _ in range(200):
            Late()
            logger.info("on")

        gc.collect()

    before = gc.get_threshold()
    gc.set_threshold(1)

    try:
        lines = logged(capsys, write, Logs(format="console"))
    finally:
        gc.set_threshold(*before)

    assert sum("thrown away" in line for line in lines) == 200


def test_what_is_logged_after_the_end_is_written_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logged(capsys, lambda: None, Logs(format="console"))
    logger.info("late")

    assert "late" in capsys.readouterr().err
