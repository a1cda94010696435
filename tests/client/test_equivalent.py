"""The same run for grpcurl and curl: what the lines say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from headrace_client.cli.equivalent import Call, curl_line, grpcurl_line
from headrace_client.cli.target import Target

HERE = Target("127.0.0.1:50051")
TLS = Target(
    "headrace.example:443",
    "secret",
    grpc.ssl_channel_credentials(),
    ca=Path("my ca.pem"),
    cert=Path("cert.pem"),
    key=Path("key.pem"),
)
FULL = Call(
    "composer",
    {"question": "why's that?"},
    fields=["compose.answer", "*"],
    include_data=True,
    timeout=60,
    revision="abc",
    run_id="r-1",
    labels={"team": "a&b"},
)


def inputs(**named: Any) -> Call:
    return Call("composer", named)


@pytest.mark.parametrize(
    ("call", "target", "line"),
    [
        (
            inputs(question="why?", count=3),
            HERE,
            (
                "grpcurl -plaintext -d "
                """'{"program":"composer","inputs":{"question":"why?","count":3},"options":{"accept":["EVENT_KIND_CUSTOM","EVENT_KIND_INPUT"]}}' """
                "127.0.0.1:50051 headrace.v1.HeadraceService/Run"
            ),
        ),
        (
            inputs(count=[2**53 + 1]),
            HERE,
            (
                "grpcurl -plaintext -d "
                r"""'{"program":"composer","inputsJson":"{\"count\":[9007199254740993]}","options":{"accept":["EVENT_KIND_CUSTOM","EVENT_KIND_INPUT"]}}' """
                "127.0.0.1:50051 headrace.v1.HeadraceService/Run"
            ),
        ),
        (
            FULL,
            TLS,
            (
                "grpcurl -cacert 'my ca.pem' -cert cert.pem -key key.pem "
                '-H "authorization: Bearer $HEADRACE_TOKEN" -d '
                """'{"program":"composer","inputs":{"question":"why'"'"'s that?"},"runId":"r-1","""
                """"timeout":"60s","revision":"abc","labels":{"team":"a&b"},"""
                """"options":{"fields":["compose.answer","*"],"includeData":true,"accept":["EVENT_KIND_CUSTOM","EVENT_KIND_INPUT"]}}' """
                "headrace.example:443 headrace.v1.HeadraceService/Run"
            ),
        ),
    ],
)
def test_the_grpcurl_line_says_all_that_was_asked_for(
    call: Call, target: Target, line: str
) -> None:
    assert grpcurl_line(call, target) == line


@pytest.mark.parametrize(
    ("call", "target", "line"),
    [
        (
            inputs(question="why?"),
            HERE,
            (
                """curl -sN --json '{"question":"why?"}' """
                "'http://127.0.0.1:8080/v1/programs/composer/stream?accept=custom,input'"
            ),
        ),
        (
            FULL,
            Target("x:1", "secret", token_file=Path("my token")),
            (
                """curl -sN -H "authorization: Bearer $(cat 'my token')" --json """
                """'{"question":"why'"'"'s that?"}' """
                "'http://127.0.0.1:8080/v1/programs/composer/stream?run_id=r-1&timeout=60&revision=abc&"
                "fields=compose.answer,%2A&include_data=true&accept=custom,input&labels=team%3Da%26b'"
            ),
        ),
    ],
)
def test_the_curl_line_says_all_that_was_asked_for(call: Call, target: Target, line: str) -> None:
    assert curl_line(call, target, "http://127.0.0.1:8080/") == line


@pytest.mark.parametrize(
    ("seconds", "exact"),
    [(1234567.25, "1234567.250"), (0.000001, "0.000001"), (86400.0 * 365, "31536000")],
)
def test_a_timeout_is_exact_and_has_no_exponent(seconds: float, exact: str) -> None:
    call = Call("composer", {}, timeout=seconds)

    assert f'"timeout":"{exact}s"' in grpcurl_line(call, HERE)
    assert f"timeout={exact}&" in curl_line(call, HERE, "http://127.0.0.1:8080")


def test_no_line_holds_a_token() -> None:
    lines = grpcurl_line(FULL, TLS) + curl_line(FULL, TLS, "https://gateway.example")

    assert "secret" not in lines
