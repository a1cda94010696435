"""Each client's own tests pass, and its stubs are what the contract generates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from interop.languages import LANGUAGES, ROOT, install_node, require, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # downloads and compiles, the first time

GO, NODE, JAVA = LANGUAGES[1:]
CLIENTS = ROOT / "client"


def texts(folder: Path) -> Mapping[str, str]:
    """The files of a folder, by name."""
    return {
        str(file.relative_to(folder)): file.read_text(encoding="utf-8")
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_the_go_client_passes_its_own_tests() -> None:
    require(GO)
    assert run("gofmt", "-l", ".", cwd=CLIENTS / "go") == ""
    run("go", "vet", "./...", cwd=CLIENTS / "go")
    run("go", "test", "./...", cwd=CLIENTS / "go")


def test_the_node_client_passes_its_own_tests() -> None:
    require(NODE)
    install_node()
    run("npm", "test", cwd=CLIENTS / "node")


def test_the_java_client_passes_its_own_tests() -> None:
    require(JAVA)
    run("mvn", "-B", "-q", "test", cwd=CLIENTS / "java")


def test_the_stubs_of_go_are_fresh(tmp_path: Path) -> None:
    require(GO)
    run("./generate.sh", str(tmp_path), cwd=CLIENTS / "go")

    assert texts(tmp_path / "headrace" / "v1") == texts(CLIENTS / "go" / "headrace" / "v1")


def test_the_stubs_of_node_are_fresh(tmp_path: Path) -> None:
    require(NODE)
    install_node()
    run("./generate.sh", str(tmp_path), cwd=CLIENTS / "node")

    assert texts(tmp_path) == texts(CLIENTS / "node" / "src" / "gen")
