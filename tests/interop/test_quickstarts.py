"""The quickstart of each client, pasted from its page into an empty folder, runs against `make serve`."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from interop.languages import LANGUAGES, ROOT, install_node, require, run
from pages.blocks import Block, blocks_of
from pages.shell import Shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GO, NODE, JAVA = LANGUAGES[1:]
ADDRESS = "127.0.0.1:50051"
"""What pages write; the server listens on another port, which takes its place."""
NAME = re.compile(r"^(?://|<!--) ([\w./]+\.\w+)")
"""The first line of a block that is a file."""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What Maven leaves behind even where nobody sees it."""
QUESTION = "Why do rivers meander?"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Where the demo programs are served, as `make serve` does."""
    shell = Shell(tmp_path_factory.mktemp("served"), os.environ)

    yield shell.serve("make serve LISTEN=127.0.0.1:0")

    shell.close()


def quickstart(page: str) -> list[Block]:
    """The blocks of a page that this test runs."""
    return [
        block for block in blocks_of(ROOT / "docs" / page) if "test_quickstarts.py" in block.not_run
    ]


def paste(page: str, folder: Path, address: str) -> str:
    """Does what a quickstart says, in its order; gives what it printed."""
    shell = Shell(folder, {**os.environ, "HEADRACE": str(ROOT)})
    printed = ""

    for block in quickstart(page):
        text = block.text.replace(ADDRESS, address)

        if named := NAME.match(text):
            file = folder / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        else:
            assert block.language == "sh", f"{page}:{block.line} names no file"
            printed += shell.run(text)

    return printed


def check(printed: str) -> None:
    """It streamed both branches and ended with an answer."""
    assert "Spinning ideas..." in printed
    assert "ideas.brainstorm.brainstorm: " in printed
    assert "evidence.probe.evidence: " in printed
    assert "compose.answer: " in printed
    assert len(COLOUR.sub("", printed).strip().splitlines()[-1]) > 20


def test_the_quickstart_of_go(tmp_path: Path, address: str) -> None:
    require(GO)
    check(paste("go.md", tmp_path, address))


def test_the_quickstart_of_node(tmp_path: Path, address: str) -> None:
    require(NODE)
    check(paste("node.md", tmp_path, address))


def test_the_quickstart_of_java(tmp_path: Path, address: str) -> None:
    require(JAVA)
    check(paste("java.md", tmp_path, address))


def test_the_example_of_go(address: str) -> None:
    require(GO)
    check(run("go", "run", "./example", address, QUESTION, cwd=ROOT / "client" / "go"))


def test_the_example_of_node(address: str) -> None:
    require(NODE)
    install_node()
    folder = ROOT / "client" / "node"
    run("npm", "run", "--silent", "build", cwd=folder)
    check(run("node", "example/composer.mjs", address, QUESTION, cwd=folder))


def test_the_example_of_java(address: str) -> None:
    require(JAVA)
    run("mvn", "-B", "-q", "-DskipTests", "install", cwd=ROOT / "client" / "java")
    asked = f"-Dexec.args={address} '{QUESTION}'"
    check(
        run(
            "mvn",
            "-B",
            "-q",
            "compile",
            "exec:java",
            asked,
            cwd=ROOT / "client" / "java" / "example",
        )
    )
