"""Watching the composer: with `headrace run` on a terminal, which draws a live board; else in columns."""

from __future__ import annotations

import shlex
import sys
import textwrap

from headrace_client import Client, HeadraceError, Prediction, StatusUpdate, Token, outputs

from headrace.demo.columns import Columns
from headrace.demo.commands import headrace

QUESTION = "Why do parallel branches feel faster?"
BRANCHES = {"brainstorm": "ideas.brainstorm", "evidence": "evidence.probe"}
"""The field of each branch, and the predictor that writes it."""


def say(text: str) -> None:
    """Prints in order with what commands print."""
    print(text, flush=True)  # noqa: T201 - this is a command


async def watch(address: str) -> int:
    """Runs the composer and shows it; gives the exit code."""
    if sys.stdout.isatty():
        question = f"question={QUESTION}"
        say(f"\n$ headrace run composer {shlex.quote(question)}")
        run = await headrace("run", "composer", question, "--address", address)
        return await run.wait()

    try:
        await _show_columns(address)
    except HeadraceError as error:
        say(f"the run failed: {error}")
        return 1

    return 0


async def _show_columns(address: str) -> None:
    columns = Columns(*BRANCHES.values())
    say(f"\ncomposer is asked: {QUESTION}\n\n{columns.heads()}")

    async with Client(address) as client, client.run("composer", question=QUESTION) as run:
        async for event in run:
            match event:
                case Token() if event.field in BRANCHES:
                    for row in columns.add(event.predictor, event.chunk, event.is_last):
                        say(row)
                case StatusUpdate() if event.message:
                    say(event.message)
                case Prediction():
                    say("\n[answer]\n" + textwrap.fill(outputs(event)["answer"], 95))
                case _:
                    pass
