"""Logs: what each line is about, in two forms, and never a secret in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from headrace.runs.about import about
from headrace.server.config import Logs
from headrace.server.logs import start_logging
from headrace.server.logs.redaction import HIDDEN, Redactor, secrets_of

Lines = Callable[[], list[str]]
logger = logging.getLogger("headrace.test")


@pytest.fixture(autouse=True)
def _logging_is_put_back() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("headrace")
    before = root.handlers[:], root.level, ours.level

    yield

    root.handlers[:], level, own = before
    root.setLevel(level)
    ours.setLevel(own)


def logged(
    capsys: pytest.CaptureFixture[str], write: Callable[[], None], **settings: Any
) -> list[str]:
    """The lines that `write` leads to."""
    stop = start_logging(Logs(**settings), secrets=["the-token-of-ann"])
    write()
    stop()

    return capsys.readouterr().err.splitlines()


def test_a_json_line_says_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        about.set({"run_id": "r1", "program": "qa", "attempt": "1", "principal": ""})
        logger.info("run %s\nended", "well")

    [line] = logged(capsys, write, format="json")
    told = json.loads(line)
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "info",
        "logger": "headrace.test",
        "message": "run well ended",
        "run_id": "r1",
        "program": "qa",
        "attempt": "1",
    }


def test_a_console_line_ends_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        about.set({"run_id": "r1"})
        logger.info("run ended")

    [line] = logged(capsys, write, format="console")
    assert line.endswith("INFO    run ended run_id=r1")


def fail() -> None:
    try:
        try:
            raise ValueError("the prompt was: Dear model")
        except ValueError as error:
            raise RuntimeError("outer text") from error
    except RuntimeError:
        logger.exception("run failed")


def test_the_texts_of_exceptions_are_content(capsys: pytest.CaptureFixture[str]) -> None:
    told = "\n".join(logged(capsys, fail, format="console"))

    assert "RuntimeError\n" in told
    assert "caused by ValueError\n" in told
    assert "in fail" in told
    assert "run failed" in told


def test_content_is_logged_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    told = "\n".join(logged(capsys, fail, format="console", content=True))

    assert "caused by ValueError: the prompt was: Dear model" in told


def test_secrets_do_not_reach_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "value-of-a-key")

    def write() -> None:
        logger.error("value-of-a-key the-token-of-ann sk-abcdefgh12345 ok")

        try:
            raise ValueError("Authorization: Bearer abc.def?api_key=xyz")
        except ValueError:
            logger.exception("failed")

    told = "\n".join(logged(capsys, write, format="json", content=True))

    for secret in ("value-of-a-key", "the-token-of-ann", "sk-abcdefgh12345", "abc.def", "xyz"):
        assert secret not in told

    assert f"{HIDDEN} {HIDDEN} {HIDDEN} ok" in told


def test_levels_leave_lines_out(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        logger.info("quiet")
        logger.warning("loud")
        logging.getLogger("other").info("not ours")

    [line] = logged(capsys, write, format="console", level="warning")
    assert "loud" in line


def test_grpc_may_complain_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        for _ in range(100):
            logging.getLogger("grpc").error("cannot decode")

    assert len(logged(capsys, write, format="console")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "key sk-proj-abcdefghijkl",
        "header Bearer eyJhbGciOi",
        "url ?key=abcdef&x=1",
        "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    assert HIDDEN in Redactor()(text)


def test_ordinary_words_are_not() -> None:
    text = "the risk-free task of a monkey; token count 5"

    assert Redactor(secrets_of({"SHORT_KEY": "a", "EMPTY_TOKEN": ""}))(text) == text
