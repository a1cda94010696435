"""A figure: what is measured, of which servers, and what it should come to."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import table
from bench.children import Child, leave_nothing_behind, upstream
from bench.compare import Finding, Goal, Rounds, Series, as_json, judge
from bench.load import PATIENCE
from bench.machine import describe
from bench.serving import loop_factory
from bench.streams import Client, Question
from bench.targets import TARGETS
from bench.venvs import say, set_up


@dataclass(frozen=True, slots=True)
class Scale:
    """How long to measure."""

    rounds: int
    quick: bool = False

    def pick(self, full: int, quick: int) -> int:
        """A size for the full or the quick bench."""
        return quick if self.quick else full


FULL = Scale(5)
QUICK = Scale(2, quick=True)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs, and someone who asks it."""

    name: str
    child: Child
    client: Client


class Bench:
    """What a measurement is given: servers in turn, and where to put values."""

    def __init__(self, scale: Scale, provider: Child) -> None:
        self.scale = scale
        self.provider = provider
        self.rounds = Rounds()

    @asynccontextmanager
    async def servers(
        self, names: Sequence[str], warm_up: Sequence[Question]
    ) -> AsyncGenerator[Mapping[str, Running], None]:
        """Servers for the length of a block, each of which has answered the warm-up questions."""
        async with AsyncExitStack() as stack:
            targets = [TARGETS[name] for name in names]
            starting = [
                asyncio.to_thread(stack.enter_context, target.running(self.provider.address))
                for target in targets
            ]  # in threads: a loop that stands still answers no pings
            children = await asyncio.gather(*starting)
            running: dict[str, Running] = {}

            for target, child in zip(targets, children, strict=True):
                client = target.client(child.address)
                stack.callback(client.close)
                running[target.name] = Running(target.name, child, client)

                for question in warm_up:
                    async with asyncio.timeout(PATIENCE):
                        await client.ask(question)

            yield running

    async def in_turn(
        self,
        names: Sequence[str],
        warm_up: Sequence[Question],
        measure: Callable[[Running], Awaitable[None]],
    ) -> None:
        """Measures every server once a round; each round begins with another one."""
        async with self.servers(names, warm_up) as servers:
            order = list(servers.values())

            for number in range(self.scale.rounds):
                say(f"  round {number + 1} of {self.scale.rounds}")

                for server in order:
                    await measure(server)

                order.append(order.pop(0))


@dataclass(frozen=True, slots=True)
class Figure:
    """One line, or a few, of the table of figures."""

    name: str
    title: str
    measure: Callable[[Bench], Coroutine[Any, Any, None]]
    goals: Sequence[Goal] = ()

    def run(self, scale: Scale) -> dict[str, Any]:
        """Measures, prints, and gives the result as JSON values."""
        say(f"{self.name}: {self.title}")
        before = describe()

        with upstream() as provider, asyncio.Runner(loop_factory=loop_factory("auto")) as runner:
            bench = Bench(scale, provider)
            runner.run(self.measure(bench))

        series = bench.rounds.series()
        findings = list(self._findings(series))
        table.show(self.title, series, findings)
        machine = {"before": before, "after": describe()}

        return {"name": self.name, "title": self.title, "machine": machine} | as_json(
            series, findings
        )

    def _findings(self, series: Sequence[Series]) -> list[Finding]:
        named = {one.name: one for one in series}

        return [
            judge(goal, named[goal.series])
            for goal in self.goals
            if goal.series in named
            and {goal.server, goal.than} - {""} <= named[goal.series].values.keys()
        ]


def command(figure: Figure) -> None:
    """The command of one figure."""
    parser = argparse.ArgumentParser(description=figure.title)
    parser.add_argument("--quick", action="store_true", help="smaller and fewer rounds")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    given = parser.parse_args()
    leave_nothing_behind()
    scale = QUICK if given.quick else FULL
    set_up("peers")
    result = figure.run(Scale(given.rounds or scale.rounds, scale.quick))

    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
