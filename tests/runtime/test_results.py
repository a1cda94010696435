"""What a program is known to give before it runs: all of it, or nothing."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from typing import Any, NotRequired, Protocol, TypedDict

import headrace as dspy
import pytest
from headrace.chain_of_thought import ChainOfThought
from headrace.hosting import Program
from headrace.module import Module
from headrace.predict import Predict
from headrace.react import ReAct
from headrace.settings import context
from headrace.signatures import InputField, OutputField, Signature
from headrace.values import Prediction
from jsonschema import Draft202012Validator
from pydantic import BaseModel
from scripted_lm import ScriptedLM, chat


class Rate(Signature):
    """Rate the idea."""

    idea: str = InputField()
    stars: int = OutputField(desc="one to five", ge=1, le=5)
    tags: list[str] = OutputField()


class Base(Module):
    """Two predictors, and a result that each case makes in its own way."""

    def __init__(self) -> None:
        self.rate = Predict(Rate)
        self.think = ChainOfThought("idea -> verdict")
        self.steps: list[Any] = [self.rate, {"last": self.think}]

    async def both(self, idea: str) -> tuple[Prediction, Prediction]:
        return await self.rate.acall(idea=idea), await self.think.acall(idea=idea)


RATED = {"stars": "int", "tags": "list[str]"}
THOUGHT = {"reasoning": "str", "verdict": "str"}


class Predicted(Base):
    async def aforward(self, idea: str) -> Prediction:
        return await self.rate.acall(idea=idea)


class CalledSync(Base):
    def forward(self, idea):  # type: ignore[no-untyped-def]
        return self.think(idea=idea)


class Held(Base):
    async def aforward(self, idea: str) -> Any:
        prediction = await self.think.acall(idea=idea)
        assert len(f"{prediction} {prediction.verdict}") > len(prediction.toDict())

        return prediction


class Named(Base):
    async def aforward(self, idea: str) -> Any:
        rated, thought = await asyncio.gather(
            self.rate.acall(idea=idea), self.think.acall(idea=idea)
        )
        verdict = thought["verdict"]
        note = f"on {idea}"

        return dspy.Prediction(
            stars=rated.stars, tags=rated.tags, verdict=verdict, note=note, idea=idea, sure=True
        )


class InADict(Base):
    async def aforward(self, idea: str) -> Any:
        return {"n": 1, **await self.rate.acall(idea=idea), "more": [idea], "where": len(idea)}


class Merged(Base):
    async def aforward(self, idea: str) -> Any:
        thought = await self.think.acall(idea=idea)

        return Prediction(trace=[], **thought)


class Copied(Base):
    async def aforward(self, idea: str) -> Any:
        return dict(await self.rate.acall(idea=idea), extra="x")


class Inside(Base):
    async def aforward(self, idea: str) -> Any:
        return await self.steps[1]["last"].acall(idea=idea)


class Branches(Base):
    async def aforward(self, idea: str) -> Any:
        if not idea:
            return None

        if idea == "a":
            return Prediction(reasoning="none", verdict=3)

        return await self.think.acall(idea=idea) if idea == "b" else await self.think.acall(idea="")


class Composed(Module):
    def __init__(self) -> None:
        self.inner = Held()
        self.more = Branches()

    async def aforward(self, idea: str) -> Any:
        return await self.inner.acall(idea=idea)


class Counted(Base):
    async def aforward(self, idea: str) -> Any:
        return (await self.rate.acall(idea=idea)).stars


class Below(ChainOfThought):
    async def aforward(self, /, *args: Any, **kwargs: Any) -> Prediction:
        return await super().aforward(*args, **kwargs)


class Typed(TypedDict):
    stars: int
    note: NotRequired[str]


class Stated(Base):
    async def aforward(self, idea: str) -> Typed:
        return Typed(stars=len(idea))


class StatedPart(Base):
    async def aforward(self, idea: str) -> list[int] | None:
        return [1]


SEEN: list[tuple[Module, dict[str, str]]] = [
    (Predicted(), RATED),
    (CalledSync(), THOUGHT),
    (Held(), THOUGHT),
    (
        Named(),
        {**RATED, "verdict": "str", "note": "str", "idea": "Any", "sure": "bool"},
    ),
    (InADict(), {"n": "int", **RATED, "more": "list", "where": "Any"}),
    (Merged(), {"trace": "list", **THOUGHT}),
    (Copied(), {**RATED, "extra": "str"}),
    (Inside(), THOUGHT),
    (Branches(), {"reasoning": "str", "verdict": "Any"}),
    (Composed(), THOUGHT),
    (Counted(), {"result": "int"}),
    (Below("idea -> verdict"), THOUGHT),
    (Stated(), {"stars": "int", "note": "str"}),
    (StatedPart(), {"result": "list[int] | None"}),
    (Predict(Rate), RATED),
]


def outputs(module: Module) -> dict[str, str]:
    return {field.name: field.type_text for field in Program(module).outputs}


@pytest.mark.parametrize(("module", "seen"), SEEN, ids=[type(one).__name__ for one, _ in SEEN])
async def test_what_a_module_returns_is_known_and_is_what_comes(
    module: Module, seen: dict[str, str]
) -> None:
    program = Program(module)
    answers = {"stars": "3", "tags": '["a"]', "reasoning": "so", "verdict": "fine"}
    validator: Any = Draft202012Validator(program.output_schema)

    assert outputs(module) == seen

    for idea in ("a", "b", "c"):
        with context(lm=ScriptedLM(*[chat(**answers)] * 2)):
            result = program.outputs_of(await module.acall(idea=idea))

        assert [error.message for error in validator.iter_errors(result)] == []


def test_what_is_known_of_a_field_goes_with_it() -> None:
    stars = Program(Predicted()).outputs[0]

    assert (stars.desc, stars.constraints) == ("one to five", "at least 1, at most 5")
    assert Program(Stated()).output_schema["required"] == ["stars"]


async def test_an_agent_gives_its_trajectory_too() -> None:
    program = Program(ReAct("idea -> verdict", tools=[]))
    done = chat(next_thought="", next_tool_name="finish", next_tool_args="{}")

    with context(lm=ScriptedLM(done, chat(reasoning="so", verdict="fine"))):
        result = program.outputs_of(await program.module.acall(idea="a"))

    assert outputs(program.module) == {"trajectory": "dict[str, Any]", **THOUGHT}
    assert list(result) == list(outputs(program.module))


class Extended(Base):
    async def aforward(self, idea: str) -> Any:
        prediction = await self.think.acall(idea=idea)
        prediction.more = 1

        return prediction


class Extending(Base):
    async def aforward(self, idea: str) -> Any:
        result = {"a": 1}
        result.update(b=2)

        return result


class Handed(Base):
    async def aforward(self, idea: str) -> Any:
        prediction = await self.think.acall(idea=idea)
        vars(prediction)["_store"]["more"] = 1

        return prediction


class Aliased(Base):
    async def aforward(self, idea: str) -> Any:
        prediction = await self.think.acall(idea=idea)
        other = prediction
        other["more"] = 1

        return prediction


class Twice(Base):
    async def aforward(self, idea: str) -> Any:
        prediction = await self.think.acall(idea=idea)

        if idea:
            prediction = await self.rate.acall(idea=idea)

        return prediction


class Differing(Base):
    async def aforward(self, idea: str) -> Any:
        if idea:
            return await self.rate.acall(idea=idea)

        return await self.think.acall(idea=idea)


class Overriding(Base):
    async def aforward(self, idea: str) -> Any:
        return await self.rate.acall(idea=idea, signature="idea -> other")


class Spreading(Base):
    async def aforward(self, idea: str) -> Any:
        given = {"idea": idea, "signature": "idea -> other"}

        return await self.rate.acall(**given)


class Replacing(Base):
    async def aforward(self, idea: str) -> Any:
        self.rate = self.think  # type: ignore[assignment]

        return await self.rate.acall(idea=idea)


class Helping(Base):
    async def aforward(self, idea: str) -> Any:
        return (await self.both(idea))[0]


class Computed(Base):
    async def aforward(self, idea: str) -> Any:
        return Prediction(**dict.fromkeys(idea, 1))


class Unnameable(Base):
    async def aforward(self, idea: str) -> Any:
        return {"a b": 1}


class Unseen(Base):
    async def aforward(self, idea: str) -> Any:
        return undeclared(idea)


class Shadowing(Base):
    async def aforward(self, idea: str) -> Any:
        def Prediction(**values: Any) -> Any:
            return list(values)

        return Prediction(answer=1)


def undeclared(idea: str) -> Any:
    return {idea: 1}


def decorated(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def other(self: Any, idea: str) -> Any:
        return {"all": await method(self, idea)}

    return other


class Decorated(Base):
    @decorated
    async def aforward(self, idea: str) -> Any:
        return await self.rate.acall(idea=idea)


class Recursive(Module):
    def __init__(self) -> None:
        self.inner: Module = self

    async def aforward(self, idea: str) -> Any:
        return await self.inner.acall(idea=idea)


class CalledOtherwise(Base):
    async def acall(self, /, *args: Any, **kwargs: Any) -> Any:
        return {"all": await super().acall(*args, **kwargs)}

    async def aforward(self, idea: str) -> Any:
        return await self.rate.acall(idea=idea)


class Readable(Protocol):
    def keys(self) -> Iterable[str]: ...


class StatedOpen(Base):
    async def aforward(self, idea: str) -> Prediction | None:
        return undeclared(idea)  # type: ignore[no-any-return]


class StatedProtocol(Base):
    async def aforward(self, idea: str) -> Readable:
        return undeclared(idea)  # type: ignore[no-any-return]


class StatedObject(Base):
    async def aforward(self, idea: str) -> object:
        return undeclared(idea)


class Item(BaseModel):
    name: str


class MadeOfAModel(Module):
    """Whose member gives a model, of which `dict` makes something else than `result`."""

    def __init__(self) -> None:
        self.item = GivesItem()

    async def aforward(self, idea: str) -> Any:
        return dict(await self.item.acall(idea=idea))


class GivesItem(Module):
    async def aforward(self, idea: str) -> Item:
        return Item(name=idea)


UNSEEN = [
    *(Extended, Extending, Handed, Aliased, Twice, Differing, Overriding, Spreading, Replacing),
    *(Helping, Computed, Unnameable, Unseen, Shadowing, Decorated, Recursive, CalledOtherwise),
    *(StatedOpen, StatedProtocol, StatedObject, MadeOfAModel),
]


@pytest.mark.parametrize("module", UNSEEN)
def test_what_cannot_be_seen_is_not_guessed(module: type[Module]) -> None:
    program = Program(module())

    assert program.outputs == []
    assert program.output_schema == {"type": "object"}


def test_what_is_set_on_the_instance_counts() -> None:
    async def aforward(idea: str) -> Any:
        return undeclared(idea)

    module = Predicted()
    module.aforward = aforward  # type: ignore[method-assign]

    assert outputs(module) == {}


def test_code_without_a_source_says_nothing() -> None:
    scope: dict[str, Any] = {"Module": Module}
    exec("class Typed(Module):\n  async def aforward(self, idea):\n    return {'a': 1}", scope)

    assert outputs(scope["Typed"]()) == {}


def test_declared_outputs_come_first() -> None:
    assert [one.name for one in Program(Predicted(), outputs="other").outputs] == ["other"]
