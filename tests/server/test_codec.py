"""The codec of runs: what a store wrote down reads as what happened, for all that clients are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import orjson
import pytest
from headrace import errors
from headrace.errors import FieldViolation, HeadraceError
from headrace.events import (
    COUNTS,
    CustomEvent,
    Event,
    InputRequest,
    InputResolved,
    Kind,
    LmCall,
    Outcome,
    Phase,
    PredictionEvent,
    Status,
    Token,
    ToolCall,
    Usage,
)
from headrace.log import Entry
from headrace.runs.codec import entry_of, record_of, record_row, row_of
from headrace.runs.error_codec import failure_members, failure_of
from headrace.runs.record import Ending, RunKey, RunRecord
from headrace.runs.run import Revisions
from headrace.server.selection import OutputForm
from headrace.server.v1.events import (
    custom_message,
    fill_token,
    input_request_message,
    prediction_message,
    resolved_message,
    status_message,
)
from headrace.server.v1.status import status_of
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st


class OwnError(errors.LMRateLimitError):
    """A class of a program's own, with a reason and an attribute that are its own too."""

    reason = "OUT_OF_LUCK"

    def __init__(self, owner: object) -> None:
        super().__init__("no luck today", model="m", retry_after=2.5)
        self.owner = owner


def of_an_lm(kind: type[errors.LMError]) -> errors.LMError:
    return kind(
        f"{kind.__name__} said",
        model="openai/gpt",
        status_code=503,
        retry_after=1.5,
        detail="the provider's words",
        provider_type="some_type",
        provider_code="some_code",
        metadata={"call": "3"},
    )


FAILURES: list[HeadraceError] = [
    *(
        kind(f"{kind.__name__} said", metadata={"é": "ü"})
        for kind in (
            HeadraceError,
            errors.SignatureError,
            errors.UsageError,
            errors.CannotAsk,
            errors.RequestRefused,
            errors.ProgramNotFound,
            errors.RunNotFound,
            errors.RunIdReused,
            errors.RevisionMismatch,
            errors.CursorAhead,
            errors.InputNotFound,
            errors.PermissionDenied,
            errors.RunError,
            errors.RunTooLarge,
            errors.ProgramError,
            errors.ProgramResultInvalid,
            errors.OutputUnserialisable,
            errors.ToolError,
        )
    ),
    *(
        of_an_lm(kind)
        for kind in (
            errors.LMError,
            errors.LMNotConfiguredError,
            errors.LMAuthError,
            errors.LMBillingError,
            errors.LMRateLimitError,
            errors.LMUnsupportedError,
            errors.LMRequestRejectedError,
            errors.ContextWindowExceededError,
            errors.ContentRefusedError,
            errors.LMTransportError,
            errors.LMServerError,
            errors.LMStreamBrokenError,
        )
    ),
    errors.ServerFault(),
    errors.InputAlreadyResolved("answered otherwise", outcome="ANSWERED"),
    errors.RequestInvalid([FieldViolation("linger", "is below 0")]),
    errors.InputInvalid([FieldViolation("inputs.q", "is missing"), FieldViolation("x", "\ud800")]),
    errors.QuotaExceeded("slower", retry_delay=0.5),
    errors.ServerBusy("busy", retry_delay=2.0),
    errors.ServerDraining("leaving"),
    errors.RunCancelled("linger", "the last reader went"),
    errors.RunTimeout(30.0),
    errors.InputExpired("the question", 5.0),
    errors.InputDeclined("too dear"),
    errors.AdapterParseError("ChatAdapter", "no answer", lm_response="secret", parsed_result={}),
    errors.LMTimeoutError("first_token", 5.0, model="m"),
]


def kin(kind: type[HeadraceError]) -> set[type[HeadraceError]]:
    return {kind}.union(*(kin(one) for one in kind.__subclasses__()))


def read_back(event: Event) -> Event:
    return entry_of(row_of(Entry(1, 0.0, event))).event


def fails(failure: HeadraceError) -> Status:
    return Status(Kind.LM, Phase.END, 3, 1, "m", outcome=Outcome.ERROR, failure=failure)


