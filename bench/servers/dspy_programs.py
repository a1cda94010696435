"""The same programs for DSPy, streamed as its documentation does. Runs in the peers' environment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import dspy  # type: ignore[import-not-found]  # installed in the peers' environment only

UPSTREAM = os.environ["BENCH_UPSTREAM"]
ENGINE = os.environ.get("BENCH_ENGINE", "auto")


def lm(fields: str) -> Any:
    """The model that answers with these fields."""
    return dspy.LM(
        f"openai/bench-{fields}", engine=ENGINE, api_base=UPSTREAM, api_key="sk-bench", cache=False
    )


class Branches(dspy.Module):  # type: ignore[misc]  # dspy is not typed here
    """Three branches at once and a composer after them, as in the seeds."""

    def __init__(self) -> None:
        super().__init__()
        self.ideas = dspy.ChainOfThought("question -> brainstorm")
        self.evidence = dspy.ChainOfThought("question -> evidence")
        self.counter = dspy.ChainOfThought("question -> objections")
        self.compose = dspy.Predict("question, notes -> answer")
        self.ideas.set_lm(lm("reasoning-brainstorm"))
        self.evidence.set_lm(lm("reasoning-evidence"))
        self.counter.set_lm(lm("reasoning-objections"))
        self.compose.set_lm(lm("answer"))

    async def aforward(self, question: str) -> Any:
        await asyncio.gather(
            self.ideas.acall(question=question),
            self.evidence.acall(question=question),
            self.counter.acall(question=question),
        )

        return await self.compose.acall(question=question, notes="none")


answer = dspy.Predict("question -> answer")
answer.set_lm(lm("answer"))
branches = Branches()


def stream(program: str, question: str) -> AsyncIterator[Any]:
    """Streams a program.

    Listeners are made for each request. As the seeds write it, one set of listeners serves them all;
    but a listener ends with its first answer, and requests at the same time would share its state.
    There are no statuses: to send one, the event loop waits for room in a stream of 16 places that only
    the event loop can empty, so a saturated server with statuses stands still for ever.
    """
    listen = dspy.streaming.StreamListener

    if program == "answer":
        listeners = [listen("answer", predict=answer, predict_name="self")]
        streaming = dspy.streamify(answer, stream_listeners=listeners, is_async_program=True)
    else:
        listeners = [
            listen("brainstorm", predict=branches.ideas.predict, predict_name="ideas"),
            listen("evidence", predict=branches.evidence.predict, predict_name="evidence"),
            listen("objections", predict=branches.counter.predict, predict_name="counter"),
            listen("answer", predict=branches.compose, predict_name="compose"),
        ]
        streaming = dspy.streamify(branches, stream_listeners=listeners, is_async_program=True)

    items: AsyncIterator[Any] = streaming(question=question)

    return items
