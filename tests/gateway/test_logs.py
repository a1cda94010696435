"""The gateway's log: a line per request, in the server's forms, without what may be a secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from gateway.programs import QUESTION
from gateway.serving import Gateway
from headrace_client.cli.logs import Form, Level, start_logging

logger = logging.getLogger("headrace.gateway")

pytestmark = pytest.mark.usefixtures("logging_put_back")


def logged(
    capsys: pytest.CaptureFixture[str],
    write: Callable[[], object],
    form: Form = "json",
    level: Level = "info",
) -> list[str]:
    """The lines that `write` leads to."""
    stop = start_logging(form, level)
    write()
    stop()

    return capsys.readouterr().err.splitlines()


async def requests_of(
    capsys: pytest.CaptureFixture[str], edge: Gateway, *asked: tuple[str, str, Any]
) -> list[dict[str, Any]]:
    """The lines of requests, made one after the other."""
    stop = start_logging("json", "info")

    for method, path, body in asked:
        await edge.http.request(method, path, json=body)

    stop()

    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


async def test_each_request_leaves_a_line(
    capsys: pytest.CaptureFixture[str], edge: Gateway
) -> None:
    lines = await requests_of(
        capsys,
        edge,
        ("GET", "/v1/programs", None),
        ("POST", "/v1/programs/none/stream?run_id=r-1&token=sesame", {"question": QUESTION}),
        ("GET", "/v1/nothing%0A%1b[2J", None),
    )
    told = [{name: one.get(name) for name in ("method", "path", "status")} for one in lines]

    assert told == [
        {"method": "GET", "path": "/v1/programs", "status": 200},
        {"method": "POST", "path": "/v1/programs/none/stream", "status": 400},
        {"method": "GET", "path": "/v1/nothing\n\x1b[2J", "status": 404},
    ]
    assert all(one["peer"].startswith("127.0.0.1:") and one["duration"] >= 0 for one in lines)
    assert not any(QUESTION in str(one) or "sesame" in str(one) for one in lines)


def test_a_line_for_people_holds_no_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"path": "/x\x1b[2J\n12:00:00 ERROR forged", "status": 404}
    [line] = logged(capsys, lambda: logger.info("request", extra={"facts": facts}), form="console")

    assert line.endswith('INFO    request path="/x␛[2J 12:00:00 ERROR forged" status=404')


def test_exceptions_are_told_without_their_texts(capsys: pytest.CaptureFixture[str]) -> None:
    text = "a prompt"

    def fail() -> None:
        try:
            raise ValueError(text)
        except ValueError:
            logger.exception("it failed")

    [line] = logged(capsys, fail)
    told = json.loads(line)

    assert told["exception"].splitlines()[0] == "ValueError"
    assert "in fail" in told["exception"]
    assert "a prompt" not in line


def test_levels_leave_lines_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert logged(capsys, lambda: logger.info("request"), level="warning") == []
