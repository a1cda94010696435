"""Modules: composition, addresses, and calling in both directions."""

from __future__ import annotations

from typing import Any

import pytest
from headrace.calls import BaseCallback
from headrace.chain_of_thought import ChainOfThought
from headrace.module import Module
from headrace.predict import Predict
from headrace.settings import context
from headrace.values import Prediction
from scripted_lm import ScriptedLM, chat


class Leaf(Module):
    def __init__(self) -> None:
        self.ask = Predict("question -> answer")


class Tree(Module):
    def __init__(self) -> None:  # forgets super().__init__(), as people do
        self.first = Predict("question -> answer")
        self.thought = ChainOfThought("question -> answer")
        self.leaf = Leaf()
        self.steps = [Predict("question -> answer"), Leaf()]
        self.by = {"k": ChainOfThought("question -> answer")}
        self.nested = [[Leaf()]]
        self.again = self.first


def test_addresses_are_paths_and_the_same_object_is_listed_once() -> None:
    assert [address for address, _ in Tree().named_predictors()] == [
        "first",
        "thought.predict",
        "leaf.ask",
        "steps[0]",
        "steps[1].ask",
        "by['k'].predict",
        "nested[0][0].ask",
    ]


def test_a_predictor_alone_is_called_self() -> None:
    predictor = Predict("question -> answer")

    assert predictor.named_predictors() == [("self", predictor)]


def test_modules_that_contain_each_other_are_listed_once() -> None:
    one, other = Leaf(), Leaf()
    vars(one)["other"], vars(other)["one"] = other, one

    assert [path for path, _ in one.named_modules()] == ["self", "ask", "other", "other.ask"]


class Sync(Module):
    def forward(self, word: str) -> str:
        return f"sync {word}"


class Async(Module):
    async def aforward(self, word: str) -> str:
        return f"async {word}"


class Both(Sync, Async):
    """Inherits one from each side; neither is nearer than the other would be on its own class."""

    def forward(self, word: str) -> str:
        return f"own {word}"

    async def aforward(self, word: str) -> str:
        return f"own async {word}"


class SyncOverAsync(Async):
    def forward(self, word: str) -> str:
        return f"nearer {word}"


class AsyncOverSync(Sync):
    async def aforward(self, word: str) -> str:
        return f"nearer async {word}"


@pytest.mark.parametrize(
    ("module", "called", "awaited"),
    [
        (Sync(), "sync x", "sync x"),
        (Async(), "async x", "async x"),
        (Both(), "own x", "own async x"),
        (SyncOverAsync(), "nearer x", "nearer x"),
        (AsyncOverSync(), "nearer async x", "nearer async x"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Module) else None,
)
async def test_a_module_answers_to_both_ways_of_calling(
    module: Module, called: str, awaited: str
) -> None:
    assert module("x") == called
    assert await module.acall(word="x") == awaited


async def test_a_forward_that_gives_an_awaitable_is_awaited_by_async_callers() -> None:
    class Passes(Module):
        def forward(self, word: str) -> Any:
            return Async().acall(word=word)

    assert await Passes().acall(word="x") == "async x"


class Journal(BaseCallback):
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def on_module_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        self.told.append(("start", type(instance).__name__, inputs))

    def on_module_end(self, call_id: int, outputs: Any, exception: BaseException | None) -> None:
        self.told.append(("end", outputs, exception))

    def on_lm_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        self.told.append(("lm", instance.model))


async def test_callbacks_are_told_of_calls_with_inputs_by_name() -> None:
    journal = Journal()

    with context(callbacks=[journal]):
        await Sync().acall("x")

    assert journal.told == [("start", "Sync", {"word": "x"}), ("end", "sync x", None)]


async def test_a_modules_own_callbacks_hear_its_calls_alone() -> None:
    journal = Journal()
    predictor = Predict("question -> answer", callbacks=[journal])

    with context(lm=ScriptedLM(chat(answer="42"))):
        prediction = await predictor.acall(question="?")

    assert journal.told == [
        ("start", "Predict", {"question": "?"}),
        ("end", prediction, None),
    ]


async def test_a_callback_that_raises_is_logged_and_hurts_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(BaseCallback):
        def on_module_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
            raise RuntimeError("no")

    with context(callbacks=[Broken()]):
        assert await Sync().acall("x") == "sync x"

    assert "Broken.on_module_start raised" in caplog.text


async def test_the_outermost_prediction_carries_the_usage_of_all_calls_in_it() -> None:
    class Two(Module):
        def __init__(self) -> None:
            self.one = Predict("question -> answer")

        async def aforward(self, question: str) -> Prediction:
            await self.one.acall(question=question)
            return await self.one.acall(question=question)

    with context(lm=ScriptedLM(chat(answer="1"), chat(answer="2")), track_usage=True):
        prediction = await Two().acall(question="?")

    assert prediction.get_lm_usage() == {
        "scripted": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
    }


def test_one_lm_can_be_given_to_the_whole_tree() -> None:
    lm, tree = ScriptedLM(), Tree()
    tree.set_lm(lm)

    assert {predictor.lm for predictor in tree.predictors()} == {lm}
