"""The program of the kit: what it streams, how fast and how it ends is written in its inputs.

Branches run side by side. Each writes text in tokens of random size, of every kind of character, with
calls that open and close between them. The same inputs give the same texts.
"""

from __future__ import annotations

import asyncio
import random

from headrace import ask, emit
from headrace.calls import current_call, current_run, open_call
from headrace.errors import ToolError
from headrace.events import Kind
from headrace.hosting import Program
from headrace.module import Module
from headrace.parsing import FieldDelta
from headrace.values import Prediction

ALPHABET = "abcdefgh \n\tжéß漢字😀\u200d\u0301"


class Script(Module):
    """Streams made-up text."""

    async def aforward(
        self,
        seed: int = 0,
        branches: int = 3,
        tokens: int = 20,
        pace: float = 0.001,
        whole: int = 0,
        ending: str = "ok",
        asks: int = 0,
    ) -> Prediction:
        """branches: side by side. tokens: of each. pace: seconds between them, about.

        whole: code points of a text that comes at once. ending: "ok", "error", or "never". asks: questions
        of each branch, which want their own message back.
        """
        texts = await asyncio.gather(
            *(
                _branch(random.Random(seed * 100 + n), n, tokens, pace, asks)
                for n in range(branches)
            )
        )

        if whole:
            texts.append(_write("whole", ["é" * whole]))

        if ending == "error":
            raise RuntimeError("canary-sk-0123456789")

        if ending == "never":
            await asyncio.Event().wait()

        return Prediction(**{f"text{n}": text for n, text in enumerate(texts)})


async def _branch(chance: random.Random, number: int, tokens: int, pace: float, asks: int) -> str:
    name = f"branches[{number}]"
    field = f"text{number}"
    written: list[str] = []
    asked_at = {place * tokens // (asks + 1) for place in range(1, asks + 1)}

    with open_call(Kind.MODULE, name, None, {}):
        run, call = current_run(), current_call()
        assert run is not None
        assert call is not None

        with run.fields(name, call.call_id, typed=("items",)) as writer:
            for place in range(tokens):
                chunk = "".join(chance.choices(ALPHABET, k=chance.randint(1, 12)))
                writer.write(FieldDelta(field, chunk, place == tokens - 1))
                written.append(chunk)

                if place % 3 == 0:
                    writer.write(FieldDelta("items", f"{place},", False))

                if chance.random() < 0.1:
                    _fail_in_a_tool()

                if chance.random() < 0.2:
                    emit("progress", {"done": place, "of": tokens})

                if place in asked_at:
                    question = f"{name} at {place}?"
                    assert await ask(question) == question

                if chance.random() < 0.5:
                    await asyncio.sleep(chance.random() * 2 * pace)

    return "".join(written)


def _write(name: str, chunks: list[str]) -> str:
    with open_call(Kind.MODULE, name, None, {}):
        run, call = current_run(), current_call()
        assert run is not None
        assert call is not None

        with run.fields(name, call.call_id, typed=()) as writer:
            for chunk in chunks:
                writer.write(FieldDelta(name, chunk, False))

    return "".join(chunks)


def _fail_in_a_tool() -> None:
    """A failure that the program recovers from."""
    try:
        with open_call(Kind.TOOL, "search", None, {}):
            raise ToolError("nothing found")
    except ToolError:
        pass


script = Program(Script(), name="script")
