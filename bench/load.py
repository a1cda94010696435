"""Load on a server: so many answers at once, and what they cost the server.

Every answer is checked: a server that loses text is not fast, it is wrong.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.children import Child
from bench.streams import Answer, Client, Question

PATIENCE = 120.0
"""Seconds that a load may take beyond its own length."""


class BrokenOff(RuntimeError):
    """Answers ended without their end."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a load cost a server."""

    tokens: int
    cpu: float
    """CPU seconds of the server."""
    elapsed: float
    messages: int
    lags: Sequence[int] = field(repr=False, default=())
    """Microseconds from the provider's sending a token to its reaching the client, sorted."""
    lost: int = 0
    """Tokens that never came."""

    @property
    def per_token(self) -> float:
        """CPU microseconds of the server per token."""
        return self.cpu / self.tokens * 1e6

    @property
    def per_second(self) -> float:
        """Tokens delivered a second."""
        return self.tokens / self.elapsed

    def lag_ms(self, share: float) -> float:
        """The lag in milliseconds that this share of the tokens kept to."""
        return percentile(self.lags, share) / 1000


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value in a sorted sequence that this share lies below."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else float("nan")


async def flood(
    server: Child, client: Client, question: Question, *, at_once: int, runs: int
) -> Cost:
    """Asks `runs` times, `at_once` at a time, as fast as the server goes."""
    loop = asyncio.get_running_loop()
    answers: list[Answer] = []
    waiting = list(range(runs))

    async def ask() -> None:
        while waiting:
            waiting.pop()
            answers.append(await client.ask(question))

    cpu, began = server.cpu(), loop.time()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(ask())

    cpu, elapsed = server.cpu() - cpu, loop.time() - began

    return cost(answers, question, cpu, elapsed)


async def paced(
    server: Child, client: Client, question: Question, *, streams: int, ramp: float = 0.5
) -> Cost:
    """Asks `streams` times at about the same moment; the provider sets the speed."""
    loop = asyncio.get_running_loop()

    async def ask(place: int) -> Answer:
        await asyncio.sleep(ramp * place / streams)

        return await client.ask(question)

    cpu, began = server.cpu(), loop.time()

    async with asyncio.timeout(length(question) + ramp + PATIENCE):
        answers = await asyncio.gather(*map(ask, range(streams)))

    cpu, elapsed = server.cpu() - cpu, loop.time() - began

    return cost(answers, question, cpu, elapsed)


def cost(answers: Sequence[Answer], question: Question, cpu: float, elapsed: float) -> Cost:
    """The cost of answers, all of which must have ended."""
    unfinished = sum(not answer.ended for answer in answers)

    if unfinished:
        raise BrokenOff(f"{unfinished} of {len(answers)} answers broke off")

    expected = len(answers) * count(question) * max(len(question.fields), 1)
    tokens = sum(len(found) for answer in answers for found in answer.numbers.values())
    lags = sorted(value for answer in answers for value in answer.lags) if speed(question) else []
    messages = sum(answer.messages for answer in answers)

    return Cost(tokens, cpu, elapsed, messages, lags, expected - tokens)


def check(answers: Sequence[Answer], question: Question) -> None:
    """Raises unless every token of every field came, in order. For answers that are not paced."""
    for answer in answers:
        for name, found in answer.numbers.items():
            if found != list(range(count(question))):
                raise RuntimeError(f"{name} came with {len(found)} of {count(question)} tokens")


def count(question: Question) -> int:
    """Tokens of its answer."""
    return int(question.play.split(":")[1])


def speed(question: Question) -> int:
    """Tokens a second; 0 = as fast as can be."""
    parts = question.play.split(":")

    return int(parts[2]) if len(parts) > 2 else 0


def length(question: Question) -> float:
    """Seconds its answer takes."""
    return count(question) / speed(question) if speed(question) else 0.0


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)
