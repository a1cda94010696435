"""Engines: they speak to providers, each in its own way. One line of ENGINES adds one.

An engine is made for one provider with one set of options, and asks it for every request that has them.
It is imported when it is first needed: the HTTP libraries take their time.
"""

from __future__ import annotations

import abc
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pkgutil import resolve_name
from typing import Any, ClassVar, Literal, TypeAlias, cast

from headrace.errors import LMUnsupportedError
from headrace.events import LmCall, Usage
from headrace.lm.answer.assembly import Assembly
from headrace.lm.base import Completion, Receive, Request
from headrace.lm.deadlines import Deadlines
from headrace.lm.layers import Records

EngineChoice: TypeAlias = Literal["auto", "direct", "litellm"]

ENGINES: Mapping[str, str] = {
    "direct": "headrace.lm.openai.engine:DirectEngine",
    "litellm": "headrace.lm.litellm.engine:LitellmEngine",
}
"""By name, in the order in which "auto" tries them. The last one serves everything."""


@dataclass(frozen=True, slots=True)
class Access:
    """The model of an LM, and how it was told to reach its provider."""

    model: str
    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider whose model an LM names, and how it is reached as far as anyone has said."""

    name: str
    model: str
    """As the provider calls it."""
    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None
    is_own_address: bool = False
    """True where someone set the address, rather than its being the provider's."""


class Obstacle(Exception):
    """An engine cannot serve a provider with these options. Its text says why."""


class Attempt:
    """One attempt at a request: by when its engine has to be done, and where it puts its answer."""

    def __init__(self, lm: LmCall, deadlines: Deadlines, records: Records, *, joins: bool) -> None:
        self.lm = lm
        """With the time to its first token, once that came."""
        self.deadlines = deadlines
        self._started = time.monotonic()
        self._records = records
        self._joins = joins
        self._answer: Assembly | None = None

    @property
    def emitted(self) -> bool:
        """A piece of the answer went out."""
        return self._answer is not None and self._answer.emitted

    def begin_answer(self, receive: Receive, count: int) -> Assembly:
        """The place for the answer, of so many completions, whose deltas go into `receive`."""
        self._answer = Assembly(receive, self.lm.model, joins=self._joins, count=count)

        return self._answer

    def begun(self) -> None:
        """Tells the time to the first token, if that has come and the time is not told.

        Called when the provider moves for the first time, after what came has gone out; and at the end,
        as the first of an answer may come together with it. A finish reason alone is no answer.
        """
        untold = self.lm.time_to_first_token is None

        if untold and self._answer is not None and self._answer.has_content:
            taken = time.monotonic() - self._started
            self.lm = replace(self.lm, time_to_first_token=taken)
            self._records.answering(self.lm)

    def completed(self, answer: Assembly, usage: Usage, served_by: str) -> Completion:
        """The whole answer. Raises an LMError where it is none; its usage counts even so."""
        self._records.spent(usage)
        self.begun()
        choices = answer.choices()
        lm = replace(self.lm, finish_reason=choices[0].finish_reason)

        return Completion(choices, usage, served_by, lm)


class Engine(abc.ABC):
    """Asks one provider with one set of options. Making one raises Obstacle, or an LMError."""

    name: ClassVar[str]

    @abc.abstractmethod
    def __init__(self, provider: Provider, options: Mapping[str, Any]) -> None:
        """Needs litellm; see `litellm.opened`."""

    @staticmethod  # noqa: B027 - most have nothing to do
    def warm_up() -> None:
        """Does ahead what the first request would wait for."""

    @abc.abstractmethod
    async def ask(self, request: Request, receive: Receive, attempt: Attempt) -> Completion:
        """The last layer: asks once. Raises an LMError.

        Nothing goes into `receive` but by the attempt's answer. However it ends, and when the task is
        cancelled, no connection is left on which the provider goes on.
        """


def engine_for(
    choice: EngineChoice, provider: Provider, options: Mapping[str, Any], model: str
) -> Engine:
    """The engine of that name, or with "auto" the first that can serve.

    Raises LMUnsupportedError where none can, and what making one raises.
    """
    obstacles: list[str] = []

    for name in ENGINES if choice == "auto" else (choice,):
        try:
            return _load(name)(provider, options)
        except Obstacle as obstacle:
            obstacles.append(f"the {name} engine cannot serve this: {obstacle}")

    raise LMUnsupportedError("; ".join(obstacles), model=model)


def preload() -> threading.Thread:
    """Makes all engines ready in the background; join the thread to wait for it.

    After that, the first LM call does not hold up the event loop.
    """
    thread = threading.Thread(target=_load_all, name="headrace-preload", daemon=True)
    thread.start()

    return thread


def _load_all() -> None:
    for name in ENGINES:
        _load(name).warm_up()


def _load(name: str) -> type[Engine]:
    return cast("type[Engine]", resolve_name(ENGINES[name]))
