"""grpcurl against a real server, by reflection alone: what a user without any of our files sees."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from headrace import Program, ReAct, Tool
from headrace.demo import composer, qa
from headrace.lm import LM
from headrace.settings import context
from headrace.testing import serve_programs
from headrace_mock import MockLM
from scripted_lm import ScriptedLM, chat

GRPCURL = shutil.which("grpcurl") or ""
SERVICE = "headrace.v1.HeadraceService"
ROOT = Path(__file__).parents[2]
PROTOSET = ROOT / "proto/headrace_proto/v1/headrace.binpb"

pytestmark = pytest.mark.skipif(
    not GRPCURL, reason="grpcurl is not installed; .ci/run shows how to install it"
)

reads_json_names = pytest.mark.parametrize(
    "contract",
    [
        pytest.param([], id="reflected"),
        pytest.param(["-protoset", str(PROTOSET)], id="from-the-descriptor-set"),
    ],
)


@dataclass(frozen=True)
class Answer:
    """What one grpcurl command printed, and how it ended."""

    code: int
    printed: str
    complained: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The JSON objects it printed, one per message."""
        decoder, text = json.JSONDecoder(), self.printed.strip()
        messages: list[dict[str, Any]] = []

        while text:
            message, end = decoder.raw_decode(text)
            messages.append(message)
            text = text[end:].lstrip()

        return messages


@pytest.fixture
async def address() -> AsyncGenerator[str]:
    async with MockLM(pace=0.002) as mock:
        lm = LM("openai/canned", api_base=mock.base_url, api_key="unused", cache=False)

        with context(lm=lm):
            async with serve_programs(composer, qa) as address:
                yield address


async def grpcurl(
    address: str, *arguments: str, request: str = "", contract: Sequence[str] = ()
) -> Answer:
    options = ["-plaintext", "-max-time", "20", *contract, *(["-d", request] if request else [])]
    process = await asyncio.create_subprocess_exec(
        GRPCURL,
        *options,
        address,
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
    )
    printed, complained = await process.communicate()

    return Answer(process.returncode or 0, printed.decode(), complained.decode())


async def run(address: str, request: Mapping[str, object], contract: Sequence[str] = ()) -> Answer:
    return await grpcurl(address, f"{SERVICE}/Run", request=json.dumps(request), contract=contract)


async def test_it_lists_the_services(address: str) -> None:
    listed = await grpcurl(address, "list")

    assert listed.printed.split() == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        SERVICE,
    ]


async def test_it_lists_the_methods(address: str) -> None:
    listed = await grpcurl(address, "list", SERVICE)

    assert [name.removeprefix(f"{SERVICE}.") for name in listed.printed.split()] == [
        "Attach",
        "CancelRun",
        "DeleteRun",
        "GetProgram",
        "GetRun",
        "GetServerInfo",
        "ListPrograms",
        "ListRuns",
        "Predict",
        "Run",
        "SendInput",
    ]


async def test_it_describes_every_service(address: str) -> None:
    described = await grpcurl(address, "describe")
    services = [line for line in described.printed.splitlines() if line.endswith("is a service:")]

    assert [line.split()[0] for line in services] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        SERVICE,
    ]


async def test_it_describes_the_request_of_a_run(address: str) -> None:
    described = await grpcurl(address, "describe", "headrace.v1.RunRequest")

    assert "string program = 1;" in described.printed
    assert ".google.protobuf.Struct inputs = 2;" in described.printed
    assert "map<string, string> labels = 10;" in described.printed


async def test_the_server_says_that_it_serves(address: str) -> None:
    checked = await grpcurl(
        address, "grpc.health.v1.Health/Check", request=json.dumps({"service": SERVICE})
    )

    assert checked.messages == [{"status": "SERVING"}]


@reads_json_names
async def test_the_example_inputs_of_a_program_can_be_pasted_into_a_run(
    address: str, contract: list[str]
) -> None:
    described = await grpcurl(
        address, f"{SERVICE}/GetProgram", request='{"name": "composer"}', contract=contract
    )
    inputs = described.messages[0]["program"]["exampleInputs"]
    ran = await run(address, {"program": "composer", "inputs": inputs})

    assert ran.code == 0, ran.complained