def told(event: Event) -> Any:
    """All that a client can be told of an event."""
    match event:
        case Token():
            message = pb.Token()
            fill_token(message, event, event.predictor)
            return message, event.typed
        case Status():
            return status_message(event, include_data=True)
        case PredictionEvent():
            return prediction_message(event, Revisions("revision"), OutputForm.BOTH, 2**21)
        case CustomEvent():
            return custom_message(event)
        case InputRequest():
            return input_request_message(event)
        case InputResolved():
            return resolved_message(event, include_data=True), event.digest


texts = st.text(st.characters(exclude_categories=()), max_size=20)
numbers = st.integers(0, 2**31 - 1)
times = st.floats(0, 1e9)
values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**1000), 2**1000) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
contents = st.dictionaries(texts, values, max_size=3)
failures = st.sampled_from(FAILURES) | st.builds(
    errors.ProgramError, texts, metadata=st.dictionaries(texts, texts, max_size=3)
)
plain_usages = st.builds(Usage, *[numbers] * len(COUNTS), st.none() | times)
by_model = st.dictionaries(texts, plain_usages, max_size=2)
usages = st.builds(Usage, *[numbers] * len(COUNTS), st.none() | times, by_model)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
tokens = st.builds(
    Token, names, names, texts, st.booleans(), numbers, numbers, st.booleans(), st.booleans()
)
statuses = st.builds(
    Status,
    st.sampled_from(Kind),
    st.sampled_from(Phase),
    numbers,
    numbers,
    texts,
    texts,
    st.none() | st.sampled_from(Outcome),
    times,
    st.none() | usages,
    st.none() | failures,
    st.none() | contents,
    st.none() | st.builds(LmCall, texts, texts, texts, st.booleans(), numbers, st.none() | times),
    st.none() | st.builds(ToolCall, texts, texts, texts),
)
predictions = st.builds(
    PredictionEvent,
    st.none(),
    st.dictionaries(texts, values, max_size=3),
    usages,
    times,
    st.lists(texts, max_size=2, unique=True).map(tuple),
    numbers,
)
endings = st.builds(
    Ending, st.none() | failures, st.none() | predictions, usages, texts, numbers, numbers
)
records = st.builds(
    RunRecord,
    st.builds(RunKey, texts, texts),
    texts,
    texts,
    texts,
    times,
    times,
    times,
    st.dictionaries(texts, texts, max_size=2),
    texts,
    numbers,
    st.booleans(),
    st.none() | texts,
    st.none() | endings,
    st.none() | times,
    st.none() | times,
    texts,
)


@given(tokens | statuses | predictions, numbers, times, numbers, numbers)
def test_an_entry_reads_as_it_was_written(
    event: Event, sequence: int, time: float, count: int, attempt: int
) -> None:
    entry = Entry(sequence, time, event, count, attempt)
    row = row_of(entry)
    back = entry_of(row)

    assert back[:2] + back[3:] == entry[:2] + entry[3:]
    assert told(back.event) == told(event)
    assert facts_of_event(back.event) == facts_of_event(event)
    assert b"\n" not in row


def facts_of_event(event: Event) -> object:
    """An event with what is known of its failure in its place: errors compare by identity."""
    if isinstance(event, Status) and event.failure is not None:
        return replace(event, failure=None), facts_of(event.failure)

    return event


def facts_of(failure: HeadraceError | None) -> Mapping[str, object]:
    """All of a failure but its causes, and what a model or a provider wrote."""
    kept = errors.bare(failure)

    if kept is None:
        return {}

    delay = getattr(kept, "retry_delay", None)

    return {"class": type(kept), "text": str(kept), "retry_delay": delay, **vars(kept)}


@given(records)
def test_a_record_reads_as_it_was_written(record: RunRecord) -> None:
    back = record_of(record_row(record))

    assert back.state is record.state
    assert replace(back, ending=None) == replace(record, ending=None)
    assert (back.ending is None) is (record.ending is None)

    if back.ending is not None and record.ending is not None:
        assert replace(back.ending, failure=None) == replace(record.ending, failure=None)
        assert facts_of(back.ending.failure) == facts_of(record.ending.failure)


