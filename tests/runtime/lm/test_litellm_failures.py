"""litellm's errors become ours by what lies beneath them, whatever litellm calls them."""

from __future__ import annotations

import itertools
import json
from typing import Any

import aiohttp
import httpx
import pytest
from headrace.errors import (
    LMError,
    LMRateLimitError,
    LMRequestRejectedError,
    LMServerError,
    LMStreamBrokenError,
    LMTimeoutError,
    LMTransportError,
)
from headrace.lm.deadlines import Deadlines
from headrace.lm.engines import Provider
from headrace.lm.litellm.errors import translated
from headrace.lm.litellm.routes import Route

ROUTE = Route(Provider("openai", "any", "k", "http://127.0.0.1/v1"), {})


def named(module: str, name: str, **attributes: Any) -> Exception:
    """An error of a class that no release has yet."""
    kind: type[Exception] = type(name, (Exception,), {"__module__": module, **attributes})

    return kind("words that no release has yet")


def wrapped(*errors: Exception) -> Exception:
    """The first error, each raised from the next."""
    for outer, inner in itertools.pairwise(errors):
        outer.__cause__ = inner

    return errors[0]


def made_up(status: int = 500) -> Exception:
    """An error for litellm's users: with a number, and a response, that no provider sent."""
    return named(
        "litellm.exceptions", "BrandNew", status_code=status, response=httpx.Response(status)
    )


def own(status: int) -> Exception:
    """An error of litellm's code for one provider."""
    return named("litellm.llms.acme.chat", "AcmeError", status_code=status)


def refusal(status: int) -> Exception:
    request = httpx.Request("POST", "http://127.0.0.1/")

    return httpx.HTTPStatusError("", request=request, response=httpx.Response(status))


def outcome(*errors: Exception, begun: bool, emitted: bool = False) -> tuple[type[LMError], Any]:
    error = translated(wrapped(*errors), ROUTE, Deadlines(), "m", begun=begun, emitted=emitted)

    return type(error), error.status_code


BROKEN = LMStreamBrokenError, None
UNREACHED = LMTransportError, None

CASES: dict[str, tuple[list[Exception], Any, Any]] = {
    "nothing known": (
        [named("litellm.somewhere", "New")], (LMServerError, None), BROKEN,
    ),
    "a number of litellm's": ([made_up(), StopAsyncIteration()], (LMServerError, None), BROKEN),
    "a number of litellm's for users": ([made_up(429)], (LMRateLimitError, 429), BROKEN),
    "a bug below": ([made_up(), AttributeError("choices")], (LMServerError, None), BROKEN),
    "a refusal": ([made_up(), refusal(429)], (LMRateLimitError, 429), (LMRateLimitError, 429)),
    "a refusal of another HTTP library": (
        [made_up(), named("httpx9", "NewStatusError", response=httpx.Response(503))],
        (LMServerError, 503),
        (LMServerError, 503),
    ),
    "a provider's error inside a stream": (
        [made_up(), own(529)], (LMServerError, 529), (LMServerError, 529),
    ),
    "a body": (
        [made_up(), named("openai", "New", body={"message": "no", "type": "invalid_request_error"})],
        (LMRequestRejectedError, None),
        (LMRequestRejectedError, None),
    ),
    "a connection": ([made_up(), httpx.ReadError("")], UNREACHED, UNREACHED),
    "a connection of another release": (
        [made_up(), named("httpx2", "NewError"), ConnectionResetError()], UNREACHED, UNREACHED,
    ),
    "a payload": ([made_up(), aiohttp.ClientPayloadError()], UNREACHED, UNREACHED),
    "connecting": (
        [made_up(), httpx.ConnectTimeout("")], (LMTimeoutError, None), (LMTimeoutError, None),
    ),
    "JSON": ([made_up(), json.JSONDecodeError("", "", 0)], BROKEN, BROKEN),
    "characters": ([made_up(), UnicodeDecodeError("utf-8", b"", 0, 1, "")], BROKEN, BROKEN),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_error_before_the_answer(case: str) -> None:
    errors, before, _ = CASES[case]

    assert outcome(*errors, begun=False) == before


@pytest.mark.parametrize("case", CASES)
def test_an_error_in_the_answer(case: str) -> None:
    errors, _, within = CASES[case]

    assert outcome(*errors, begun=True) == within


def test_a_connection_that_fails_after_a_piece_went_out_breaks_the_answer() -> None:
    errors = made_up(), httpx.ReadError("")

    assert outcome(*errors, begun=True, emitted=True) == BROKEN


def test_no_words_of_litellms_come_out() -> None:
    error = translated(made_up(), ROUTE, Deadlines(), "m", begun=True, emitted=False)

    assert str(error) == "the LM's answer broke off: litellm could not read on"
    assert error.detail == "words that no release has yet"
