"""Requests as they come over HTTP: inputs are the JSON body, options the query, positions an event's id.

Options have the names of the contract. One that is unknown or malformed is refused by name.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict, cast, get_args

from headrace_client import FieldViolation, RequestInvalid
from starlette.datastructures import QueryParams
from starlette.requests import Request

from headrace_gateway.errors import refusal

RunState = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]
STATES: tuple[RunState, ...] = get_args(RunState)
MOST_RUNS = 1000
"""Of one list."""

END = "end"
"""In place of a sequence: the reader has seen the last event there will be."""


class ReadOptions(TypedDict, total=False):
    """Options of one reader."""

    fields: list[str]
    token_detail: Literal["all", "whole", "none"]
    include_data: bool
    merge_interval: float
    accept: list[Literal["custom", "input"]]


class StartOptions(TypedDict, total=False):
    """Options of a run's start."""

    run_id: str
    timeout: float
    linger: float
    revision: str
    interface_revision: str
    labels: dict[str, str]


class RunFilters(TypedDict, total=False):
    """The runs that are wanted of a list."""

    program: str
    states: list[RunState]
    labels: dict[str, str]
    created_after: datetime
    created_before: datetime
    limit: int


View = Literal["basic", "full"]
Detail = Literal["all", "messages", "none"]
DETAILS: tuple[Detail, ...] = ("all", "messages", "none")


def read_options(query: QueryParams) -> ReadOptions:
    """The options of a reader. Over HTTP events of further kinds come only to who names them."""
    return cast("ReadOptions", {"accept": [], **_parsed(query, READ)})


def start_options(query: QueryParams) -> StartOptions:
    """The options of a run."""
    return cast("StartOptions", _parsed(query, START))


def run_filters(query: QueryParams) -> RunFilters:
    """The filters of a list of runs."""
    return cast("RunFilters", _parsed(query, LIST))


def view(query: QueryParams) -> View:
    """How much of a run is wanted."""
    return cast("View", _parsed(query, VIEW).get("view", "basic"))


def status_detail(query: QueryParams) -> Detail:
    """The statuses that a reader wants: those with a message, unless it says otherwise."""
    asked = query.get("status_detail", "messages")

    for detail in DETAILS:
        if asked == detail:
            return detail

    raise invalid("status_detail", f"must be one of {', '.join(DETAILS)}")


def refuse_unknown(query: QueryParams, *known: str) -> None:
    """Raises RequestInvalid for options that nothing here reads."""
    names = sorted({*known})

    for name in query:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
            )
            raise invalid(name, f"is no option; {hint}")


def position(request: Request, run_id: str) -> int | None:
    """After which sequence to read; None when the reader has seen the end.

    `Last-Event-ID` is what a browser sends when it connects anew, and counts before the query.
    """
    last = request.headers.get("last-event-id", "")

    if not last:
        return _sequence("after_sequence", request.query_params.get("after_sequence", "0"))

    run, _, sequence = last.rpartition(":")

    if run not in ("", run_id):
        raise invalid("Last-Event-ID", f"is of run {run[:64]!r}, not of this one")

    return None if sequence == END else _sequence("Last-Event-ID", sequence)


