"""ReAct: turns, tools, and what the model is told when something goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from headrace.calls import BaseCallback
from headrace.errors import ContextWindowExceededError, LMServerError, UsageError
from headrace.react import ReAct
from headrace.settings import context
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
        chat(next_thought="hm", next_tool_args="{}"),
        turn("enough", "finish"),
        ANSWER,
    )

    with context(lm=lm):
        stream = streamify(ReAct("question -> answer", tools=[search]))(question="why?")
        prediction = [item async for item in stream][-1]

    assert "next_tool_name" in prediction.trajectory["observation_0"]
    assert prediction.answer == "42"


async def calls_of(
    name: str, arguments: str | None, *tools: Any
) -> tuple[dict[str, Any], list[Any]]:
    """The trajectory of an agent whose first turn asks for a tool so, and how its tool calls ended."""
    ended: list[Any] = []

    class Listening(BaseCallback):
        def on_tool_end(self, call_id: int, outputs: Any, exception: BaseException | None) -> None:
            ended.append(exception or outputs)

    said = {"next_thought": "so", "next_tool_name": name, "next_tool_args": arguments}
    first = chat(**{field: text for field, text in said.items() if text is not None})
    lm = ScriptedLM(first, turn("enough", "finish"), ANSWER)

    with context(lm=lm, callbacks=[Listening()]):
        agent = ReAct("question -> answer", tools=[search, now, *tools], max_iters=2)
        prediction = await agent.acall(question="why?")

    assert prediction.answer == "42"

    return prediction.trajectory, ended


def now() -> str:
    """Tell the time."""
    return "noon"


@pytest.mark.parametrize(
    "name", ["finish", "Finish", " finish() ", "`finish`", "FINISH.", '"finish"']
)
@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (None, {}),
        ("", {}),
        ("null", {}),
        ("{}", {}),
        ('{"answer": "42"}', {"answer": "42"}),
        ('"{\\"answer\\": 42}"', {"answer": 42}),
        ("{'answer': '42',}", {"answer": "42"}),
        ("{1: 2}", {"1": 2}),
        ('["42"]', ["42"]),
        ("42", 42),
        ("It is 42.", "It is 42."),
        ('{"answer": "4', {"answer": "4"}),
        ('{"name": "finish", "arguments": {"answer": "42"}}', {"answer": "42"}),
    ],
)
async def test_finish_takes_whatever_it_is_given(
    name: str, arguments: str | None, kept: object
) -> None:
    lm = ScriptedLM(
        chat(
            next_thought="I know.",
            next_tool_name=name,
            **({} if arguments is None else {"next_tool_args": arguments}),
        ),
        ANSWER,
    )

    with context(lm=lm):
        stream = streamify(ReAct("question -> answer", tools=[search]))(question="why?")
        items = [item async for item in stream]

    assert [item for item in items if isinstance(item, StatusMessage)] == []
    assert items[-1].toDict() == {
        "trajectory": {
            "thought_0": "I know.",
            "tool_name_0": "finish",
            "tool_args_0": kept,
            "observation_0": "Completed.",
        },
        "reasoning": "so it is",
        "answer": "42",
    }


@pytest.mark.parametrize(
    "name", ["search", "Search", "search(query)", "functions.search", "'search'"]
)
@pytest.mark.parametrize(
    "arguments",
    [
        '{"query": "water"}',
        '"{\\"query\\": \\"water\\"}"',
        '{"args": {"query": "water"}}',
        '{"arguments": "{\\"query\\": \\"water\\"}", "name": "search"}',
        '{"search": {"query": "water"}}',
    ],
)
async def test_a_tool_is_found_and_given_what_the_model_means(name: str, arguments: str) -> None:
    trajectory, ended = await calls_of(name, arguments)

    assert trajectory["tool_name_0"] == "search"
    assert trajectory["tool_args_0"] == {"query": "water"}
    assert ended == ["facts about water", "Completed."]


@pytest.mark.parametrize("arguments", [None, "null", "{}", '{"input": ""}', '{"_": null}'])
async def test_a_tool_that_takes_nothing_is_called_whatever_stands_for_nothing(
    arguments: str | None,
) -> None:
    assert (await calls_of("now", arguments))[1] == ["noon", "Completed."]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("guess", "{}", "There is no tool 'guess'; there are search, now, finish"),
        (
            "serch",
            "{}",
            "There is no tool 'serch'; did you mean search? there are search, now, finish",
        ),
        ("null", "{}", "There is no tool 'None'; there are search, now, finish"),
        ("search", None, "Error in search: its arguments are missing; it takes query"),
        ("search", '["water"]', "Error in search: arguments are a JSON object; it takes query"),
        ("search", "water", "Error in search: arguments are a JSON object; it takes query"),
        ("now", "[1]", "Error in now: arguments are a JSON object; it takes none: {}"),
    ],
)
async def test_a_call_that_cannot_be_made_is_told_and_is_none(
    name: str, arguments: str | None, said: str
) -> None:
    trajectory, ended = await calls_of(name, arguments)

    assert trajectory["observation_0"] == said
    assert ended == ["Completed."]


async def test_what_a_tool_is_not_to_be_given_is_told() -> None:
    trajectory, _ = await calls_of("now", '{"city": "Ulm"}')

    assert trajectory["observation_0"] == (
        "Error in now: ToolError: tool now: there is no argument 'city'; it takes none"
    )


async def test_a_name_that_two_tools_could_have_is_nobodys() -> None:
    def Search(query: str) -> str:
        """Search elsewhere."""
        return query

    exact, _ = await calls_of("Search", '{"query": "water"}', Search)
    neither, _ = await calls_of("SEARCH", '{"query": "water"}', Search)

    assert exact["observation_0"] == "water"
    assert neither["observation_0"].startswith("There is no tool 'SEARCH'")


def test_a_tool_of_ones_own_cannot_be_named_finish() -> None:
    def finish() -> None:
        """Finish."""

    with pytest.raises(UsageError, match=r"ReAct has one named finish; name it: Tool\("):
        ReAct("question -> answer", tools=[finish])


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
