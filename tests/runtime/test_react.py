"""ReAct: turns, tools, and what the model is told when something goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from headrace.context import context
from headrace.errors import ContextWindowExceededError, LMServerError
from headrace.react import ReAct
from headrace.streaming import StatusMessage, StreamListener, StreamResponse, streamify
from scripted_lm import ScriptedLM, chat, prompt_of, section


def search(query: str) -> str:
    """Search for facts."""
    return f"facts about {query}"


async def fail(reason: str) -> str:
    """Always fails."""
    raise OSError(f"no {reason}")


def turn(thought: str, tool: str, **arguments: Any) -> str:
    return chat(next_thought=thought, next_tool_name=tool, next_tool_args=json.dumps(arguments))


ANSWER = chat(reasoning="so it is", answer="42")


async def test_an_agent_calls_tools_until_it_finishes_and_then_answers() -> None:
    lm = ScriptedLM(turn("look", "search", query="water"), turn("enough", "finish"), ANSWER)

    with context(lm=lm):
        prediction = await ReAct("question -> answer", tools=[search]).acall(question="why?")

    assert prediction.answer == "42"
    assert prediction.reasoning == "so it is"
    assert prediction.trajectory == {
        "thought_0": "look",
        "tool_name_0": "search",
        "tool_args_0": {"query": "water"},
        "observation_0": "facts about water",
        "thought_1": "enough",
        "tool_name_1": "finish",
        "tool_args_1": {},
        "observation_1": "Completed.",
    }


def test_sync_code_calls_an_agent_with_async_tools() -> None:
    lm = ScriptedLM(turn("try", "fail", reason="luck"), turn("enough", "finish"), ANSWER)

    with context(lm=lm):
        prediction = ReAct("question -> answer", tools=[fail])(question="why?")

    assert prediction.trajectory["observation_0"] == "Error in fail: OSError: no luck"


async def test_each_turn_sees_the_trajectory_so_far() -> None:
    lm = ScriptedLM(turn("look", "search", query="water"), turn("enough", "finish"), ANSWER)

    with context(lm=lm):
        await ReAct("question -> answer", tools=[search]).acall(question="why?")

    trajectories = [section(prompt_of(request), "observation_0") for request in lm.requests]
    assert trajectories == ["", "facts about water", "facts about water"]


async def test_turns_are_limited_and_a_call_may_limit_them_further() -> None:
    lm = ScriptedLM(turn("look", "search", query="a"), ANSWER)

    with context(lm=lm):
        agent = ReAct("question -> answer", tools=[search], max_iters=5)
        prediction = await agent.acall(question="why?", max_iters=1)

    assert list(prediction.trajectory) == [
        "thought_0",
        "tool_name_0",
        "tool_args_0",
        "observation_0",
    ]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("fail", {"reason": "luck"}, "Error in fail: OSError: no luck"),
        ("search", {"text": "x"}, "text"),
    ],
)
async def test_what_goes_wrong_in_a_tool_is_an_observation_without_file_paths(
    tool: str, arguments: dict[str, str], said: str
) -> None:
    lm = ScriptedLM(turn("try", tool, **arguments), turn("enough", "finish"), ANSWER)

    with context(lm=lm):
        prediction = await ReAct("question -> answer", tools=[search, fail]).acall(question="why?")

    observation = prediction.trajectory["observation_0"]
    assert said in observation
    assert ".py" not in observation
    assert "Traceback" not in observation


async def test_files_in_errors_are_called_by_their_names() -> None:
    def read(name: str) -> str:
        """Read."""
        return Path(f"/srv/secret/{name}").read_text(encoding="utf-8")

    def load() -> str:
        """Load."""
        raise ImportError("no name 'x' in /usr/lib/y.py", path="/usr/lib/y.py")

    lm = ScriptedLM(turn("", "read", name="x"), turn("", "load"), turn("", "finish"), ANSWER)

    with context(lm=lm):
        prediction = await ReAct("question -> answer", tools=[read, load]).acall(question="why?")

    assert prediction.trajectory["observation_0"].endswith("No such file or directory: 'x'")
    assert (
        prediction.trajectory["observation_1"] == "Error in load: ImportError: no name 'x' in y.py"
    )


async def test_observations_are_what_the_model_sees() -> None:
    class Strange:
        def __str__(self) -> str:
            return "strange"

    def strange() -> Strange:
        """Gives what has no JSON form."""
        return Strange()

    def letters() -> set[str]:
        """Gives what JSON writes in its own way."""
        return {"b", "a"}

    lm = ScriptedLM(turn("", "strange"), turn("", "letters"), turn("", "finish"), ANSWER)

    with context(lm=lm):
        agent = ReAct("question -> answer", tools=[strange, letters])
        trajectory = (await agent.acall(question="why?")).toDict()["trajectory"]

    assert [trajectory["observation_0"], trajectory["observation_1"]] == ["strange", ["a", "b"]]


async def test_an_answer_that_does_not_parse_is_an_observation_too() -> None:
    lm = ScriptedLM(
        chat(next_thought="hm", next_tool_name="guess", next_tool_args="{}"),
        turn("enough", "finish"),
        ANSWER,
    )

    with context(lm=lm):
        stream = streamify(ReAct("question -> answer", tools=[search]))(question="why?")
        prediction = [item async for item in stream][-1]

    assert "next_tool_name" in prediction.trajectory["observation_0"]
    assert prediction.answer == "42"


async def test_a_trajectory_that_overflows_loses_its_oldest_turn() -> None:
    overflow = ContextWindowExceededError("too long")
    lm = ScriptedLM(
        turn("one", "search", query="a"),
        turn("two", "search", query="b"),
        [overflow],
        turn("enough", "finish"),
        ANSWER,
    )

    with context(lm=lm):
        prediction = await ReAct("question -> answer", tools=[search]).acall(question="why?")

    assert [key for key in prediction.trajectory if key.startswith("thought")] == [
        "thought_1",
        "thought_2",
    ]


async def test_a_prompt_too_long_without_turns_to_drop_ends_the_run() -> None:
    lm = ScriptedLM([ContextWindowExceededError("too long")])

    with context(lm=lm), pytest.raises(ContextWindowExceededError):
        await ReAct("question -> answer", tools=[search]).acall(question="why?")


async def test_other_errors_of_the_lm_end_the_run() -> None:
    with context(lm=ScriptedLM([LMServerError("down")])), pytest.raises(LMServerError):
        await ReAct("question -> answer", tools=[search]).acall(question="why?")


async def test_thoughts_stream_in_each_turn_and_finish_is_silent() -> None:
    lm = ScriptedLM(turn("look", "search", query="water"), turn("enough", "finish"), ANSWER)
    agent = streamify(
        ReAct("question -> answer", tools=[search]),
        stream_listeners=[StreamListener("next_thought", allow_reuse=True)],
    )

    with context(lm=lm):
        items = [item async for item in agent(question="why?")]

    thoughts: dict[int, str] = {}

    for item in items:
        if isinstance(item, StreamResponse):
            thoughts[item.call_id] = thoughts.get(item.call_id, "") + item.chunk

    assert list(thoughts.values()) == ["look", "enough"]
    assert [item.message for item in items if isinstance(item, StatusMessage)] == [
        "Calling tool search...",
        "Tool calling finished! Querying the LLM with tool calling results...",
    ]
