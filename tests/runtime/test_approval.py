"""Tools whose calls wait until somebody allows them, alone and in agents."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from headrace.errors import CannotAsk, InputDeclined, InputExpired, ToolError, UsageError
from headrace.events import InputKind, InputRequest, InputResolved, Kind, Outcome, Phase, Status
from headrace.execution import Execution, Work
from headrace.hosting import Program
from headrace.module import Module
from headrace.react import ReAct
from headrace.settings import context
from headrace.testing import answering
from headrace.tools import Tool
from headrace.tools.tool import Approve
from pydantic import BaseModel
from scripted_lm import ScriptedLM, chat, prompt_of


class Place(BaseModel):
    city: str


def pay(amount: int, to: str = "the miller") -> str:
    """Pays."""
    return f"paid {amount} to {to}"


async def ship(place: Place) -> Place:
    """Ships."""
    return place


def careful(approve: Approve = True, approval_timeout: float | None = None) -> Tool:
    return Tool(pay, approve=approve, approval_timeout=approval_timeout)


async def test_a_call_asks_first_and_then_is_made_as_proposed() -> None:
    with answering({"pay": True}) as asked:
        assert await careful().acall(amount="3") == "paid 3 to the miller"

    [request] = asked
    assert (request.kind, request.message, request.tool) == (
        InputKind.APPROVAL,
        "Call pay?",
        "pay",
    )
    assert json.loads(request.proposal_json) == {"amount": "3"}
    assert json.loads(request.answer_schema_json) == careful().parameters_schema
    assert request.expire_time is None


async def test_whoever_allows_a_call_may_edit_its_arguments() -> None:
    with answering({"pay": {"amount": "2", "to": "the mason"}}):
        assert await careful().acall(amount=3) == "paid 2 to the mason"


async def test_edited_arguments_become_what_the_function_takes() -> None:
    tool = Tool(ship, approve=True)

    with answering({"ship": {"place": {"city": "Delft"}}}):
        assert await tool.acall(place=Place(city="Gouda")) == Place(city="Delft")


async def test_the_arguments_of_code_are_those_it_passed() -> None:
    tool, place = Tool(ship, approve=True), Place(city="Gouda")

    with answering({"ship": {"place": {"city": "Gouda"}}}):
        assert await tool.acall(place=place) is place


@pytest.mark.parametrize(
    ("edited", "said"),
    [
        ({"to": "the mason"}, r"answer\.amount: argument 'amount' is missing"),
        ({"amount": "much"}, r"answer\.amount: argument 'amount': Input should be a valid integer"),
        ({"amount": 1, "two": 2}, r"answer\.two: there is no argument 'two'"),
        (False, r"answer: is the arguments, as an object, or true"),
        ("yes", r"answer: is the arguments, as an object, or true"),
    ],
)
async def test_edited_arguments_are_held_to_the_tools_schema(edited: object, said: str) -> None:
    with answering({"pay": edited}), pytest.raises(CannotAsk, match=said):
        await careful().acall(amount=3)


async def test_arguments_that_do_not_fit_are_shown_to_nobody() -> None:
    with answering({}) as asked, pytest.raises(ToolError, match="argument 'amount' is missing"):
        await careful().acall()

    assert asked == []


async def test_a_predicate_says_which_calls_ask() -> None:
    tool = careful(approve=lambda arguments: arguments["amount"] > 100)

    with answering({"pay": True}) as asked:
        assert await tool.acall(amount="100") == "paid 100 to the miller"
        assert asked == []
        assert await tool.acall(amount="101") == "paid 101 to the miller"
        assert len(asked) == 1


async def test_a_predicate_may_be_async() -> None:
    async def large(arguments: dict[str, Any]) -> bool:
        await asyncio.sleep(0)
        return bool(arguments["amount"] > 100)

    with answering({"pay": True}) as asked:
        await careful(approve=large).acall(amount=1)
        await careful(approve=large).acall(amount=101)
        await asyncio.to_thread(lambda: careful(approve=large)(amount=102))

    assert [json.loads(one.proposal_json)["amount"] for one in asked] == [101, 102]


async def test_a_predicate_that_raises_fails_the_call() -> None:
    with answering({"pay": True}), pytest.raises(KeyError):
        await careful(approve=lambda arguments: arguments["sum"]).acall(amount=1)


def test_sync_code_calls_such_a_tool_and_waits() -> None:
    with answering({"pay": {"amount": 2}}):
        assert careful()(amount=3) == "paid 2 to the miller"


async def test_on_a_loops_thread_such_a_tool_is_awaited() -> None:
    with (
        answering({"pay": True}),
        pytest.raises(CannotAsk, match="tool pay would block the event loop until"),
    ):
        careful()(amount=3)


async def test_a_declined_call_raises_with_the_reason_and_is_not_made() -> None:
    with (
        answering({"pay": InputDeclined("too dear")}),
        pytest.raises(InputDeclined, match="the call of pay was declined: too dear"),
    ):
        await careful().acall(amount=3)


@pytest.mark.parametrize("timeout", [0, -1, 1e9, float("nan")])
def test_the_time_to_allow_a_call_is_checked_when_the_tool_is_made(timeout: float) -> None:
    def close() -> None: ...

    with pytest.raises(UsageError, match="approval_timeout is in seconds"):
        Tool(close, approve=True, approval_timeout=timeout)


async def test_a_call_that_nobody_allows_in_time_raises() -> None:
    with (
        answering({"pay": InputExpired()}) as asked,
        pytest.raises(InputExpired, match="the call of pay was not answered within 60 s"),
    ):
        await careful(approval_timeout=60).acall(amount=3)

    assert asked[0].expire_time is not None


async def test_where_nobody_can_allow_a_call_it_fails() -> None:
    with pytest.raises(CannotAsk, match="nobody can answer the call of pay here"):
        await careful().acall(amount=3)


async def test_the_call_of_the_tool_is_the_one_that_waits() -> None:
    with answering({"pay": {"amount": "2"}}):
        execution = Execution(Work(lambda: careful().acall(amount=3)))
        execution.start()

        async with asyncio.timeout(20):
            await execution.ended()

    start, request, resolved, end = [entry.event for entry in execution.log.read()][1:5]
    assert isinstance(start, Status)
    assert isinstance(request, InputRequest)
    assert isinstance(resolved, InputResolved)
    assert isinstance(end, Status)
    assert (start.kind, start.phase, end.phase) == (Kind.TOOL, Phase.START, Phase.END)
    assert {start.call_id, request.call_id, resolved.call_id, end.call_id} == {2}
    assert end.outcome is Outcome.OK
    assert json.loads(resolved.answer_json) == {"amount": 2}


def test_a_program_says_which_of_its_tools_ask() -> None:
    class Pays(Module):
        def __init__(self) -> None:
            self.tools = [
                Tool(pay, name="always", approve=True),
                Tool(pay, name="sometimes", approve=lambda arguments: False),
                Tool(pay, name="never"),
            ]

        async def aforward(self, question: str) -> str:
            return question

    tools = Program(Pays()).describe().tools
    assert {tool.name: tool.approval for tool in tools} == {
        "always": True,
        "sometimes": True,
        "never": False,
    }


# Agents


def turn(tool: str, **arguments: Any) -> str:
    return chat(next_thought="so", next_tool_name=tool, next_tool_args=json.dumps(arguments))


async def observed(
    answers: dict[str, Any], approval_timeout: float | None = None
) -> tuple[Any, str]:
    """What an agent that pays once has observed, and the prompt that told its model."""
    lm = ScriptedLM(turn("pay", amount=3), turn("finish"), chat(reasoning="so", answer="done"))
    agent = ReAct("question -> answer", tools=[careful(approval_timeout=approval_timeout)])

    with context(lm=lm), answering(answers):
        prediction = await agent.acall(question="pay?")

    return prediction.trajectory["observation_0"], prompt_of(lm.requests[1])


async def test_an_agents_tool_is_called_with_edited_arguments() -> None:
    observation, prompt = await observed({"pay": {"amount": 2}})

    assert observation == "paid 2 to the miller"
    assert observation in prompt


async def test_an_agents_model_is_told_that_a_call_was_declined_and_why() -> None:
    observation, prompt = await observed({"pay": InputDeclined("too dear")})

    assert observation == "Error in pay: the call of pay was declined: too dear"
    assert observation in prompt


async def test_an_agents_model_is_told_that_nobody_allowed_a_call() -> None:
    observation, prompt = await observed({"pay": InputExpired()}, approval_timeout=5)

    assert observation == "Error in pay: the call of pay was not answered within 5 s"
    assert observation in prompt


async def test_an_agent_that_can_ask_nobody_fails_before_its_model_makes_something_of_it() -> None:
    agent = ReAct("question -> answer", tools=[careful()])

    with (
        context(lm=ScriptedLM(turn("pay", amount=3))),
        pytest.raises(CannotAsk, match="nobody can answer the call of pay here"),
    ):
        await agent.acall(question="pay?")


async def test_an_agent_under_test_fails_where_the_test_has_no_answer() -> None:
    with pytest.raises(CannotAsk, match=r"no answer to 'Call pay\?' or 'pay'; there are none"):
        await observed({})