async def test_a_run_ends_with_its_one_prediction(address: str) -> None:
    ran = await run(address, {"program": "composer", "inputs": {"question": "why?"}})
    kinds = [kind_of(event) for event in ran.messages]

    assert ran.code == 0, ran.complained
    assert kinds.count("prediction") == 1
    assert kinds[-1] == "prediction"


SCREENFUL = 60
"""Lines."""


async def test_the_first_example_of_the_page_prints_a_screenful(address: str) -> None:
    page = (ROOT / "docs" / "recipes" / "grpcurl.md").read_text()
    example = next(part for part in page.split("$ ") if part.partition("\n```")[0].endswith('"...'))
    request = json.loads(example.partition("-d '")[2].partition("' \\")[0])
    ran = await run(address, request)

    assert ran.code == 0, ran.complained
    assert "token" in map(kind_of, ran.messages)
    assert len(ran.printed.splitlines()) < SCREENFUL


async def test_the_branches_of_a_run_interleave(address: str) -> None:
    ran = await run(address, {"program": "composer", "inputs": {"question": "why?"}})
    order = [token["predictor"] for token in tokens_of(ran)]
    ideas, evidence = spans(order, "ideas.brainstorm"), spans(order, "evidence.probe")

    assert ideas[0] < evidence[-1]
    assert evidence[0] < ideas[-1]


@reads_json_names
async def test_every_field_of_a_run_closes_once(address: str, contract: list[str]) -> None:
    request = {"program": "composer", "inputs": {"question": "why?"}}
    ran = await run(address, request, contract)
    tokens = tokens_of(ran)
    started = {(token["callId"], token["field"]) for token in tokens}
    closed = Counter((token["callId"], token["field"]) for token in tokens if token.get("isLast"))

    assert closed == Counter(started)


async def test_the_text_of_a_field_is_its_value(address: str) -> None:
    ran = await run(address, {"program": "composer", "inputs": {"question": "why?"}})
    texts: dict[str, str] = {}

    for token in tokens_of(ran):
        if token["predictor"] == "compose":
            held = texts.get(token["field"], "")
            texts[token["field"]] = held[: token.get("offset", 0)] + token.get("chunk", "")

    assert ran.messages[-1]["prediction"]["outputs"] == texts


async def test_inputs_may_be_sent_as_json_text(address: str) -> None:
    ran = await run(address, {"program": "qa", "inputsJson": '{"question": "why?"}'})

    assert ran.code == 0, ran.complained
    assert sorted(ran.messages[-1]["prediction"]["outputs"]) == ["answer", "reasoning"]


async def test_a_misspelt_input_is_refused_with_what_was_meant(address: str) -> None:
    ran = await run(address, {"program": "composer", "inputs": {"qestion": "why?"}})

    assert ran.code == 64 + 3  # grpcurl adds the status code's number to 64
    assert ran.messages == []
    assert "Code: InvalidArgument" in ran.complained
    assert "inputs.qestion" in ran.complained
    assert "did you mean question?" in ran.complained


async def test_an_unknown_program_is_refused_with_those_there_are(address: str) -> None:
    ran = await run(address, {"program": "compose", "inputs": {"question": "why?"}})

    assert ran.code == 64 + 5
    assert "Code: NotFound" in ran.complained
    assert "composer" in ran.complained
    assert "qa" in ran.complained


def kind_of(event: dict[str, Any]) -> str:
    kinds = {"status", "token", "prediction", "heartbeat"} & event.keys()

    return kinds.pop()


def tokens_of(ran: Answer) -> list[dict[str, Any]]:
    return [event["token"] for event in ran.messages if "token" in event]


def spans(order: list[str], predictor: str) -> list[int]:
    return [place for place, name in enumerate(order) if name == predictor]


# Runs that ask, with a tool that wants leave


