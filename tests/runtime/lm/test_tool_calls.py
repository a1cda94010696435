"""Tool calls are put together right, whatever a provider does with indexes, ids and names."""

from __future__ import annotations

from typing import Any, TypeAlias

import pytest
from headrace.lm import LM
from headrace.lm.answer.assembly import Assembly
from headrace.lm.answer.tool_calls import ToolCalls
from headrace.lm.base import ignore
from headrace_mock import MockLM, Reply
from hypothesis import given
from hypothesis import strategies as st

Call: TypeAlias = tuple[str, str, str]
"""Id, name, arguments."""

ULM, BONN = '{"city": "Ulm"}', '{"city": "Bonn"}'
A: Call = ("a", "weather", ULM)
B: Call = ("b", "weather", BONN)
TIME: Call = ("b", "time", "{}")


def piece(index: int | None, call_id: str | None, name: str | None, arguments: Any) -> Any:
    """A piece of a call. What is None is left out."""
    said = {"name": name, "arguments": arguments}
    function = {key: value for key, value in said.items() if value is not None}
    places = {"index": index, "id": call_id}
    fields = {key: value for key, value in places.items() if value is not None}

    return {**fields, "type": "function", "function": function}


def pieces_of(index: int | None, call: Call, *, every: bool = False) -> list[list[Any]]:
    """A call in three chunks; `every` one says its id and its name."""
    call_id, name, arguments = call
    again_id, again_name = (call_id, name) if every else (None, None)

    return [
        [piece(index, call_id, name, "")],
        [piece(index, again_id, again_name, arguments[:5])],
        [piece(index, again_id, again_name, arguments[5:])],
    ]


def whole(index: int | None, call: Call) -> Any:
    return piece(index, *call)


def without_id(call: Call) -> Call:
    return ("", *call[1:])


STREAMS: dict[str, tuple[list[list[Any]], list[Call]]] = {
    "an index each, in pieces": ([*pieces_of(0, A), *pieces_of(1, B)], [A, B]),
    "an index each, interleaved": (
        [chunk for both in zip(pieces_of(0, A), pieces_of(1, B), strict=True) for chunk in both],
        [A, B],
    ),
    "the second index first": ([*pieces_of(1, B), *pieces_of(0, A)], [A, B]),
    "one index, in pieces": ([*pieces_of(0, A), *pieces_of(0, B)], [A, B]),
    "one index, whole": ([[whole(0, A)], [whole(0, B)], [whole(0, ("c", *A[1:]))]], [A, B, ("c", *A[1:])]),
    "one index, in one chunk": ([[whole(0, A), whole(0, B)]], [A, B]),
    "one index, another function": ([*pieces_of(0, A), *pieces_of(0, TIME)], [A, TIME]),
    "one index, interleaved by id": (
        [
            [piece(0, "a", "weather", ""), piece(0, "b", "weather", "")],
            [piece(0, "a", None, ULM[:5])],
            [piece(0, "b", None, BONN[:5])],
            [piece(0, "a", None, ULM[5:]), piece(0, "b", None, BONN[5:])],
        ],
        [A, B],
    ),
    "no index, in pieces": ([*pieces_of(None, A), *pieces_of(None, B)], [A, B]),
    "no index, whole": ([[whole(None, A)], [whole(None, B)]], [A, B]),
    "no index, in one chunk": ([[whole(None, A), whole(None, B)]], [A, B]),
    "no index, both in every chunk": (
        [
            [one, other]
            for [one], [other] in zip(pieces_of(None, A), pieces_of(None, B), strict=True)
        ],
        [A, B],
    ),
    "id and name in every piece": (
        [*pieces_of(0, A, every=True), *pieces_of(1, B, every=True)],
        [A, B],
    ),
    "id and name in every piece, one index": (
        [*pieces_of(0, A, every=True), *pieces_of(0, B, every=True)],
        [A, B],
    ),
    "another id in every piece": (
        [[piece(0, "a", "weather", "")], [piece(0, "x", None, ULM[:5])], [piece(0, "y", None, ULM[5:])]],
        [A],
    ),
    "one id under another index": (
        [[piece(0, "a", "weather", ULM[:5])], [piece(1, "a", None, ULM[5:])]],
        [A],
    ),
    "one id for two calls": (
        [*pieces_of(0, A), *pieces_of(1, ("a", *B[1:]))],
        [A, ("a", *B[1:])],
    ),
    "one id and one index for two calls": (
        [[whole(0, A)], [whole(0, ("a", *B[1:]))]],
        [A, ("a", *B[1:])],
    ),
    "no ids, one index": (
        [*pieces_of(0, without_id(A)), *pieces_of(0, without_id(B))],
        [without_id(A), without_id(B)],
    ),
    "empty ids, one index, whole": (
        [[whole(0, without_id(A))], [whole(0, without_id(B))]],
        [without_id(A), without_id(B)],
    ),
    "no ids, one index, another function": (
        [[piece(0, None, "weather", "")], [piece(0, None, "time", "{}")]],
        [("", "weather", ""), without_id(TIME)],
    ),
    "the id before the name": (
        [[piece(0, "a", None, None)], [piece(0, None, "weather", "")], [piece(0, None, None, ULM)]],
        [A],
    ),
    "the id after the name": ([[piece(0, None, "weather", "")], [piece(0, "a", None, ULM)]], [A]),
    "arguments under another index": (
        [[piece(0, "a", "weather", "")], [piece(1, None, None, ULM)]],
        [A],
    ),
    "pieces of one call in one chunk": (
        [[piece(0, "a", "weather", ""), piece(0, None, None, ULM[:5])], [piece(0, None, None, ULM[5:])]],
        [A],
    ),
    "a last piece without arguments": (
        [*pieces_of(0, A), [piece(0, "a", "weather", "")], *pieces_of(1, B)],
        [A, B],
    ),
    "the whole call once more": ([*pieces_of(0, A), [whole(0, A)]], [A]),
    "arguments that hold objects": (
        [[piece(0, "a", "f", '{"x": {"y": {}')], [piece(0, "a", "f", "}"), piece(0, "a", "f", "}")]],
        [("a", "f", '{"x": {"y": {}}}')],
    ),
    "arguments as objects": (
        [[piece(0, "a", "weather", {"city": "Ulm"})], [piece(0, "b", "time", {})]],
        [A, TIME],
    ),
}  # fmt: skip


