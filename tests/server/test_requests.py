"""Requests: inputs as plain values within bounds, and every refusal by field."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from headrace.errors import InputInvalid, RequestInvalid
from headrace.runs.limits import Limits
from headrace.server.core import Start
from headrace.server.selection import EventKind, ReaderOptions, StatusDetail, check_selectors
from headrace.server.v1 import requests
from headrace.server.v1.rpc import parse
from headrace.server.v1.values import from_struct, to_struct
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

LIMITS = Limits()

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def struct(**fields: Any) -> Struct:
    values = Struct()
    values.update(fields)

    return values


def of_struct(**fields: Any) -> dict[str, object]:
    return requests.decode_inputs(pb.RunRequest(inputs=struct(**fields)), LIMITS)


def of_json(text: str, limits: Limits = LIMITS) -> dict[str, object]:
    return requests.decode_inputs(pb.RunRequest(inputs_json=text), limits)


def refusal(request: pb.RunRequest, limits: Limits = LIMITS) -> list[tuple[str, str]]:
    with pytest.raises(InputInvalid) as refused:
        requests.decode_inputs(request, limits)

    return [(one.field, one.description) for one in refused.value.violations]


def started(limits: Limits = LIMITS, **asked: Any) -> Start:
    start, _ = requests.decode_start(pb.RunRequest(program="p", **asked), limits)

    return start


def reading(options: pb.StreamOptions) -> ReaderOptions:
    return requests.decode_reader(pb.AttachRequest(options=options), LIMITS)


def test_whole_doubles_become_ints() -> None:
    decoded = of_struct(n=3, x=3.5, big=2.0**53, items=[1, {"y": 2}])

    assert json.dumps(decoded, sort_keys=True) == json.dumps(
        {"big": 2**53, "items": [1, {"y": 2}], "n": 3, "x": 3.5}
    )


def test_json_text_keeps_integers_exact() -> None:
    assert of_json('{"n": 9007199254740993}') == {"n": 9007199254740993}


def test_no_inputs_are_an_empty_object() -> None:
    assert requests.decode_inputs(pb.RunRequest(), LIMITS) == {}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_has_not_are_refused(number: float) -> None:
    request = pb.RunRequest(inputs=struct(a=[0, number]))

    assert refusal(request) == [("inputs.a[1]", f"{number} is not a number in JSON")]


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("{", "inputs_json", "is not JSON: Expecting property name enclosed in double quotes"),
        ('{"a": NaN}', "inputs_json", "is not JSON: NaN"),
        ("[1]", "inputs_json", "must be a JSON object"),
        ("[" * 100_000, "inputs_json", "nests too deep"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "inputs.a", "nests too deep"),
        (r'{"a": "\ud800"}', "inputs.a", "holds half of a surrogate pair"),
        (r'{"\ud800": 1}', "inputs", "holds half of a surrogate pair"),
        ('{"a": 1e999}', "inputs.a", "inf is not a number in JSON"),
    ],
)
def test_malformed_json_is_refused_by_field(text: str, field: str, reason: str) -> None:
    [(name, description)] = refusal(pb.RunRequest(inputs_json=text))

    assert name.startswith(field)
    assert description.startswith(reason)


def test_inputs_have_a_largest_size_and_number_of_values() -> None:
    limits = Limits(max_input_bytes=100, max_input_elements=10)

    assert refusal(pb.RunRequest(inputs_json=json.dumps({"a": "x" * 100})), limits) == [
        ("inputs", "109 bytes; at most 100 are taken")
    ]
    assert refusal(pb.RunRequest(inputs=struct(a=[0] * 10)), limits) == [
        ("inputs", "119 bytes; at most 100 are taken")
    ]
    assert refusal(pb.RunRequest(inputs_json='{"a": [0,0,0,0,0,0,0,0,0]}'), limits) == [
        ("inputs", "11 values; at most 10 are taken")
    ]


def test_structs_deeper_than_protobuf_parses_are_no_message() -> None:
    def field(number: int, content: bytes) -> bytes:
        size, prefix = len(content), [number << 3 | 2]

        while size > 127:
            prefix.append(size & 127 | 128)
            size >>= 7

        return bytes([*prefix, size]) + content

    nested = b""

    for _ in range(200):
        nested = field(6, field(1, nested))  # Value.list_value of ListValue.values

    entry = field(1, b"a") + field(2, nested)

    with pytest.raises(RequestInvalid):
        parse(pb.RunRequest, field(2, field(1, entry)))


@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_a_refusal(data: bytes) -> None:
    with contextlib.suppress(RequestInvalid):
        parse(pb.RunRequest, data)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_json_values_survive_a_struct(values: dict[str, Any]) -> None:
    def as_sent(value: Any) -> Any:
        match value:
            case bool() | None | str():
                return value
            case int():
                return value if abs(value) <= 2**53 else str(value)
            case float():
                return int(value) if value.is_integer() and abs(value) <= 2**53 else value
            case list():
                return [as_sent(item) for item in value]  # pyright: ignore[reportUnknownVariableType]  # JSON
            case _:
                return {name: as_sent(item) for name, item in value.items()}

    assert from_struct(to_struct(values)) == as_sent(values)


def test_an_empty_struct_from_node_is_explained() -> None:
    def hint(**asked: Any) -> str:
        return started(**asked).input_hint

    assert "proto-loader" in hint(inputs=Struct())
    assert [hint(), hint(inputs=struct(a=1)), hint(inputs_json="{}")] == ["", "", ""]


def test_times_are_bounded() -> None:
    limits = Limits(max_timeout=60, max_linger=60)
    good = started(limits, timeout=Duration(seconds=1), linger=Duration(nanos=500_000_000))
    bare = started(limits, linger=Duration())

    assert (good.timeout, good.linger) == (1.0, 0.5)
    assert (bare.timeout, bare.linger) == (None, 0.0)

    for bad in (Duration(seconds=61), Duration(seconds=-1), Duration(seconds=2**62)):
        with pytest.raises(RequestInvalid, match="timeout: must be between 0s and 60s"):
            started(limits, timeout=bad)


def test_labels_are_few_and_short() -> None:
    assert started(labels={"a": "b"}).labels == {"a": "b"}

    for labels in ({str(n): "" for n in range(17)}, {"a" * 65: ""}, {"a": "b" * 65}):
        with pytest.raises(RequestInvalid, match="labels"):
            started(labels=labels)


def test_a_cursor_is_not_negative_and_beyond_0_resumes() -> None:
    with pytest.raises(RequestInvalid, match="after_sequence"):
        started(after_sequence=-1)

    assert [started(after_sequence=after).resumes for after in (0, 1)] == [False, True]


def test_selectors_name_fields_that_can_stream() -> None:
    streamable = {"ideas.brainstorm.predict": ["brainstorm", "reasoning"]}

    def check(*fields: str) -> None:
        check_selectors(reading(pb.StreamOptions(fields=fields)), streamable)

    check("*", "ideas.brainstorm.brainstorm", "ideas.brainstorm.predict.reasoning")

    with pytest.raises(RequestInvalid, match=r"did you mean ideas\.brainstorm\.reasoning"):
        check("ideas.brainstorm.resoning")


def test_a_reader_that_names_no_heartbeat_gets_the_server_s() -> None:
    silent = pb.StreamOptions(heartbeat_interval=Duration())

    assert reading(pb.StreamOptions()).heartbeat_interval == 15.0
    assert reading(silent).heartbeat_interval == 0.0


def test_a_detail_of_statuses_that_is_not_known_asks_for_all() -> None:
    def detail(number: int) -> StatusDetail:
        wire = pb.StreamOptions.FromString(bytes([3 << 3, number]))

        return reading(wire).status_detail

    assert {number: detail(number) for number in range(5)} == {
        0: StatusDetail.ALL,
        pb.STATUS_DETAIL_ALL: StatusDetail.ALL,
        pb.STATUS_DETAIL_MESSAGES: StatusDetail.MESSAGES,
        pb.STATUS_DETAIL_NONE: StatusDetail.NONE,
        4: StatusDetail.ALL,
    }


def test_the_deepest_values_that_are_sent_can_be_parsed() -> None:
    deep: dict[str, object] = {}

    for _ in range(29):
        deep = {"a": deep}

    event = pb.StreamEvent(prediction=pb.Prediction(outputs=to_struct(deep)))
    assert pb.StreamEvent.FromString(event.SerializeToString()) == event

    for levels in (1, 100_000):
        for _ in range(levels):
            deep = {"a": deep}

        with pytest.raises(ValueError, match="nests deeper than 30"):
            to_struct(deep)


def test_a_request_full_of_kinds_is_decoded_in_little_time() -> None:
    accept: Any = [pb.EVENT_KIND_BATCH, 77, pb.EVENT_KIND_CUSTOM] * 300_000
    request = pb.AttachRequest(run_id="r1", options=pb.StreamOptions(accept=accept))
    began = time.process_time()
    options = requests.decode_reader(request, LIMITS)

    assert options.accept == {EventKind.BATCH, EventKind.CUSTOM}
    assert time.process_time() - began < 0.3
