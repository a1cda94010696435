"""What is used wrongly is refused at once, in words that name the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import headrace
import pytest
from headrace.errors import SignatureError, UsageError
from scripted_lm import ScriptedLM, chat

ask = headrace.Predict("question -> answer")
untyped: Any = headrace
"""Type checkers would refuse most of what follows."""


async def search(query: str) -> str:
    """Search."""
    return query


class AsyncHook(headrace.StatusMessageProvider):
    async def lm_end_status_message(self, outputs: Any) -> Any:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] - the mistake
        return "too late"


def called(**overrides: Any) -> Callable[[], object]:
    return lambda: ask(question="?", **overrides)


def with_setting(**settings: Any) -> Callable[[], object]:
    def call() -> object:
        with headrace.context(**settings):
            return ask(question="?")

    return call


def async_forward() -> object:
    class Wrong(headrace.Module):
        async def forward(self) -> None: ...

    return Wrong


def yielding_aforward() -> object:
    class Wrong(headrace.Module):
        async def aforward(self) -> Any:
            yield 1

    return Wrong


def streamified(*args: Any, **kwargs: Any) -> Callable[[], object]:
    return lambda: untyped.streamify(*args, **kwargs)


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "no LM but its name": (with_setting(lm="openai/x"), r"write lm=headrace.LM\('openai/x'\)"),
    "the class of LMs": (called(lm=untyped.LM), "write lm=headrace.LM"),
    "the class of an adapter": (with_setting(adapter=untyped.XMLAdapter), r"as in adapter=JSONA"),
    "the name of an adapter": (with_setting(adapter="json"), r"adapter=JSONAdapter\(\)"),
    "inputs by position": (lambda: ask("why?"), "by name: question=…"),
    "inputs of a chain by position": (
        lambda: untyped.ChainOfThought("question, k: int -> answer")("why?"),
        "by name: question=…, k=…",
    ),
    "inputs of an agent by position": (
        lambda: untyped.ReAct("question -> answer", tools=[])("why?"),
        "by name: question=…",
    ),
    "demos that are no mappings": (called(demos=[("why?", "because")]), "a list of Examples"),
    "one demo that is no list": (called(demos={"question": "why?"}), "a list of Examples"),
    "options that are no dict": (called(config=3), r"config is a dict .* \{'n': 3\}"),
    "a number that is none": (called(config={"n": "3"}), "n is a number, not '3'"),
    "turns that are none": (
        lambda: untyped.Predict("question, history: headrace.History -> answer")(
            question="?", history=["hello"]
        ),
        r"History\(messages=\[\{'question'",
    ),
    "a class streamified": (streamified(untyped.Predict), "a module or a function, not <class"),
    "a hosted program streamified": (streamified(untyped.Program(ask)), "not Program"),
    "a signature streamified": (streamified("question -> answer"), "not 'question -> answer'"),
    "a listener outside a list": (
        streamified(ask, stream_listeners=untyped.StreamListener("answer")),
        r"\[StreamListener\('answer'\)\]",
    ),
    "a field for a listener": (
        streamified(ask, stream_listeners=["answer"]),
        r"\[StreamListener\('answer'\)\]",
    ),
    "an address for a module": (
        lambda: untyped.StreamListener("answer", predict="self"),
        "is it predict_name='self'",
    ),
    "the class of a provider": (
        streamified(ask, untyped.StatusMessageProvider),
        "an instance of a StatusMessageProvider subclass",
    ),
    "an async hook": (
        streamified(ask, AsyncHook()),
        "AsyncHook.lm_end_status_message is async: a hook is plain def",
    ),
    "a sync stream as a response": (
        lambda: untyped.streaming_response(
            untyped.streamify(ask, async_streaming=False)(question="?")
        ),
        "async_streaming left on",
    ),
    "a response of what was not called": (
        lambda: untyped.streaming_response(untyped.streamify(ask)),
        "gives when called",
    ),
    "a list streamed from sync code": (
        lambda: untyped.apply_sync_streaming([1]),
        "gives when called",
    ),
    "nothing asyncified": (lambda: untyped.asyncify(None), "asyncify takes a module"),
    "a class syncified": (lambda: untyped.syncify(untyped.Module), "syncify takes a module"),
    "a tool for a list of tools": (
        lambda: untyped.ReAct("question -> answer", tools=search),
        "tools is a list",
    ),
    "two tools of one name": (
        lambda: untyped.ReAct("question -> answer", tools=[search, search]),
        "there are two named search; name it",
    ),
    "a tool of the agent's own name": (
        lambda: untyped.ReAct("question -> answer", tools=[untyped.Tool(search, name="finish")]),
        "ReAct has one named finish",
    ),
    "modules without inputs": (lambda: untyped.Parallel()([ask]), "pairs"),
    "no threads": (lambda: untyped.Parallel(num_threads=0), "at least 1, not 0"),
    "an async forward": (async_forward, "Wrong.forward is async: name it aforward"),
    "an aforward that yields": (yielding_aforward, "Wrong.aforward yields: return the result"),
    "a module that does nothing": (untyped.Module(), "neither forward nor aforward"),
    "no signature": (lambda: untyped.Predict(5), "give a string or a Signature class"),
}


@pytest.mark.parametrize(("mistake", "way_out"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_refused_with_the_way_out(mistake: Callable[[], object], way_out: str) -> None:
    lm = ScriptedLM(chat(answer="never asked for"))

    with headrace.context(lm=lm), pytest.raises((UsageError, SignatureError), match=way_out):
        mistake()

    assert lm.requests == []


NAMES = ["function", "self", "args", "kwargs", "call", "lm", "config", "max_iters", "program"]


@pytest.mark.parametrize("name", NAMES)
async def test_inputs_may_have_any_name(name: str) -> None:
    inputs = {name: "x"}

    class Echo(headrace.Module):
        def forward(self, /, **kwargs: str) -> str:
            return kwargs[name]

    finish = chat(next_thought="", next_tool_name="finish", next_tool_args="{}")
    lm = ScriptedLM(*[chat(reasoning="so", answer="y")] * 4, finish, chat(reasoning="", answer="y"))

    with headrace.context(lm=lm):
        predict = headrace.Predict(f"{name} -> answer")
        agent = headrace.ReAct(f"{name} -> answer", tools=[])
        answers = [
            (await predict.acall(**inputs)).answer,
            (await asyncio.to_thread(predict, **inputs)).answer,
            [item async for item in headrace.streamify(predict)(**inputs)][-1].answer,
            (await headrace.ChainOfThought(f"{name} -> answer").acall(**inputs)).answer,
            (await agent.acall(**inputs)).answer,
        ]

    assert answers == ["y"] * 5
    assert await Echo().acall(**inputs) == "x"
    assert [item async for item in headrace.streamify(Echo())(**inputs)] == ["x"]
