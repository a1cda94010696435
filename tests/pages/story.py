"""A page being run: its blocks in order, each in its language."""

from __future__ import annotations

import doctest
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pages.blocks import Block, Step, steps_of
from pages.prompt import Prompt
from pages.shell import PATIENCE, Shell

ADDRESS = "127.0.0.1:50051"
"""What pages write. The server listens on another port, which takes its place."""
GATEWAY = "127.0.0.1:8080"
"""The same, for a gateway that the page has started."""
PROGRAMS = "headrace.demo:composer headrace.demo:qa"
SERVES = re.compile(r"^(headrace (serve|gateway|mock-lm)|make serve)\b")
CALLS = re.compile(r"\bheadrace (runs?|attach|cancel|answer|rm|programs|describe)\b")
"""Commands that go to ADDRESS where no other is written."""
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Story:
    """One page. Every block is run after all those before it, and once."""

    def __init__(
        self, blocks: Sequence[Block], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._to_come = list(blocks)
        self._folder = folder
        self._shell = Shell(folder, environment)
        self._prompt = Prompt(folder, environment)
        self._address = ""
        self._gateway = GATEWAY

    def run_up_to(self, block: Block) -> None:
        """Runs the block, and before it those that have not been run. AssertionError where one fails."""
        while block in self._to_come:
            self._run(self._to_come.pop(0))

    def close(self) -> None:
        """Ends what the page started."""
        self._prompt.close(PATIENCE)
        self._shell.close()

    def _run(self, block: Block) -> None:
        if block.not_run:
            return

        match block.language:
            case "python":
                self._run_python(block)
            case "console":
                for step in steps_of(block):
                    self._run_step(step)
            case "sh":
                self._run_command(block.text)
            case "json":
                json.loads(block.text)
            case "toml":
                tomllib.loads(block.text)
                self._save(block, block.text)
            case "text":
                pass
            case language:
                raise AssertionError(f"{language!r} cannot be run: <!-- not run: reason -->?")

    def _run_python(self, block: Block) -> None:
        code = self._placed(block.text)
        self._save(block, code)
        raised = self._prompt.run(code)
        assert not raised, raised

    def _save(self, block: Block, text: str) -> None:
        if block.saved_as:
            (self._folder / block.saved_as).write_text(text, encoding="utf-8")

    def _run_step(self, step: Step) -> None:
        printed = self._run_command(step.command)
        wanted = self._placed(step.output)

        if wanted and not doctest.OutputChecker().check_output(wanted, printed, LIKE):
            raise AssertionError(f"$ {step.command}printed\n{printed}instead of\n{wanted}")

    def _run_command(self, command: str) -> str:
        if SERVES.match(command):
            return self._serve(command)

        if CALLS.search(command) and "--address" not in command:
            command = f"export HEADRACE_ADDRESS={ADDRESS}\n{command}"

        return self._shell.run(self._placed(command))

    def _serve(self, command: str) -> str:
        anywhere = "LISTEN=127.0.0.1:0" if command.startswith("make") else "--listen 127.0.0.1:0"
        serving = f"{command.strip()} {anywhere}"

        if command.startswith("headrace gateway"):
            self._gateway = self._shell.serve(self._placed(f"{serving} --server {ADDRESS}"))
        elif command.startswith("headrace mock-lm"):
            self._shell.serve(serving)
        else:
            self._address = self._shell.serve(serving)

        return ""

    def _placed(self, text: str) -> str:
        """The text with the address of the page's server, which is started when first spoken of."""
        text = text.replace(GATEWAY, self._gateway)

        if ADDRESS not in text:
            return text

        if not self._address:
            self._serve(f"headrace serve {PROGRAMS} --lm openai/mock-lm")

        return text.replace(ADDRESS, self._address)
