"""Programs that the interop cases need beside the conformance kit's."""

from __future__ import annotations

import asyncio

from headrace.calls import current_call, current_run, open_call
from headrace.errors import LMRateLimitError
from headrace.events import Kind
from headrace.hosting import Program
from headrace.module import Module
from headrace.parsing import FieldDelta
from headrace.values import Prediction

LINE = "the quick brown föx jumps over ninety 漢字\n"


class Flood(Module):
    """Writes far more text than a reader that has stalled can be sent."""

    async def aforward(self, lines: int = 1_500) -> Prediction:
        """lines: one token each."""
        with open_call(Kind.MODULE, "flood", None, {}):
            run, call = current_run(), current_call()
            assert run is not None
            assert call is not None

            with run.fields("flood", call.call_id, typed=()) as writer:
                for number in range(lines):
                    writer.write(FieldDelta("text", LINE, number == lines - 1))

                    await asyncio.sleep(0.001)  # slow enough for each to be sent by itself

        return Prediction(text=LINE * lines)


class Echo(Module):
    """Gives its inputs back."""

    async def aforward(self, text: str, number: int = 0) -> Prediction:
        return Prediction(text=text, number=number)


class Limited(Module):
    """Fails as a program does whose provider asks to slow down."""

    async def aforward(self) -> Prediction:
        raise LMRateLimitError("the provider asks to slow down", retry_after=7.0)


PROGRAMS = (
    Program(Flood(), name="flood"),
    Program(Echo(), name="echo"),
    Program(Limited(), name="limited"),
)
