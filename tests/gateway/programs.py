"""What the gateway's tests host: the composer, a program with inputs of every kind, an agent."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Any, Literal

from gateway.faucet import Answer
from headrace import (
    InputField,
    Module,
    OutputField,
    Predict,
    Prediction,
    Program,
    ReAct,
    Signature,
    Tool,
    ask,
    emit,
)
from headrace.demo import composer, qa
from pydantic import BaseModel, Field

QUESTION = "Why does a headrace narrow before the wheel?"

IDEAS = """A channel that narrows must carry the same water through less room, so the water hurries. \
What it loses in width it gains in speed, and speed is what the wheel can use.
The narrowing also steadies it: eddies need space to turn, and there is none."""

EVIDENCE = """Smeaton's experiments of 1759 measured what millers knew: power rises with the head and \
the flow, and falls with every splash.
In a flume that tapers by a third, the mean speed rises by half; the surface stays smooth until the \
water leaves the lip."""

ANSWER = """Because a wheel is driven by moving water, not by much water. The taper turns width into \
speed, calms the surface, and lays the stream where the buckets wait for it."""

REASONING = {
    "brainstorm": "Think of continuity first: what flows in flows out. Then of what the miller wants.",
    "evidence": "Look for measurements rather than opinions; Smeaton weighed the work of model wheels.",
    "answer": "Both branches say the same thing from two sides: speed, and quiet.",
}

COMPOSER: dict[str, Answer] = {
    "answer": {"reasoning": REASONING["answer"], "answer": ANSWER},
    "brainstorm": {"reasoning": REASONING["brainstorm"], "brainstorm": IDEAS},
    "evidence": {"reasoning": REASONING["evidence"], "evidence": EVIDENCE},
}


class Letter(Signature):
    """Write a letter."""

    topic: str = InputField(desc="what it is about")
    tone: Literal["plain", "warm", "formal"] = InputField()
    words: int = InputField(desc="about how many", ge=10)
    points: list[str] = InputField(desc="what must be in it")
    urgent: bool = InputField(default=False)
    reader: dict[str, Any] | None = InputField(default=None, desc="who will read it")
    letter: str = OutputField()


letter = Program(
    Predict(Letter),
    name="letter",
    description="Writes a letter, in the tone asked for.",
    examples=[
        {
            "topic": "The sluice gate is stuck",
            "tone": "warm",
            "words": 80,
            "points": ["since Monday", "a key is with the miller"],
            "reader": {"name": "Ada", "knows_mills": True},
        }
    ],
)


def depth_of(place: str) -> str:
    """How deep the water is at a place, in metres."""
    return {"weir": "1.4", "headrace": "0.6"}.get(place, "unknown")


agent = Program(
    ReAct("question -> answer", tools=[depth_of]),
    name="agent",
    description="Asks the gauges, as often as it takes.",
    examples=[{"question": "How much shallower is the headrace than the weir?"}],
)


class Choice(Module):
    """Tells how far it is, and asks what to do."""

    async def aforward(self, topic: str) -> Prediction:
        emit("progress", {"done": 1, "of": 2})
        chosen = await ask(f"Which way, about {topic}?", type=Literal["left", "right"])
        emit("progress", {"done": 2, "of": 2})

        return Prediction(chosen=chosen)


choice = Program(Choice(), name="choice", outputs="chosen", examples=[{"topic": "weirs"}])


def set_gate(height: float, note: str = "") -> str:
    """Moves the sluice gate, in metres."""
    return f"The gate is at {height} m. {note}".strip()


keeper = Program(
    ReAct("question -> answer", tools=[Tool(set_gate, approve=True)]),
    name="keeper",
    description="Moves the sluice gate, once somebody allows it.",
    examples=[{"question": "Let in less water."}],
)


class Box(BaseModel):
    """An answer of several members."""

    label: str
    way: Literal["left", "right"] | None = None
    size: int = Field(ge=1)
    inner: dict[str, int] = Field(default_factory=dict[str, int])


class Tree(BaseModel):
    """An answer whose schema points to itself."""

    name: str
    children: list[Tree] = Field(default_factory=list["Tree"])


class Way(Enum):
    """A choice that schemas point to."""

    LEFT = "left"
    RIGHT = "right"


KINDS: dict[str, Any] = {
    "yes or no": bool,
    "one": Literal["only"],
    "maybe a way": Way | None,
    "ways": list[str],
    "when": date,
    "maybe many": int | None,
    "box": Box,
    "tree": Tree,
    "any": Any,
}
"""Answers of every kind, each to a question of its own."""


class Kinds(Module):
    """Asks for an answer of a kind."""

    async def aforward(self, kind: str) -> Prediction:
        return Prediction(answer=await ask("What is it?", type=KINDS[kind], timeout=600))


kinds = Program(Kinds(), name="kinds", outputs="answer")


def dispatch(copies: int, note: str | None, text: str, lines: list[str], tags: list[str]) -> str:
    """Sends something out."""
    return f"{copies}, {note!r}, {text!r}, {lines}, {tags}"


class Sender(Module):
    """Calls a tool that wants leave, with arguments that a form shows as something else."""

    def __init__(self) -> None:
        self.tool = Tool(dispatch, approve=True)

    async def aforward(self) -> Prediction:
        return Prediction(
            sent=await self.tool.acall(copies=1, note=None, text="", lines=["a\nb", ""], tags=["c"])
        )


sender = Program(Sender(), name="sender", outputs="sent")

KEEPER: dict[str, Answer | list[Answer]] = {
    "next_tool_name": [
        {
            "next_thought": "The gate should come down.",
            "next_tool_name": "set_gate",
            "next_tool_args": '{"height": 0.5, "note": "by night"}',
        },
        {"next_thought": "That is done.", "next_tool_name": "finish", "next_tool_args": "{}"},
    ],
    "answer": {"reasoning": "The gate was moved.", "answer": "It is done."},
}

AGENT: dict[str, Answer | list[Answer]] = {
    "next_tool_name": [
        {
            "next_thought": "I need two depths. The weir first.",
            "next_tool_name": "depth_of",
            "next_tool_args": '{"place": "weir"}',
        },
        {
            "next_thought": "1.4 m there. Now the headrace.",
            "next_tool_name": "depth_of",
            "next_tool_args": '{"place": "headrace"}',
        },
        {
            "next_thought": "1.4 less 0.6: I have what I need.",
            "next_tool_name": "finish",
            "next_tool_args": "{}",
        },
    ],
    "answer": {"reasoning": "1.4 m at the weir, 0.6 m in the headrace.", "answer": "By 0.8 m."},
}

__all__ = ["agent", "choice", "composer", "keeper", "letter", "qa"]
