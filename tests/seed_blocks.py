"""Finds the code blocks of the seed documents and runs them as printed.

Documents with fences say where their code is. In pages saved as plain text a block begins at a line
that can only be code and goes on for as long as the lines make one module, which prose never does.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE_BEGINS = re.compile(
    r"(import \w|from \w[\w.]* import |class \w+\(|def \w+\(|async def \w+\(|@app\."
    r"|listeners = \[|predict = |stream_predict = |lm = |program = |output = )"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of code as printed."""

    line: int
    code: str

    @property
    def defines(self) -> set[str]:
        """The names its top level binds."""
        return {name for node in ast.parse(self.code).body for name in _bound(node)}


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
        return

    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id


def blocks(document: Path) -> list[Block]:
    """The code blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")

    if fenced := list(FENCE.finditer(text)):
        return [Block(text[: one.start()].count("\n") + 1, one[1]) for one in fenced]

    return list(_unfenced(text.splitlines()))


def _unfenced(lines: list[str]) -> Iterator[Block]:
    at = 0

    while at < len(lines):
        end = _end_of_code(lines, at) if CODE_BEGINS.match(lines[at]) else at

        if end > at:
            yield Block(at + 1, "\n".join(lines[at:end]) + "\n")

        at = max(end, at + 1)


def _end_of_code(lines: list[str], start: int) -> int:
    """The line after the longest run from `start` that is a module; prose and output end it."""
    longest = start

    for end in range(start + 1, len(lines) + 1):
        if re.match(r"[A-Z]\w+\(|[A-Z][\w ]*[^\w\s.(=,\[]? ", lines[end - 1]):
            break

        with contextlib.suppress(SyntaxError):
            compile("\n".join(lines[start:end]), "seed", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            longest = end

    return longest


@dataclass
class Reader:
    """Runs the blocks of one document in one namespace, as a reader who follows along does.

    `supplied` are names that the document leaves undefined. `anew` are names that a block, known by a
    phrase in it, means otherwise than the blocks before it. A name that a later block defines is taken
    from there, as the pages tell their story in that order.
    """

    blocks: list[Block]
    supplied: dict[str, Any] = field(default_factory=dict[str, Any])
    anew: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def __post_init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "seed", **self.supplied}

    def run_all(self) -> list[str]:
        """Runs every block; gives what each printed."""
        return [self.run(block) for block in self.blocks]

    def run(self, block: Block) -> str:
        """Runs one block; gives what it printed."""
        printed = io.StringIO()

        for phrase, names in self.anew.items():
            if phrase in block.code:
                self.names.update(names)

        with contextlib.redirect_stdout(printed):
            self._execute(block)

        return printed.getvalue()

    def _execute(self, block: Block) -> None:
        try:
            self._evaluate(block)
        except NameError as error:
            self._supply(str(error.name), block)
            self._execute(block)

    def _evaluate(self, block: Block) -> None:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(block.code, f"seed line {block.line}", "exec", flags, dont_inherit=True)

        if code.co_flags & inspect.CO_COROUTINE:
            work: Callable[[], Any] = types.FunctionType(code, self.names)
            asyncio.run(work())
        else:
            exec(code, self.names)

    def _supply(self, name: str, block: Block) -> None:
        for later in self.blocks:
            if later.line > block.line and name in later.defines:
                self._execute(later)
                return

        raise NameError(f"line {block.line}: nothing supplies {name!r}", name=name)
