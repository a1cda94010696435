"""Programs for server processes under test."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from headrace.hosting import Program
from headrace.lm import LM
from headrace.module import Module
from headrace.predict import Predict
from headrace.signatures import InputField, OutputField, Signature
from headrace.values import Prediction
from server.scripted import write


class Echo(Module):
    """Streams the question back."""

    async def aforward(self, question: str) -> Prediction:
        write("answer", *question)

        return Prediction(answer=question)


class Sleeper(Module):
    """Says that it has begun, and answers after a while."""

    async def aforward(self, seconds: float) -> Prediction:
        write("answer", "zz")
        await asyncio.sleep(seconds)

        return Prediction(answer="awake")


class Waiter(Module):
    """Says that it has begun, and answers once a file is there."""

    async def aforward(self, path: str) -> Prediction:
        write("answer", "zz")

        while not await asyncio.to_thread(Path(path).exists):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

        return Prediction(answer="there")


class Stuck(Module):
    """Sync code that does not return."""

    def forward(self, question: str) -> Prediction:
        write("answer", question)
        time.sleep(120)

        return Prediction(answer=question)


class Varying(Module):
    """Gives outputs that its code does not show."""

    async def aforward(self, question: str) -> Prediction:
        return Prediction(**{question: 1})


echo = Echo()
varying = Varying()
stuck = Stuck()
sleeper = Program(Sleeper(), name="sleeper")
waiter = Program(Waiter(), name="waiter")
nothing = 3

asks = Program(Predict("question -> answer"), name="asks", lm=LM("openai/any"))
"""Asks a provider for which the tests have no key."""


class Rate(Signature):
    """Rates a review."""

    review: str = InputField()
    stars: int = OutputField(ge=1, le=5)


class Rates(Module):
    """Asks for stars, from a module of its own."""

    def __init__(self) -> None:
        self.rate = Predict(Rate)

    async def aforward(self, review: str) -> Prediction:
        return await self.rate.acall(review=review)


class Divides(Module):
    """Raises, given 0."""

    async def aforward(self, by: int) -> Prediction:
        return Prediction(result=1 / by)


divides = Divides()
seven, refused, stumbling = (
    Program(Rates(), name=name, lm=LM(f"openai/{name}", retry_delay=0.01))
    for name in ("seven", "refused", "stumbling")
)
"""The same program, with models that the tests play."""
