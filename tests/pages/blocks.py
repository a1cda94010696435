"""A page of Markdown as its fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+)(?P<language>[^\s`]*).*$")
NOT_RUN = re.compile(r"^ *<!-- not run: (?P<reason>.+) -->$")
SAVED_AS = re.compile(r"^# (?P<name>\w+\.(?:py|toml))$")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Of its opening fence, from 1."""
    language: str
    text: str
    not_run: str = ""
    """Why it is not run; empty when it is."""

    @property
    def saved_as(self) -> str:
        """The file name that a Python or TOML block begins with; empty when it has none."""
        named = SAVED_AS.match(self.text.partition("\n")[0])

        return named["name"] if named and self.language in ("python", "toml") else ""


@dataclass(frozen=True)
class Step:
    """A command of a console block, and what it must print."""

    command: str
    output: str


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    blocks: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0

    while number < len(lines):
        opened = FENCE.match(lines[number])

        if opened is None:
            number += 1
            continue

        end = _end_of(lines, number, opened["fence"])
        indent = len(opened["indent"])
        text = "".join(f"{line[indent:]}\n" for line in lines[number + 1 : end])
        blocks.append(Block(page, number + 1, opened["language"], text, _reason(lines, number)))
        number = end + 1

    return blocks


def steps_of(block: Block) -> list[Step]:
    """The commands of a console block; one whose line ends in a backslash goes on in the next."""
    steps: list[Step] = []
    lines = iter(block.text.splitlines(keepends=True))

    for line in lines:
        if line.startswith("$ "):
            command = line[2:]

            while command.endswith("\\\n"):
                command += next(lines)

            steps.append(Step(command, ""))
        elif steps:
            steps[-1] = Step(steps[-1].command, steps[-1].output + line)
        else:
            raise ValueError(f"{block.page.name}:{block.line}: output comes before any `$ ` line")

    return steps


def _end_of(lines: list[str], start: int, fence: str) -> int:
    for number in range(start + 1, len(lines)):
        if lines[number].strip() == fence:
            return number

    raise ValueError(f"the block opened at line {start + 1} never closes")


def _reason(lines: list[str], fence: int) -> str:
    above = NOT_RUN.match(lines[fence - 1]) if fence else None

    return above["reason"] if above else ""