AGENT = {"program": "keeper", "runId": "mine", "inputs": {"question": "Let in less water."}}
ACCEPTING = {"options": {"accept": ["EVENT_KIND_INPUT"], "tokenDetail": "TOKEN_DETAIL_NONE"}}


def set_gate(height: float) -> str:
    """Moves the sluice gate, in metres."""
    return f"at {height} m"


@pytest.fixture
async def keeper() -> AsyncGenerator[str]:
    """A server whose agent calls a tool that wants leave."""
    turns = [
        chat(next_thought="Down.", next_tool_name="set_gate", next_tool_args='{"height": 0.5}'),
        chat(next_thought="Done.", next_tool_name="finish", next_tool_args="{}"),
        chat(reasoning="The gate was moved.", answer="It is done."),
    ]
    agent = ReAct("question -> answer", tools=[Tool(set_gate, approve=True)])

    async with serve_programs(Program(agent, name="keeper", lm=ScriptedLM(*turns))) as address:
        yield address


async def waiting(address: str) -> dict[str, Any]:
    """The question of the run, once it waits."""
    request = json.dumps({"runId": "mine"})

    async with asyncio.timeout(20):
        while True:
            got = await grpcurl(address, f"{SERVICE}/GetRun", request=request)

            if got.code == 0 and got.messages[0]["run"].get("state") == "STATE_WAITING":
                question: dict[str, Any] = got.messages[0]["run"]["inputRequests"][0]

                return question


async def reply(address: str, question: Mapping[str, Any], **reply: Any) -> Answer:
    request = {"runId": "mine", "inputId": question["inputId"], **reply}

    return await grpcurl(address, f"{SERVICE}/SendInput", request=json.dumps(request))


async def test_a_tool_is_approved_from_another_connection(keeper: str) -> None:
    running = asyncio.ensure_future(run(keeper, {**AGENT, **ACCEPTING}))
    question = await waiting(keeper)
    wrong = await reply(keeper, question, answer={"height": "low"})
    answers = [await reply(keeper, question, answer={"height": 0.75}) for _ in range(2)]
    other = await reply(keeper, question, decline=True)
    ran = await running

    assert (question["kind"], question["tool"]) == ("KIND_APPROVAL", "set_gate")
    assert json.loads(question["proposalJson"]) == {"height": 0.5}
    assert (wrong.code, "answer.height" in wrong.complained) == (64 + 3, True)
    assert [answer.messages[0]["resolved"]["outcome"] for answer in answers] == [
        "OUTCOME_ANSWERED"
    ] * 2
    assert (other.code, "INPUT_RESOLVED" in other.complained) == (64 + 6, True)
    assert [
        next(iter({*event} & {"inputRequest", "inputResolved"}))
        for event in ran.messages
        if ({*event} & {"inputRequest", "inputResolved"})
    ] == ["inputRequest", "inputResolved"]
    assert ran.messages[-1]["prediction"]["outputs"]["answer"] == "It is done."


async def test_a_declined_tool_is_told_to_the_model(keeper: str) -> None:
    running = asyncio.ensure_future(run(keeper, AGENT))
    await reply(keeper, await waiting(keeper), decline=True, reason="not by night")
    ran = await running

    trajectory = ran.messages[-1]["prediction"]["outputs"]["trajectory"]
    assert "not by night" in trajectory["observation_0"]


async def test_the_line_that_the_command_prints_does_the_same(address: str) -> None:
    command = [sys.executable, "-m", "headrace_client.cli", "run", "qa", "question=why's that?"]
    options = ["--run-id", "mine", "--grpcurl", "--address", address]
    printing = await asyncio.create_subprocess_exec(*command, *options, stdout=PIPE)
    line, _ = await printing.communicate()
    shell = await asyncio.create_subprocess_shell(line.decode(), stdout=PIPE)
    output, _ = await shell.communicate()
    ran = Answer(shell.returncode or 0, output.decode(), "")

    assert {message["runId"] for message in ran.messages} == {"mine"}
    assert sorted(ran.messages[-1]["prediction"]["outputs"]) == ["answer", "reasoning"]
