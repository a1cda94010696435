"""Calls of tools: the next one, for agents that ask in a prompt and for requests that offer `tools`.

Each tool is called once, in order, and no more than three; then comes the answer.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from headrace.lm.loose_json import mapping, sequence

from headrace_mock.reply import Chunk, cut
from headrace_mock.requests import Asked
from headrace_mock.schema_parts import Schema
from headrace_mock.schemas import example

TURNS = 3
"""Tools that are called before the answer."""
FINISH = "finish"
TOOL, ARGUMENTS = "next_tool_name", "next_tool_args"
"""The fields in which an agent asks for its next turn."""
OBSERVATION = re.compile(r"^(?:\[\[ ## |<)observation_(\d+)", re.MULTILINE)
LISTED = r"(?m)^\s*\(\d+\) {0}[:,] (.*)"
"""A tool in the list that an agent's prompt has."""
TAKES = re.compile(r"[Aa]rguments:? (?=\{)")


class Call(NamedTuple):
    """A call of a tool."""

    name: str
    arguments: Mapping[str, Any]


def next_turn(asked: Asked) -> Call | None:
    """The call an agent is to make in its next turn; None if the prompt asks for no turn."""
    names: Sequence[str] = asked.schemas.get(TOOL, {}).get("enum", ())

    if not names:
        return None

    taken = [int(number) for number in OBSERVATION.findall(asked.prompt)]
    tools = [name for name in names if name != FINISH][:TURNS]
    turn = max(taken, default=-1) + 1

    if turn >= len(tools):
        return Call(FINISH if FINISH in names else names[0], {})

    return Call(tools[turn], _arguments(_listed_schema(tools[turn], asked.prompt), asked.topic))


def _arguments(schema: Schema, topic: str) -> Mapping[str, Any]:
    """Arguments that fit; their texts are what the request is about."""
    arguments: Mapping[str, Any] = example({"type": "object", **schema}, lambda name: topic or name)

    return arguments


def _listed_schema(tool: str, prompt: str) -> Schema:
    """The schema of a tool's arguments, as an agent's prompt shows it."""
    line = re.search(LISTED.format(re.escape(tool)), prompt)
    endings = [line[1][place.end() :] for place in TAKES.finditer(line[1])] if line else []
    read = [found for ending in endings if (found := _read(ending.strip(" .")))]
    shown: Schema = read[0] if read else {}

    return shown if "$defs" in shown else {"properties": shown}


def _read(text: str) -> Schema | None:
    """An object, as we write it or as dspy does; None if the text is none."""
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError):
            return mapping(read(text))

    return None


def next_call(body: Mapping[str, Any], topic: str) -> Call | None:
    """The call to make of the tools that a request offers; None when it is time to answer."""
    offered = _offered(body)
    called = _called(body)
    choice = body.get("tool_choice")
    wanted = [name for name in [*offered][:TURNS] if name not in called]

    if named := mapping(mapping(choice).get("function")).get("name"):
        wanted = [named]
    elif choice == "required":
        wanted = wanted or [*offered]

    if choice == "none" or not wanted or wanted[0] not in offered:
        return None

    return Call(wanted[0], _arguments(offered[wanted[0]], topic))


def call_number(body: Mapping[str, Any]) -> int:
    """The number of the conversation's next call."""
    return sum(len(sequence(one.get("tool_calls"))) for one in sequence(body.get("messages"))) + 1


def _offered(body: Mapping[str, Any]) -> dict[str, Schema]:
    """The schemas of the arguments of the tools that are offered, by name."""
    functions = [mapping(mapping(tool).get("function")) for tool in sequence(body.get("tools"))]

    return {one["name"]: mapping(one.get("parameters")) for one in functions if "name" in one}


def _called(body: Mapping[str, Any]) -> set[str]:
    """The tools called since the user spoke last."""
    messages = sequence(body.get("messages"))
    spoke = max((at for at, one in enumerate(messages) if one.get("role") == "user"), default=0)

    return {
        mapping(call.get("function")).get("name", "")
        for message in messages[spoke:]
        for call in sequence(message.get("tool_calls"))
    }


def call_deltas(calls: Iterable[Call], number: int = 1) -> Iterator[Chunk]:
    """The calls one after the other, their arguments cut small. `number` is that of the first."""
    for index, call in enumerate(calls):
        opening = {"name": call.name, "arguments": ""}
        start = {"id": f"call_{number + index}", "type": "function", "function": opening}
        yield {"tool_calls": [{"index": index, **start}]}

        for piece in cut(json.dumps(call.arguments, ensure_ascii=False)):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
