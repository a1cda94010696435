"""Logs: what each line is about, in two forms, and never a secret in them."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from anyio import wait_all_tasks_blocked
from headrace.errors import FieldViolation, InputInvalid, LMAuthError, ServerBusy
from headrace.log_context import log_context
from headrace.server.config import Logs
from headrace.server.logs import start_logging
from headrace.server.logs.redaction import HIDDEN, Redactor, own_redactor, secrets_of
from headrace.server.v1.rpc import report_refusal

Lines = Callable[[], list[str]]
logger = logging.getLogger("headrace.test")

pytestmark = pytest.mark.usefixtures("logging_put_back")


def logged(
    capsys: pytest.CaptureFixture[str], write: Callable[[], None], **settings: Any
) -> list[str]:
    """The lines that `write` leads to."""
    stop = start_logging(Logs(**settings), own_redactor("ann=the-token-of-ann"))
    write()
    stop()

    return capsys.readouterr().err.splitlines()


def test_a_json_line_says_what_it_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        log_context.set({"run_id": "r1", "program": "qa", "attempt": "1", "principal": ""})
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
        log_context.set({"run_id": "r1"})
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


ESCAPES = "a\x1b]52;c;x\x07\x9b2J\u202e b\u2028c\n12:00:00 ERROR forged"


def test_callers_write_no_escapes_onto_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        log_context.set({"principal": "x y=1"})
        logger.info("%s", ESCAPES, extra={"facts": {"program": ESCAPES, "tokens": 0}})

    [line] = logged(capsys, write, format="console")
    _, _, told = line.partition("INFO    ")
    harmless = r"a\x1b]52;c;x\x07\x9b2J\u202e b c 12:00:00 ERROR forged"

    assert told == f'{harmless} principal="x y=1" program={json.dumps(harmless)} tokens=0'


def test_json_keeps_values_and_writes_no_escapes_either(capsys: pytest.CaptureFixture[str]) -> None:
    def write() -> None:
        logger.info("x", extra={"facts": {"program": ESCAPES, "cost_usd": 0.5, "peer": ""}})

    [line] = logged(capsys, write, format="json")
    told = json.loads(line)
    assert (told["program"], told["cost_usd"]) == (ESCAPES, 0.5)
    assert "peer" not in told
    assert not set(line) & set("\x1b\x07\x9b\u202e\u2028")


def refuse() -> None:
    try:
        raise LMAuthError(
            "refused",
            status_code=401,
            detail="the key of: Dear model\n\x1b[2J",
            provider_type="invalid_request_error",
        )
    except LMAuthError as error:
        logger.error("run failed", extra={"failure": error})


def test_a_failure_is_told_by_names_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    [line] = logged(capsys, refuse, format="json")
    told = json.loads(line)

    assert (told["http_status"], told["provider_type"]) == (401, "invalid_request_error")
    assert told["place"].endswith(" in refuse")
    assert "Dear model" not in line


def test_with_content_what_the_provider_said_stands_below(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, *below = logged(capsys, refuse, format="console", content=True)

    assert "http_status=401 provider_type=invalid_request_error" in first
    assert below == [
        "    the provider said:",
        "        the key of: Dear model",
        r"        \x1b[2J",
    ]


def test_an_exception_that_cannot_be_written_costs_no_more_than_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def write() -> None:
        try:
            raise Mute
        except Mute:
            logger.exception("failed")

    told = "\n".join(logged(capsys, write, format="console", content=True))
    assert "Mute: (its text cannot be had)" in told


def test_a_line_that_cannot_be_written_is_not_shown_by_python(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [line] = logged(capsys, lambda: logger.info("%d", "a prompt"), format="json")

    assert json.loads(line) == {"level": "error", "message": "a line was lost: TypeError"}


TEXT = "a completion"


def told_shortly(line: dict[str, Any]) -> tuple[str, str]:
    """The message, without the names of tests, and the exception's type."""
    message = line["message"].replace(
        "test_what_nobody_waits_for_is_a_line_without_texts.<locals>.", ""
    )

    return message, line.get("exception", "").split("\n")[0]


def test_what_nobody_waits_for_is_a_line_without_texts(capsys: pytest.CaptureFixture[str]) -> None:
    class Leaves:
        def __del__(self) -> None:
            raise RuntimeError(TEXT)

    def raises() -> None:
        raise RuntimeError(TEXT)

    async def leaves() -> None:
        async def fails() -> None:
            raise RuntimeError(TEXT)

        asyncio.get_running_loop().create_task(fails())
        await wait_all_tasks_blocked()

    def write() -> None:
        thread = threading.Thread(target=raises, name="t")
        thread.start()
        thread.join()
        Leaves()
        asyncio.run(leaves())
        gc.collect()
        warnings.showwarning(f"odd:\n {TEXT}", UserWarning, "app.py", 3)  # as outside of pytest

    lines = [json.loads(line) for line in logged(capsys, write, format="json")]

    assert [told_shortly(line) for line in lines] == [
        ("thread t raised", "RuntimeError"),
        ("raised where nobody waits: Leaves.__del__", "RuntimeError"),
        ("Task exception was never retrieved", "RuntimeError"),
        ("app.py:3: UserWarning: odd:", ""),
    ]
    assert TEXT not in str(lines)


def test_a_flood_of_refusals_leaves_few_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("headrace.server.logs.output.time.monotonic", lambda: now)

    def write() -> None:
        nonlocal now

        for _ in range(1000):
            report_refusal(ServerBusy("full"), "Run", "127.0.0.1:9", "qa")

        now += 1.0
        report_refusal(InputInvalid([FieldViolation("inputs.x", "a prompt")]), "Run", "", "qa")

    *busy, last = [json.loads(line) for line in logged(capsys, write, format="json")]

    assert len(busy) == 10
    assert {name: last[name] for name in ("message", "reason", "method", "program")} == {
        "message": "refused: the inputs do not fit the program",
        "reason": "INPUT_INVALID",
        "method": "Run",
        "program": "qa",
    }
    assert last["lines_left_out"] == 990