def as_sent(calls: list[Call]) -> list[dict[str, Any]]:
    return [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call_id, name, arguments in calls
    ]


def assembled(*choices: dict[str, Any]) -> list[list[Any]]:
    """The tool calls of each completion."""
    assembly = Assembly(ignore, "m")

    for choice in choices:
        assembly.feed({"choices": [choice]})

    return [list(choice.tool_calls) for choice in assembly.choices()]


@pytest.mark.parametrize("stream", STREAMS)
def test_calls_are_told_apart(stream: str) -> None:
    chunks, calls = STREAMS[stream]
    choices = [{"index": 0, "delta": {"tool_calls": chunk}} for chunk in chunks]

    assert assembled(*choices, {"delta": {}, "finish_reason": "tool_calls"}) == [as_sent(calls)]


@pytest.mark.parametrize("engine", ["direct", "litellm"])
@pytest.mark.parametrize("stream", STREAMS)
async def test_both_engines_tell_calls_apart(stream: str, engine: Any) -> None:
    chunks, calls = STREAMS[stream]

    async def play(reply: Reply) -> None:
        await reply.open()
        await reply.chunks({"tool_calls": chunk} for chunk in chunks)
        await reply.finish("tool_calls")
        await reply.end()

    async with MockLM({"any": play}) as mock:
        lm = LM("openai/any", engine=engine, api_base=mock.base_url, api_key="k")
        [answer] = await lm.acall("hi")

    assert answer == {"text": "", "tool_calls": as_sent(calls)}


def test_calls_of_several_completions_are_kept_apart() -> None:
    choices = [
        {"index": index, "delta": {"tool_calls": [piece(0, *call)]}}
        for call in (A, B)
        for index in (0, 1)
    ]
    ends: list[dict[str, Any]] = [
        {"index": index, "delta": {}, "finish_reason": "tool_calls"} for index in (0, 1)
    ]

    assert assembled(*choices, *ends) == [as_sent([A, B]), as_sent([A, B])]


def test_a_whole_message_has_its_calls_in_a_list() -> None:
    message = {"content": None, "tool_calls": [piece(None, *A), piece(None, *TIME)]}

    assert assembled({"message": message, "finish_reason": "tool_calls"}) == [as_sent([A, TIME])]


@pytest.mark.parametrize("kind", ["delta", "message"])
def test_a_function_call_of_old_is_a_tool_call(kind: str) -> None:
    parts = [{"name": "weather", "arguments": ULM[:5]}, {"arguments": ULM[5:]}]
    choices = [{kind: {"content": None, "function_call": part}} for part in parts]

    assert assembled(*choices, {"finish_reason": "function_call"}) == [as_sent([without_id(A)])]


def test_halves_of_a_character_meet_in_arguments() -> None:
    calls = ToolCalls()
    calls.add([piece(0, "a", "f", '{"x": "\ud83d')])
    calls.add([piece(0, None, None, '\ude00\ud800"}')])

    assert calls.whole() == as_sent([("a", "f", '{"x": "\U0001f600\ufffd"}')])


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=3)), min_size=1, max_size=4),
    st.sampled_from([0, None]),
    st.integers(1, 9),
)
def test_calls_with_ids_of_their_own_need_no_index(
    arguments: list[dict[str, str]], index: int | None, size: int
) -> None:
    calls = [(f"call_{at}", "f", str(value)) for at, value in enumerate(arguments)]
    gathered = ToolCalls()

    for call_id, name, text in calls:
        gathered.add([piece(index, call_id, name, "")])

        for at in range(0, len(text), size):
            gathered.add([piece(index, None, None, text[at : at + size])])

    assert gathered.whole() == as_sent(calls)
