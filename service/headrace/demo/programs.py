"""The programs of the demo.

`composer` gathers ideas and evidence side by side, then composes an answer; `qa` thinks a question through.
"""

from __future__ import annotations

import asyncio
from typing import Any

from headrace import ChainOfThought, Module, Prediction, Program
from headrace.streaming import StatusMessageProvider


class IdeaGenerator(Module):
    """Thinks of what could answer the question."""

    def __init__(self) -> None:
        self.brainstorm = ChainOfThought("question -> brainstorm")

    async def aforward(self, question: str) -> Prediction:
        return await self.brainstorm.acall(question=question)


class EvidenceCollector(Module):
    """Gathers what is known about the question."""

    def __init__(self) -> None:
        self.probe = ChainOfThought("question -> evidence")

    async def aforward(self, question: str) -> Prediction:
        return await self.probe.acall(question=question)


class ParallelComposer(Module):
    """Runs both branches at once, and composes what they found."""

    def __init__(self) -> None:
        self.ideas = IdeaGenerator()
        self.evidence = EvidenceCollector()
        self.compose = ChainOfThought("question, brainstorm, evidence -> answer")

    async def aforward(self, question: str) -> Prediction:
        ideas, evidence = await asyncio.gather(
            self.ideas.acall(question=question),
            self.evidence.acall(question=question),
        )

        return await self.compose.acall(
            question=question, brainstorm=ideas.brainstorm, evidence=evidence.evidence
        )


class ParallelStatus(StatusMessageProvider):
    """Says which branch is at work."""

    def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str | None:
        if isinstance(instance, IdeaGenerator):
            return "Spinning ideas..."

        if isinstance(instance, EvidenceCollector):
            return "Pulling evidence..."

        return None

    def module_end_status_message(self, instance: Any, outputs: Any) -> str | None:
        if isinstance(instance, IdeaGenerator):
            return "Ideas ready."

        if isinstance(instance, EvidenceCollector):
            return "Evidence ready."

        return None


composer = Program(
    ParallelComposer(),
    name="composer",
    description="Brainstorms and gathers evidence side by side, then composes an answer.",
    status=ParallelStatus(),
    examples=[{"question": "Why do parallel branches feel faster?"}],
    outputs="reasoning, answer",
)

qa = Program(
    ChainOfThought("question -> answer"),
    name="qa",
    description="Answers a question, reasoning first.",
    examples=[{"question": "What is a headrace?"}],
)
