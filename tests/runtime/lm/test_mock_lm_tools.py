"""The mock calls tools before it answers: those an agent lists in its prompt, those a request offers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from headrace import LM, ChatAdapter, JSONAdapter, ReAct, Tool, XMLAdapter, context
from headrace.adapters import Adapter
from headrace_mock import MockLM
from pydantic import BaseModel, Field


class Box(BaseModel):
    weight: Annotated[int, Field(gt=10, multiple_of=4)]
    label: Literal["fragile", "heavy"] = "heavy"


def measure(place: str, depth: Annotated[float, Field(ge=0, lt=0.5)]) -> str:
    """Measures the water level at a place. Arguments: {none that matter}."""
    return f"{place}: {depth} m"


def pack(box: Box, times: int = 3) -> str:
    """Packs a box."""
    return f"{box.label} {box.weight} x {times}"


def now() -> str:
    """Tells the time."""
    return "noon"


def never() -> str:
    """Comes too late."""
    raise AssertionError


TOOLS: list[Any] = [measure, Tool(pack, name="pack-up"), now, never]


def turns(trajectory: dict[str, Any]) -> list[tuple[Any, ...]]:
    count = sum(key.startswith("tool_name_") for key in trajectory)
    parts = ("tool_name", "tool_args", "observation")

    return [tuple(trajectory[f"{part}_{at}"] for part in parts) for at in range(count)]


@pytest.mark.parametrize("adapter", [ChatAdapter(), JSONAdapter(), XMLAdapter()])
async def test_an_agent_calls_its_first_tools_once_each_and_then_answers(adapter: Adapter) -> None:
    agent = ReAct("question -> answer, level: int", tools=TOOLS)

    async with MockLM() as mock:
        lm = LM("openai/any", api_base=mock.base_url, api_key="any", cache=False)

        with context(lm=lm, adapter=adapter):
            prediction = await agent.acall(question="How deep?")

    assert turns(prediction.trajectory) == [
        ("measure", {"place": "How deep?", "depth": 0}, "How deep?: 0.0 m"),
        ("pack-up", {"box": {"weight": 12, "label": "heavy"}, "times": 3}, "heavy 12 x 3"),
        ("now", {}, "noon"),
        ("finish", {}, "Completed."),
    ]
    assert prediction.level == 7
    assert "“How deep?”" in prediction.answer


async def test_an_agent_without_tools_finishes_at_once() -> None:
    async with MockLM() as mock:
        lm = LM("openai/any", api_base=mock.base_url, api_key="any", cache=False)

        with context(lm=lm):
            prediction = await ReAct("question -> answer", tools=[]).acall(question="Why?")

    assert turns(prediction.trajectory) == [("finish", {}, "Completed.")]


def offering(*functions: Any) -> list[dict[str, Any]]:
    return [Tool(one).format_as_openai_function_call() for one in functions]


async def talk(lm: LM, messages: list[Any], tools: Sequence[Any], **options: Any) -> list[Any]:
    """The calls of a conversation that answers each with "ok", and what it ends in."""
    said: list[Any] = []

    for _ in range(6):
        [answer] = await lm.acall(messages=messages, tools=list(tools), **options)

        if isinstance(answer, str):
            return [*said, answer]

        [call] = answer["tool_calls"]
        said.append(
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        )
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "ok"},
        ]

    return said


@pytest.mark.parametrize("engine", ["direct", "litellm"])
async def test_tools_that_a_request_offers_are_called_once_each(mock: MockLM, engine: Any) -> None:
    lm = LM("openai/any", api_base=mock.base_url, api_key="any", cache=False, engine=engine)
    messages = [{"role": "user", "content": "How deep?"}]

    first, second, answer = await talk(lm, messages, offering(measure, pack))

    assert first == ("call_1", "measure", {"place": "How deep?", "depth": 0})
    assert second == ("call_2", "pack", {"box": {"weight": 12, "label": "heavy"}, "times": 3})
    assert "“How deep?”" in answer


async def test_another_question_has_the_tools_called_again(mock: MockLM) -> None:
    lm = LM("openai/any", api_base=mock.base_url, api_key="any", cache=False)
    messages = [{"role": "user", "content": "How deep?"}]
    await talk(lm, messages, offering(now))
    messages += [{"role": "user", "content": "And now?"}]

    call, answer = await talk(lm, messages, offering(now))

    assert call == ("call_2", "now", {})
    assert "“And now?”" in answer


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", ["measure", "now"]),
        ("none", []),
        ("required", ["measure", "now", "measure", "measure", "measure", "measure"]),
        ({"type": "function", "function": {"name": "now"}}, ["now"] * 6),
    ],
)
async def test_the_choice_of_tools_is_the_requests(
    mock: MockLM, choice: Any, called: list[str]
) -> None:
    lm = LM("openai/any", api_base=mock.base_url, api_key="any", cache=False)
    messages = [{"role": "user", "content": "How deep?"}]
    said = await talk(lm, messages, offering(measure, now), tool_choice=choice)

    assert [one[1] for one in said if not isinstance(one, str)] == called


async def test_a_request_for_no_stream_gets_whole_tool_calls(mock: MockLM) -> None:
    body = {"model": "any", "messages": [{"role": "user", "content": "hi"}], "tools": offering(now)}
    answer = await asyncio.to_thread(posted, mock, body)

    assert answer["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "now", "arguments": "{}"},
                    }
                ],
            },
            "finish_reason": "tool_calls",
        }
    ]


def posted(mock: MockLM, body: Any) -> Any:
    import urllib.request

    headers = {"content-type": "application/json"}
    url = f"{mock.base_url}/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)

    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)
