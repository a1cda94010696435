"""The kit as a command: against a server elsewhere, and on journals that it kept."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from server.process import TESTS, serving
from server.scripted import soon

from conformance.journal import load, save


async def kit(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "conformance", *arguments),
        cwd=TESTS,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await soon(process.communicate(), within=25)

    return process.returncode or 0, printed.decode()


async def test_the_kit_judges_a_server_and_its_journals_again(tmp_path: Path) -> None:
    kept = tmp_path / "journals.jsonl"

    async with serving("conformance.programs:script") as process:
        address = await process.address()
        code, printed = await kit("--address", address, "--runs", "1", "--journals", str(kept))

    assert (code, printed.splitlines()[-1]) == (0, "0 breaches")

    journals = load(kept)
    journals[0].streams[0].messages.pop(3)
    save(journals, kept)
    code, printed = await kit("--journals", str(kept))

    assert code == 1
    assert printed.startswith("contiguous: run ")
