"""Scripts of the mock: answers in order, in process, from files and from the command line."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from headrace import LM, ChatAdapter, JSONAdapter, Predict, ReAct, XMLAdapter, context
from headrace.adapters import Adapter
from headrace.errors import (
    LMError,
    LMRateLimitError,
    LMRequestRejectedError,
    LMServerError,
    UsageError,
)
from headrace_mock import MockLM, Script
from headrace_mock.command import mock_lm
from headrace_mock.script import read_script


def asking(base_url: str, model: str = "any", **options: Any) -> LM:
    plain: dict[str, Any] = {"api_key": "any", "cache": False, "num_retries": 0}

    return LM(f"openai/{model}", api_base=base_url, **{**plain, **options})


async def said(lm: LM, *prompts: str) -> list[Any]:
    """What an LM says to prompts, one after the other; of an error, its type."""
    answers: list[Any] = []

    for prompt in prompts:
        try:
            answers += await lm.acall(prompt)
        except LMError as error:
            answers.append(type(error))

    return answers


async def test_answers_are_given_in_order_and_the_last_again() -> None:
    async with MockLM(script=["one", {"text": "two"}]) as mock:
        assert await said(asking(mock.base_url), "a", "b", "c") == ["one", "two", "two"]


async def test_a_script_may_end_in_an_error_instead() -> None:
    async with MockLM(script=Script(["one"], at_end="error")) as mock:
        lm = asking(mock.base_url)

        assert await said(lm, "a", "b") == ["one", LMRequestRejectedError]


async def test_parallel_branches_have_answers_of_their_own() -> None:
    script: list[Any] = [
        {"when": "critic", "text": "bad"},
        {"when": "poet", "text": "roses"},
        {"when": "critic", "text": "good"},
        "anyone",
    ]

    async with MockLM(script=script) as mock:
        lm = asking(mock.base_url)
        prompts = ["poet", "critic", "poet", "critic", "critic", "someone"]

        assert await said(lm, *prompts) == ["roses", "bad", "anyone", "good", "anyone", "anyone"]


async def test_a_prompt_that_no_answer_is_for_is_refused() -> None:
    async with MockLM(script=[{"when": "poet", "text": "roses"}]) as mock:
        assert await said(asking(mock.base_url), "critic") == [LMRequestRejectedError]


async def test_a_script_may_be_one_models_alone_and_faults_stay_what_they_are() -> None:
    async with MockLM({"mine": Script(["mine"])}, script=["all others"]) as mock:
        lms = [asking(mock.base_url, name) for name in ("mine", "other", "fault-status-503")]
        answers = [await said(lm, "hi") for lm in lms]

    assert answers == [["mine"], ["all others"], [LMServerError]]


@pytest.mark.parametrize("adapter", [ChatAdapter(), JSONAdapter(), XMLAdapter()])
async def test_fields_are_written_as_the_request_asks_for_them(adapter: Adapter) -> None:
    fields = {"answer": "a < b\nand c", "places": ["mill & weir", "b"], "level": "high"}
    ask = Predict("question -> answer, places: list[str], level: Literal['low', 'high'], more: int")

    async with MockLM(script=[{"fields": fields}]) as mock:
        with context(lm=asking(mock.base_url), adapter=adapter):
            prediction = await ask.acall(question="Why?")

    assert dict(prediction) == {**fields, "more": 7}


def look_up(term: str) -> str:
    """Finds a term."""
    return f"{term}: a channel"


STORY: list[Any] = [
    {"fields": {"next_thought": "look"}, "tool_calls": [{"name": "look_up", "arguments": {"term": "weir"}}]},
    {"tool_calls": [{"name": "look_up"}]},
    {"tool_calls": [{"name": "finish"}]},
    {"fields": {"reasoning": "seen", "answer": "a channel"}},
]  # fmt: skip


async def test_an_agent_can_be_scripted_through_its_turns() -> None:
    async with MockLM(script=STORY) as mock:
        with context(lm=asking(mock.base_url)):
            prediction = await ReAct("question -> answer", tools=[look_up]).acall(question="Why?")

    observations = [prediction.trajectory[f"observation_{turn}"] for turn in range(3)]
    assert observations == [
        "weir: a channel",
        "Error in look_up: ToolError: tool look_up: argument 'term' is missing",
        "Completed.",
    ]
    assert prediction.trajectory["thought_0"] == "look"
    assert prediction.answer == "a channel"


async def test_two_tool_calls_in_an_agents_turn_are_refused() -> None:
    calls = [{"name": "look_up"}, {"name": "look_up"}]

    async with MockLM(script=[{"tool_calls": calls}]) as mock:
        with context(lm=asking(mock.base_url)), pytest.raises(LMRequestRejectedError):
            await ReAct("question -> answer", tools=[look_up]).acall(question="Why?")


async def test_tool_calls_are_native_where_no_agent_asks_in_its_prompt() -> None:
    calls = [{"name": "look_up", "arguments": {"term": "weir"}}, {"name": "look_up"}]

    async with MockLM(script=[{"text": "Let me see.", "tool_calls": calls}]) as mock:
        [answer] = await asking(mock.base_url).acall("hi")

    assert answer == {
        "text": "Let me see.",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"term": "weir"}'}},
            {"id": "call_2", "type": "function", "function": {"name": "look_up", "arguments": "{}"}},
        ],
    }  # fmt: skip


async def test_an_answer_that_says_nothing_is_canned() -> None:
    async with MockLM(script=[{"delay": 0}]) as mock:
        with context(lm=asking(mock.base_url)):
            prediction = await Predict("question -> n: int").acall(question="Why?")

    assert dict(prediction) == {"n": 7}


async def test_errors_come_in_their_turn_and_a_retry_takes_the_next_answer() -> None:
    script: list[Any] = [
        {"error": {"status": 429, "retry_after": 0}},
        "one",
        {"error": {"status": 429}},
    ]

    async with MockLM(script=script) as mock:
        patient = asking(mock.base_url, num_retries=1, retry_delay=0.001)

        assert await said(patient, "a") == ["one"]
        assert await said(asking(mock.base_url), "b") == [LMRateLimitError]


async def test_an_error_may_come_in_the_middle_of_a_stream() -> None:
    broken = {"text": "Once upon a time", "error": {"after": 2, "message": "overloaded"}}

    async with MockLM(script=[broken]) as mock:
        chunks: list[str] = []
        messages = [{"role": "user", "content": "Tell me."}]

        with pytest.raises(LMError):
            await asking(mock.base_url).complete(messages, lambda delta: chunks.append(delta.text))

    assert chunks == ["Once", " upo"]


async def test_an_answer_may_be_cut_off() -> None:
    async with MockLM(script=[{"text": "half", "finish_reason": "length"}]) as mock:
        messages = [{"role": "user", "content": "Tell me."}]
        completion = await asking(mock.base_url).complete(messages)

    assert completion.choices[0].finish_reason == "length"


async def test_an_answer_has_a_pace_of_its_own() -> None:
    """The first chunk would come after an hour: only the call's own end is waited for."""
    async with MockLM(
        script=[{"text": "slow", "pace": 3600}, {"text": "late", "delay": 3600}, "now"]
    ) as mock:
        lm = asking(mock.base_url)
        calls = [asyncio.ensure_future(lm.acall(prompt)) for prompt in "ab"]
        await mock.received(2)

        assert await said(lm, "c") == ["now"]
        assert not any(call.done() for call in calls)

        for call in calls:
            call.cancel()

        await asyncio.wait(calls)


