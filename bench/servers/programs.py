"""The programs headrace serves here, as a user would write them: `headrace serve bench.servers.programs:answer`."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import headrace
from headrace.streaming import StatusMessageProvider

UPSTREAM = os.environ["BENCH_UPSTREAM"]
ENGINE: Any = os.environ.get("BENCH_ENGINE", "auto")


def lm(fields: str) -> headrace.LM:
    """The model that answers with these fields."""
    return headrace.LM(
        f"openai/bench-{fields}", engine=ENGINE, api_base=UPSTREAM, api_key="sk-bench", cache=False
    )


answer = headrace.Program(headrace.Predict("question -> answer"), name="answer", lm=lm("answer"))


class Branches(headrace.Module):
    """Three branches at once and a composer after them, as in the seeds."""

    def __init__(self) -> None:
        super().__init__()
        self.ideas = headrace.ChainOfThought("question -> brainstorm")
        self.evidence = headrace.ChainOfThought("question -> evidence")
        self.counter = headrace.ChainOfThought("question -> objections")
        self.compose = headrace.Predict("question, notes -> answer")
        self.ideas.set_lm(lm("reasoning-brainstorm"))
        self.evidence.set_lm(lm("reasoning-evidence"))
        self.counter.set_lm(lm("reasoning-objections"))
        self.compose.set_lm(lm("answer"))

    async def aforward(self, question: str) -> headrace.Prediction:
        await asyncio.gather(
            self.ideas.acall(question=question),
            self.evidence.acall(question=question),
            self.counter.acall(question=question),
        )
        prediction: headrace.Prediction = await self.compose.acall(question=question, notes="none")

        return prediction


class Says(StatusMessageProvider):
    """A text for every module and every call to a model."""

    def module_start_status_message(self, instance: Any, inputs: Any) -> str:
        return f"{type(instance).__name__} begins"

    def module_end_status_message(self, outputs: Any) -> str:
        return "done"

    def lm_start_status_message(self, instance: Any, inputs: Any) -> str:
        return "asking"


branches = headrace.Program(Branches(), name="branches", status=Says())