def test_every_class_of_failure_is_tried_here() -> None:
    ours = {kind for kind in kin(HeadraceError) if kind.__module__ == errors.__name__}

    assert {type(failure) for failure in FAILURES} == ours


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_failure_comes_back_as_its_own_class_with_all_that_may_be_told(
    failure: HeadraceError,
) -> None:
    back = failure_of(failure_members(failure))

    assert facts_of(back) == facts_of(failure)
    assert status_of(back, {}, {}) == status_of(failure, {}, {})


def test_a_class_of_the_programs_own_comes_back_as_what_clients_see_of_it() -> None:
    failure = OwnError(owner=object())
    back = failure_of(failure_members(failure))

    assert type(back) is errors.LMRateLimitError
    assert (back.reason, str(back), back.retry_after) == ("OUT_OF_LUCK", "no luck today", 2.5)
    assert status_of(back, {}, {}) == status_of(failure, {}, {})


def test_what_must_stay_in_the_process_is_in_no_row() -> None:
    secret = "sk-secret"
    parse = errors.AdapterParseError(
        "ChatAdapter", "no answer", lm_response=secret, parsed_result={"answer": secret}
    )
    refused = errors.LMError("refused", detail=secret)
    refused.__cause__ = ValueError(secret)
    result = PredictionEvent(secret, {"answer": "shown"})
    rows = [row_of(Entry(1, 0.0, event)) for event in (fails(parse), fails(refused), result)]

    assert [secret.encode() in row for row in rows] == [False, False, False]


def test_an_attribute_that_json_has_not_shows_as_its_type() -> None:
    failure = errors.RunCancelled("caller")
    vars(failure)["by"] = object()
    back = failure_of(orjson.loads(row_of(Entry(1, 0.0, fails(failure))))[4][10])

    assert vars(back)["by"] == "<object>"


def test_members_of_a_newer_writer_are_passed_over() -> None:
    event = fails(errors.InputInvalid([FieldViolation("q", "is missing")]))
    event = replace(event, lm=LmCall("m"), usage=Usage(1, models={"m": Usage(1)}))
    result = PredictionEvent(None, {"a": 1})
    token = Token("p", "answer", "é", True, 3, 2, typed=True)
    record = RunRecord(
        RunKey("me", "r1"), "p", "rev", "d", 1.0, 2.0, 3.0, ending=Ending(event.failure, result)
    )
    rows = [row_of(Entry(7, 1.5, one, 2, 3)) for one in (event, result, token)]

    assert [told(entry_of(longer(row)).event) for row in rows] == [
        told(event),
        told(result),
        told(token),
    ]
    assert [entry_of(longer(row))[3:] for row in rows] == [(2, 3)] * 3
    assert record_row(record_of(longer(record_row(record)))) == record_row(record)


def longer(row: bytes) -> bytes:
    """The row with one more member at the end of every list in it, but for lists of lists."""

    def grown(value: object) -> object:
        if isinstance(value, dict):
            members = cast("dict[str, object]", value)
            return {name: grown(one) for name, one in members.items()}

        if not isinstance(value, list):
            return value

        items = cast("list[object]", value)
        of_lists = bool(items) and isinstance(items[0], list)

        return [*map(grown, items), *([] if of_lists else ["new"])]

    return orjson.dumps(grown(orjson.loads(row)))


def test_a_failure_of_a_class_that_is_not_known_here_is_one_of_its_reason() -> None:
    newer: list[Any] = ["LMTooCleverError", "LM_UNSUPPORTED", "no", {}, {"cleverness": 3}, []]
    newest: list[Any] = ["OwnerLost", "OWNER_LOST", "gone", {}, {}, []]

    assert facts_of(failure_of(newer)) == facts_of(errors.LMUnsupportedError("no"))
    assert type(failure_of(newest)) is HeadraceError
    assert failure_of(newest).reason == "OWNER_LOST"


def test_an_event_of_a_kind_that_is_not_known_here_is_refused() -> None:
    with pytest.raises(ValueError, match="kind 99"):
        entry_of(b"[1,0.0,1,1,[99,1,2,3]]")


def test_counts_that_no_row_holds_are_as_large_as_it_can_hold() -> None:
    result = PredictionEvent(None, {}, Usage(10**30))

    assert read_back(result) == PredictionEvent(None, {}, Usage(2**63 - 1))