FILES = {
    "story.txt": "one\n\nmore of it\n---\n\ntwo\n",
    "story.json": '["one\\n\\nmore of it", {"text": "two"}]',
    "whole.json": '{"answers": ["one\\n\\nmore of it", "two"], "at_end": "repeat"}',
    "story.jsonl": '"one\\n\\nmore of it"\n\n{"text": "two"}\n',
    "story.toml": '[[answers]]\ntext = """\none\n\nmore of it"""\n\n[[answers]]\ntext = "two"\n',
    "ended.txt": "one\n\nmore of it\n---  \ntwo\n---\n",
    "marked.txt": "\ufeffone\r\n\r\nmore of it\r\n---\r\ntwo",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_any_form_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8", newline="")
    texts = [entry.text for entry in read_script(path).entries]

    assert [str(text).replace("\r\n", "\n") for text in texts] == ["one\n\nmore of it", "two"]


WRONG = {
    "missing.toml": (None, "No such file or directory"),
    "latin.txt": (b"caf\xe9", "is not UTF-8, at byte 3; save it as UTF-8"),
    "cut.json": ('["one"', "Expecting ',' delimiter: line 1 column 7 (char 6)"),
    "cut.toml": ("answers = [", "Invalid value (at end of document)"),
    "line.jsonl": ('"one"\n{oops}', "line 2: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    "empty.txt": ("\n", "a script has at least one answer"),
    "none.json": ("[]", "a script has at least one answer"),
    "other.json": ("7", "answers: expected a list of answers"),
    "top.toml": ('answer = "x"', "answer: unknown key; there are answers and at_end"),
    "end.toml": ('answers = ["x"]\nat_end = "stop"', 'at_end: expected "repeat" or "error"'),
    "key.json": ('["x", {"txt": "y"}]', "answer 2: txt: unknown key; did you mean text?"),
    "key.jsonl": ('{"zzz": 1}', "line 1: zzz: unknown key; there are when, text, fields, tool_calls, error, finish_reason, delay, pace"),
    "deep.json": ('[{"error": {"state": 429}}]', "answer 1: error.state: unknown key; did you mean status?"),
    "rule.json": ('[{"error": {"status": 200}}]', "answer 1: error.status: Input should be greater than or equal to 400"),
    "both.json": ('[{"text": "x", "fields": {"a": 1}}]', "answer 1: an answer has text or fields, not both"),
    "kind.json": ("[7]", 'answer 1: expected a text, or an object such as {"text": "Hello"}'),
    "call.toml": ("[[answers]]\ntool_calls = [{}]", "answer 1: tool_calls.0.name: Field required"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_in_one_line_that_says_where_and_why(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = WRONG[name]

    if content is not None:
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)

    result = CliRunner().invoke(mock_lm, ["--script", name])

    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == f"Error: --script {name}: {message}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--script", "=x.txt"], "--script =x.txt: expected FILE or NAME=FILE"),
        (["--answer", "a", "--script", "x.txt"], "--script x.txt: there is a script for all models already; keep one"),
        (["--script", "a=x.txt", "--script", "a=x.txt"], "--script a=x.txt: there is a script for models named a already; keep one"),
    ],
)  # fmt: skip
def test_what_the_command_cannot_make_sense_of_is_refused(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.txt").write_text("x")
    result = CliRunner().invoke(mock_lm, arguments)

    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == f"Error: {message}"


def test_a_wrong_answer_in_process_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="answer 2: pase: unknown key; did you mean pace"):
        MockLM(script=["one", {"pase": 1}])


@asynccontextmanager
async def serving(*arguments: str) -> AsyncGenerator[str]:
    """The command as a process; gives its base URL."""
    command = [sys.executable, "-m", "headrace_client.cli", "mock-lm", "--pace", "0", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None

    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.timeout(90)
async def test_the_command_plays_a_file_for_all_models_and_one_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "story.toml").write_text('at_end = "error"\n[[answers]]\ntext = "one"\n')
    (tmp_path / "mine.txt").write_text("mine\n---\nmine too\n")
    files = [f"--script={tmp_path / 'story.toml'}", f"--script=mine={tmp_path / 'mine.txt'}"]

    async with serving(*files) as base_url:
        all_others = await said(asking(base_url), "a", "b")
        mine = await said(asking(base_url, "mine"), "a", "b", "c")

    assert all_others == ["one", LMRequestRejectedError]
    assert mine == ["mine", "mine too", "mine too"]


@pytest.mark.timeout(90)
async def test_the_command_takes_answers_in_short() -> None:
    async with serving("--answer", "one", "--answer", "two") as base_url:
        assert await said(asking(base_url), "a", "b", "c") == ["one", "two", "two"]
