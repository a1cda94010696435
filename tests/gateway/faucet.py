"""Faucet: an LM whose answers run only as far as the test lets them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from headrace.events import Usage
from headrace.lm.base import BaseLM, Choice, Completion, Delta, Receive, Request
from scripted_lm import chat, cut, prompt_of

Answer = Mapping[str, str] | BaseException
"""Texts by output field, or what the call raises."""


class Faucet(BaseLM):
    """Answers by what is asked for: the first output field of the prompt that it has an answer to.

    Every piece takes a drop. `let(n)` lets n drops through, for all calls together; `open()` any number.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer | Sequence[Answer]],
        *,
        size: int = 4,
        name: str = "faucet",
    ) -> None:
        super().__init__(name)
        self.stopped = asyncio.Event()
        """Set when a call is cancelled before its answer is out."""
        self.waiting = asyncio.Event()
        """Set when a call has to wait for a drop; cleared by `let`."""
        self._answers = {
            name: [answer] if isinstance(answer, Mapping | BaseException) else list(answer)
            for name, answer in answers.items()
        }
        self._size = size
        self._drops = asyncio.Semaphore(0)
        self._is_open = False

    def let(self, drops: int) -> None:
        """Lets so many pieces through."""
        self.waiting.clear()

        for _ in range(drops):
            self._drops.release()

    def open(self) -> None:
        """Lets everything through."""
        self._is_open = True
        self.let(1_000)  # whoever waits, waits no more

    async def generate(self, request: Request, receive: Receive) -> Completion:
        answer = self._answer_to(prompt_of(request))

        if isinstance(answer, BaseException):
            await self._drop()
            raise answer

        text = chat(**answer)
        pieces = cut(text, self._size)

        try:
            for piece in pieces:
                await self._drop()
                receive(Delta(piece))
        except asyncio.CancelledError:
            self.stopped.set()
            raise

        usage = Usage(input_tokens=100, output_tokens=len(pieces), lm_calls=1)
        usage = replace(usage, models={self.model: usage})

        return Completion([Choice(text)], usage, model=self.model)

    async def _drop(self) -> None:
        if self._is_open:
            await asyncio.sleep(0)
            return

        if self._drops.locked():
            self.waiting.set()

        await self._drops.acquire()

    def _answer_to(self, prompt: str) -> Answer:
        name = next(name for name in self._answers if f"[[ ## {name} ## ]]" in prompt)
        answers = self._answers[name]

        return answers.pop(0) if len(answers) > 1 else answers[0]
