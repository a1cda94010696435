"""`headrace serve`, or another command that serves, as a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

COMMAND = (sys.executable, "-m", "headrace_client.cli")
SERVING = re.compile(r"serving .* on (\S+)")
TESTS = Path(__file__).parents[1]


class Process:
    """A process; what it says on standard error is kept."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[str] = []
        self._spoke = asyncio.Condition()
        self._reading = asyncio.ensure_future(self._read())
        self._ended = False

    @property
    def pid(self) -> int:
        return self._process.pid

    async def address(self) -> str:
        """Where it serves, once it does."""
        await self.says("serving ")
        found = next(filter(None, map(SERVING.search, self.said)))

        return found[1]

    async def says(self, words: str) -> None:
        """Waits until it has said so. Fails where it ends without."""
        async with self._spoke:
            await self._spoke.wait_for(lambda: self._ended or self._has_said(words))

        assert self._has_said(words), self.said

    async def ended(self) -> int:
        """Waits for its end; gives the exit code."""
        code = await self._process.wait()
        await self._reading

        return code

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def close(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

        await self.ended()

    def _has_said(self, words: str) -> bool:
        return any(words in line for line in self.said)

    async def _read(self) -> None:
        assert self._process.stderr is not None

        async for line in self._process.stderr:
            async with self._spoke:
                self.said.append(line.decode().rstrip())
                self._spoke.notify_all()

        async with self._spoke:
            self._ended = True
            self._spoke.notify_all()


@asynccontextmanager
async def running(*command: str, **variables: str) -> AsyncGenerator[Process, None]:
    """Runs a command inside an `async with` block; environment variables by keyword."""
    process = Process(
        await asyncio.create_subprocess_exec(
            *command,
            cwd=TESTS,
            env={**os.environ, **variables},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    )

    try:
        yield process
    finally:
        await process.close()


@asynccontextmanager
async def serving(
    *arguments: str, listen: str = "127.0.0.1:0", before: Sequence[str] = (), **variables: str
) -> AsyncGenerator[Process, None]:
    """Runs `headrace serve` inside an `async with` block, by way of another command if told to."""
    where = ("--listen", listen) if listen else ()

    async with running(*before, *COMMAND, "serve", *arguments, *where, **variables) as process:
        yield process
