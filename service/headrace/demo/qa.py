"""`qa`: a question, thought through step by step."""

from __future__ import annotations

from headrace import ChainOfThought, Program

qa = Program(
    ChainOfThought("question -> answer"),
    name="qa",
    description="Answers a question, reasoning first.",
    examples=[{"question": "What is a headrace?"}],
)