async def json_object(request: Request, *, most: int, seconds: float) -> dict[str, Any]:
    """The body: a JSON object of at most `most` bytes; an empty body is an empty object.

    Raises RequestInvalid, or refuses a body that is too large, too slow, compressed, or said not to be
    JSON.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()

    if coding not in ("", "identity"):
        raise refusal("BODY_COMPRESSED", f"the body is {coding[:20]}; send it as it is")

    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()

    if kind != "application/json":
        raise refusal("BODY_NOT_JSON", f"the body is {kind}; send application/json")

    try:
        async with asyncio.timeout(seconds):
            body = await _body(request, most)
    except TimeoutError:
        raise refusal("BODY_TOO_SLOW", f"the body did not come within {seconds:g} s") from None

    return _decoded(body)


def reason(body: dict[str, Any]) -> str:
    """Takes the reason out of a body; may be empty."""
    said: object = body.pop("reason", "")

    if not isinstance(said, str):
        raise invalid("reason", "must be text")

    return said


def refuse_members(body: dict[str, Any], known: str) -> None:
    """Raises RequestInvalid for what a body holds besides what was taken out of it."""
    for name in body:
        raise invalid(name, f"is unknown; the body may hold {known}")


def invalid(field: str, description: str) -> RequestInvalid:
    """The error for one field of a request."""
    return RequestInvalid(
        f"{field} {description}",
        reason="REQUEST_INVALID",
        violations=[FieldViolation(field, description)],
    )


async def _body(request: Request, most: int) -> bytes:
    too_large = refusal("BODY_TOO_LARGE", f"the body is larger than {most} bytes")
    declared = request.headers.get("content-length", "")

    if declared.isdecimal() and int(declared[:20]) > most:
        raise too_large

    body = bytearray()

    async for piece in request.stream():
        body += piece

        if len(body) > most:
            raise too_large

    return bytes(body)


def _decoded(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}

    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # NaN, lone surrogates
    except RecursionError:
        raise invalid("body", "is nested too deep") from None
    except ValueError as error:
        raise invalid("body", f"is no JSON: {error}") from None

    if not isinstance(value, dict):
        raise invalid("body", 'must be a JSON object, such as {"question": "why?"}')

    return cast("dict[str, Any]", value)


Parse = Callable[[list[str]], object]


def _sequence(field: str, text: str) -> int:
    if not text.isdecimal() or int(text[:20]) >= 2**31:
        raise invalid(field, f"{text[:80]!r} is no position")

    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text)

    if not math.isfinite(seconds) or abs(seconds) > 1e9:
        raise ValueError

    return seconds


def _flag(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]


def _one_of(*names: str) -> Callable[[str], str]:
    return {name: name for name in names}.__getitem__


def _some_of(*names: str) -> Parse:
    return lambda texts: [*map(_one_of(*names), _listed(texts))]


def _listed(texts: list[str]) -> list[str]:
    return [one.strip() for text in texts for one in text.split(",") if one.strip()]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)

    if moment.tzinfo is None:
        raise ValueError

    return moment.astimezone(UTC)


def _limit(text: str) -> int:
    limit = int(text)

    if not 0 < limit <= MOST_RUNS:
        raise ValueError

    return limit


def _labels(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]

    if not all(equals for _, equals, _ in pairs):
        raise ValueError

    return {name: value for name, _, value in pairs}


def _last(parse: Callable[[str], object]) -> Parse:
    return lambda texts: parse(texts[-1])


READ: dict[str, tuple[Parse, str]] = {
    "fields": (_listed, "selectors such as compose.answer, or *"),
    "token_detail": (_last(_one_of("all", "whole", "none")), "all, whole or none"),
    "include_data": (_last(_flag), "true or false"),
    "merge_interval": (_last(_seconds), "a number of seconds"),
    "accept": (_some_of("custom", "input"), "custom, input or both"),
}
START: dict[str, tuple[Parse, str]] = {
    "run_id": (_last(str), "text"),
    "timeout": (_last(_seconds), "a number of seconds"),
    "linger": (_last(_seconds), "a number of seconds"),
    "revision": (_last(str), "text"),
    "interface_revision": (_last(str), "text"),
    "labels": (_labels, "name=value"),
}
LIST: dict[str, tuple[Parse, str]] = {
    "program": (_last(str), "text"),
    "states": (_some_of(*STATES), f"some of {', '.join(STATES)}"),
    "labels": (_labels, "name=value"),
    "created_after": (_last(_moment), "a time with its zone, such as 2026-01-31T12:00:00Z"),
    "created_before": (_last(_moment), "a time with its zone, such as 2026-01-31T12:00:00Z"),
    "limit": (_last(_limit), f"1 to {MOST_RUNS}"),
}
VIEW: dict[str, tuple[Parse, str]] = {"view": (_last(_one_of("basic", "full")), "basic or full")}


def _parsed(query: QueryParams, parsers: dict[str, tuple[Parse, str]]) -> dict[str, object]:
    parsed: dict[str, object] = {}

    for name, (parse, wanted) in parsers.items():
        if name in query:
            try:
                parsed[name] = parse(query.getlist(name))
            except (ValueError, OverflowError, KeyError):
                raise invalid(name, f"must be {wanted}") from None

    return parsed
