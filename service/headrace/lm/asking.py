"""Asking a provider until it answers or there is no point: engine, attempts, the whole answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from headrace.calls import current_run
from headrace.errors import LMError
from headrace.events import LmCall, Usage
from headrace.lm.answer.assembly import Assembly
from headrace.lm.base import Completion, Message, Receive
from headrace.lm.deadlines import Deadlines, Total
from headrace.lm.litellm.costs import usage_of
from headrace.lm.litellm.routes import Route
from headrace.lm.retries import Retries

logger = logging.getLogger("headrace.lm")

Ask: TypeAlias = Callable[[Route, Sequence[Message], Assembly, Deadlines, str], Awaitable[None]]
"""An engine: asks once, feeds the assembly, raises an LMError."""


class Records(Protocol):
    """Who is told of attempts."""

    def begin(self, lm: LmCall) -> None:
        """An attempt begins."""
        ...

    def spent(self, usage: Usage) -> None:
        """The provider has counted, whether or not its answer is of use."""
        ...

    def failed(self, error: LMError) -> None:
        """An attempt failed, and another will follow."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One request to one provider, and how long and how often to try."""

    model: str
    route: Route
    engine: str
    messages: Sequence[Message]
    deadlines: Deadlines
    retries: Retries

    async def ask(self, receive: Receive, records: Records) -> Completion:
        """The answer. Raises the LMError of the last attempt."""
        engine = _engine(self.engine)
        run = current_run()
        joins = run is not None and run.joins_text
        attempt = 1

        async with Total(self.deadlines.total, self.model) as total:
            while True:
                assembly = Assembly(receive, self.model, joins=joins, count=self.route.count)
                lm = LmCall(self.model, self.engine, attempt=attempt)
                records.begin(lm)

                try:
                    await engine(self.route, self.messages, assembly, self.deadlines, self.model)
                    return self._completion(assembly, lm, records)
                except LMError as error:
                    pause = self.retries.pause(attempt, error, total.remaining)
                    pause = None if assembly.emitted else pause
                    _report(error, lm, pause)

                    if pause is None:
                        raise

                    records.failed(error)

                await asyncio.sleep(pause)
                attempt += 1

    def _completion(self, assembly: Assembly, lm: LmCall, records: Records) -> Completion:
        usage = usage_of(self.route.provider, self.model, assembly.usage)
        records.spent(usage)  # counts even where the answer turns out to be none
        choices = assembly.choices()
        lm = replace(lm, finish_reason=choices[0].finish_reason)

        return Completion(choices, usage, assembly.served_by or self.route.provider.model, lm)


def _report(error: LMError, lm: LmCall, pause: float | None) -> None:
    """Logs an attempt that failed: the run may recover, and then nothing else tells of it."""
    ending = "" if pause is None else f"; trying again in {pause:.1f} s"
    facts = {"model": lm.model, "engine": lm.engine, "lm_attempt": lm.attempt}
    logger.info(
        "LM attempt failed: %s%s", error.message, ending, extra={"failure": error, "facts": facts}
    )


def _engine(name: str) -> Ask:
    """The engine of that name. Imported when first used: their HTTP libraries take their time."""
    if name == "direct":
        from headrace.lm.openai.engine import ask
    else:
        from headrace.lm.litellm.engine import ask

    return ask
