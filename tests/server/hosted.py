"""Programs for server processes under test."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from headrace.lm import LM
from headrace.module import Module
from headrace.predict import Predict
from headrace.program import Program
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


echo = Echo()
stuck = Stuck()
sleeper = Program(Sleeper(), name="sleeper")
waiter = Program(Waiter(), name="waiter")
nothing = 3

asks = Program(Predict("question -> answer"), name="asks", lm=LM("openai/any"))
"""Asks a provider for which the tests have no key."""
