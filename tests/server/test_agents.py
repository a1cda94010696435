"""Agents over gRPC: turns, tools and typed outputs, from a provider over real HTTP to the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from google.protobuf.json_format import MessageToDict
from headrace import LM, Program, ReAct, StatusMessageProvider
from headrace.server.config import Config
from headrace.testing import serve_programs
from headrace_mock import MockLM
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1 import headrace_pb2_grpc as rpc
from scripted_lm import chat, cut


def measure(place: str) -> dict[str, float]:
    """Measures the water level at a place."""
    return {"metres": 1.5}


def answer(body: Mapping[str, Any]) -> Sequence[str]:
    """Measures twice, then finishes and answers."""
    prompt = body["messages"][-1]["content"]
    turn = prompt.count("[[ ## observation_")

    if "next_tool_name" not in prompt:
        return cut(chat(reasoning="measured", level="1.5", places='["mill", "weir"]'))

    tool = "measure" if turn < 2 else "finish"
    arguments: dict[str, str] = {"place": ["mill", "weir"][turn]} if turn < 2 else {}

    return cut(
        chat(
            next_thought=f"thought {turn}",
            next_tool_name=tool,
            next_tool_args=json.dumps(arguments),
        )
    )


class Words(StatusMessageProvider):
    def tool_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return f"Measuring at {inputs['place']}..."

    def tool_end_status_message(self, *args: Any, **kwargs: Any) -> str:
        return "Measured."


@pytest.fixture
async def service() -> AsyncGenerator[rpc.HeadraceServiceAsyncStub, None]:
    agent = ReAct("question -> level: float, places: list[str]", tools=[measure])

    async with MockLM({"agent": answer}) as mock:
        lm = LM("openai/agent", api_base=mock.base_url, api_key="any", cache=False)
        program = Program(agent, name="agent", status=Words(), lm=lm)

        async with (
            serve_programs(program, config=Config(include_data=True)) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield rpc.HeadraceServiceStub(channel)


@pytest.fixture
async def events(service: rpc.HeadraceServiceAsyncStub) -> list[pb.StreamEvent]:
    request = pb.RunRequest(program="agent", inputs_json='{"question": "how high?"}')

    return [event async for event in service.Run(request, timeout=20)]


async def test_each_turns_thought_streams_under_a_call_id_of_its_own(
    events: list[pb.StreamEvent],
) -> None:
    thoughts: dict[int, str] = {}

    for event in events:
        if event.token.field == "next_thought":
            call = event.token.call_id
            thoughts[call] = thoughts.get(call, "") + event.token.chunk

    assert list(thoughts.values()) == ["thought 0", "thought 1", "thought 2"]


async def test_tool_calls_start_and_end_in_the_words_of_the_program(
    events: list[pb.StreamEvent],
) -> None:
    kinds = pb.StatusUpdate.Kind
    tools = [event.status for event in events if event.status.kind == kinds.KIND_TOOL]

    assert [(one.name, one.phase, one.message) for one in tools] == [
        ("measure", pb.StatusUpdate.PHASE_START, "Measuring at mill..."),
        ("measure", pb.StatusUpdate.PHASE_END, "Measured."),
        ("measure", pb.StatusUpdate.PHASE_START, "Measuring at weir..."),
        ("measure", pb.StatusUpdate.PHASE_END, "Measured."),
        ("finish", pb.StatusUpdate.PHASE_START, ""),
        ("finish", pb.StatusUpdate.PHASE_END, ""),
    ]


async def test_tool_calls_tell_their_content_to_whoever_asks_for_it(
    service: rpc.HeadraceServiceAsyncStub, events: list[pb.StreamEvent]
) -> None:
    wanting = pb.StreamOptions(include_data=True)
    request = pb.RunRequest(
        program="agent", inputs_json='{"question": "how high?"}', options=wanting
    )
    told = [event.status async for event in service.Run(request, timeout=20)]
    kinds = pb.StatusUpdate.Kind
    tools = [one for one in told if one.kind == kinds.KIND_TOOL]

    assert [(one.name, one.tool) for one in tools] == [
        ("measure", pb.ToolCall(arguments_json='{"place":"mill"}')),
        ("measure", pb.ToolCall(result_json='{"metres":1.5}')),
        ("measure", pb.ToolCall(arguments_json='{"place":"weir"}')),
        ("measure", pb.ToolCall(result_json='{"metres":1.5}')),
        ("finish", pb.ToolCall(arguments_json="{}")),
        ("finish", pb.ToolCall(result_json='"Completed."')),
    ]
    assert {one.kind for one in told if one.HasField("data")} == {
        kinds.KIND_RUN,
        kinds.KIND_MODULE,
        kinds.KIND_LM,
    }
    assert [event for event in events if event.status.HasField("tool")] == []


async def test_the_prediction_carries_typed_outputs(events: list[pb.StreamEvent]) -> None:
    assert events[-1].WhichOneof("event") == "prediction"
    outputs = MessageToDict(events[-1].prediction.outputs)

    assert outputs["level"] == 1.5
    assert outputs["places"] == ["mill", "weir"]
    assert outputs["reasoning"] == "measured"
    assert outputs["trajectory"]["observation_0"] == {"metres": 1.5}
    assert events[-1].prediction.usage.lm_call_count == 4


async def test_the_program_lists_the_tools_of_its_agents(
    service: rpc.HeadraceServiceAsyncStub,
) -> None:
    program = (await service.GetProgram(pb.GetProgramRequest(name="agent"))).program

    assert [(tool.name, tool.description) for tool in program.tools] == [
        ("measure", "Measures the water level at a place.")
    ]
    assert json.loads(program.tools[0].parameters_schema_json)["required"] == ["place"]
    assert [predictor.name for predictor in program.predictors] == ["react", "extract"]


@asynccontextmanager
async def served(mock: MockLM) -> AsyncGenerator[rpc.HeadraceServiceAsyncStub]:
    agent = ReAct("question -> level: float, places: list[str]", tools=[measure])
    lm = LM("openai/any", api_base=mock.base_url, api_key="any", cache=False)

    async with (
        serve_programs(Program(agent, name="agent", lm=lm)) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield rpc.HeadraceServiceStub(channel)


async def last_of(service: rpc.HeadraceServiceAsyncStub) -> dict[str, Any]:
    request = pb.RunRequest(program="agent", inputs_json='{"question": "how high?"}')
    events = [event async for event in service.Run(request, timeout=20)]

    return MessageToDict(events[-1].prediction.outputs)


async def test_an_agent_gets_real_results_of_its_tools_from_canned_answers() -> None:
    async with MockLM() as mock, served(mock) as service:
        outputs = await last_of(service)

    assert outputs["trajectory"]["tool_args_0"] == {"place": "how high?"}
    assert outputs["trajectory"]["observation_0"] == {"metres": 1.5}
    assert outputs["trajectory"]["tool_name_1"] == "finish"
    assert outputs["level"] == 7.0


async def test_an_agent_can_be_scripted_turn_by_turn() -> None:
    script: list[dict[str, Any]] = [
        {"tool_calls": [{"name": "measure", "arguments": {"place": "mill"}}]},
        {"tool_calls": [{"name": "measure", "arguments": {"place": "weir"}}]},
        {"tool_calls": [{"name": "finish"}]},
        {"fields": {"reasoning": "measured", "level": 1.5, "places": ["mill", "weir"]}},
    ]

    async with MockLM(script=script) as mock, served(mock) as service:
        outputs = await last_of(service)

    asked = [outputs["trajectory"][f"tool_args_{turn}"] for turn in range(3)]
    assert asked == [{"place": "mill"}, {"place": "weir"}, {}]
    assert (outputs["level"], outputs["places"]) == (1.5, ["mill", "weir"])
