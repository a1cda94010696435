"""ScriptedLM: an LM that answers from a script, for tests that need no provider."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from headrace.events import Usage
from headrace.lm.base import BaseLM, Choice, Completion, Delta, Receive, Request

Script: TypeAlias = Iterable[str | BaseException]
"""Pieces of an answer, one per turn of the loop; an exception is raised in its place."""


class ScriptedLM(BaseLM):
    """Gives one script per call, in order; or asks a function of the prompt for the script."""

    def __init__(self, *answers: Script | str, by_prompt: Callable[[str], Script] | None = None):
        super().__init__("scripted")
        self.requests: list[Request] = []
        self.closed = 0
        """How many calls were cancelled before their script was over."""
        self._answers = list(answers)
        self._by_prompt = by_prompt

    async def generate(self, request: Request, receive: Receive) -> Completion:
        self.requests.append(request)
        pieces: list[str] = []

        try:
            for piece in self._script(request):
                await asyncio.sleep(0)

                if isinstance(piece, BaseException):
                    raise piece

                pieces.append(piece)
                receive(Delta(piece))
        except asyncio.CancelledError:
            self.closed += 1
            raise

        usage = Usage(input_tokens=1, output_tokens=len(pieces), lm_calls=1)
        usage = replace(usage, models={self.model: usage})

        return Completion([Choice("".join(pieces))], usage, model=self.model)

    def _script(self, request: Request) -> Script:
        if self._by_prompt is not None:
            return self._by_prompt(prompt_of(request))

        answer = self._answers.pop(0)

        return [answer] if isinstance(answer, str) else answer


def prompt_of(request: Request) -> str:
    """All messages as one text."""
    return "\n".join(str(message["content"]) for message in request.messages)


def chat(**fields: str) -> str:
    """An answer as ChatAdapter asks for it."""
    sections = [f"[[ ## {name} ## ]]\n{text}\n\n" for name, text in fields.items()]

    return "".join([*sections, "[[ ## completed ## ]]\n"])


def cut(text: str, size: int = 3) -> Sequence[str]:
    """The text in pieces."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def echo(*names: str) -> Callable[[str], Script]:
    """A script that answers every field named with the prompt's question in it, cut small."""

    def script(prompt: str) -> Script:
        question = section(prompt, "question")

        return cut(chat(**{name: f"{name} of {question}" for name in names}))

    return script


def section(prompt: str, name: str) -> str:
    """The text of an input in a prompt of ChatAdapter's; empty where there is none."""
    _, found, rest = prompt.rpartition(f"[[ ## {name} ## ]]\n")

    return rest.partition("\n\n")[0].strip() if found else ""
