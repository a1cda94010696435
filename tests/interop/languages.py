"""The languages that have a client: what each needs, how its driver is built and run, and its versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRIVERS = Path(__file__).parent / "drivers"
BUILD = ROOT / "build" / "interop"

BUILD_SECONDS = 540.0
"""For what is downloaded and compiled, the first time."""


@dataclass(frozen=True)
class Language:
    """One client."""

    name: str
    tools: Sequence[str]
    """Commands that have to be there."""
    build: Callable[[], Sequence[str]]
    """Makes what the driver needs; gives the command that runs it."""
    versions: Callable[[], str]
    """Of what the client runs on, in a few words."""

    @property
    def missing(self) -> list[str]:
        """The tools that are not on this machine."""
        return [tool for tool in self.tools if shutil.which(tool) is None]


def require(language: Language) -> None:
    """Skips the test where the language's tools are not installed."""
    if language.missing:
        pytest.skip(f"{', '.join(language.missing)} not installed; .ci/run shows what is needed")


def run(*command: str, cwd: Path = ROOT) -> str:
    """Runs a command to its end; gives what it printed. AssertionError unless it succeeds."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"$ {' '.join(command)}\n{done.stdout[-8000:]}"

    return done.stdout


# How they are built


def build_python() -> Sequence[str]:
    return [
        "env",
        f"PYTHONPATH={ROOT / 'tests'}",
        os.environ.get("HEADRACE_CLIENT_PYTHON", sys.executable),  # make test-lowest names another
        str(DRIVERS / "python" / "driver.py"),
    ]


def build_go() -> Sequence[str]:
    driver = BUILD / "go-driver"
    run("go", "build", "-o", str(driver), ".", cwd=DRIVERS / "go")

    return [str(driver)]


def build_node() -> Sequence[str]:
    install_node()
    run("npm", "run", "--silent", "build", cwd=ROOT / "client" / "node")

    return ["node", str(DRIVERS / "node" / "driver.mjs")]


def install_node() -> None:
    """Installs what the lock file names, unless that is what is there."""
    folder = ROOT / "client" / "node"
    installed = folder / "node_modules" / ".package-lock.json"

    if (
        not installed.exists()
        or installed.stat().st_mtime < (folder / "package-lock.json").stat().st_mtime
    ):
        run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)


def build_java() -> Sequence[str]:
    folder, classes, path = ROOT / "client" / "java", BUILD / "java", BUILD / "java-classpath"
    classes.mkdir(parents=True, exist_ok=True)
    run(
        *("mvn", "-B", "-q", "compile", "dependency:build-classpath"),
        *("-Dmdep.includeScope=runtime", f"-Dmdep.outputFile={path}"),
        cwd=folder,
    )
    needed = f"{folder / 'target' / 'classes'}:{path.read_text().strip()}"
    sources = sorted(str(source) for source in (DRIVERS / "java").glob("*.java"))
    run("javac", "-cp", needed, "-d", str(classes), *sources)

    return [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-cp",
        f"{classes}:{needed}",
        "Driver",
    ]


# What they run on


def python_versions() -> str:
    import grpc

    return f"Python {sys.version.split()[0]}, grpcio {grpc.__version__}"


def go_versions() -> str:
    go = found(r"go(\d[\d.]*)", run("go", "version"))
    grpc = found(r"google.golang.org/grpc v([\d.]+)", text_of("client/go/go.mod"))

    return f"Go {go}, grpc-go {grpc}"


def node_versions() -> str:
    node = run("node", "--version").strip().removeprefix("v")
    grpc = found(r'grpc-js": "([\d.]+)', text_of("client/node/package.json"))

    return f"Node {node}, grpc-js {grpc}"


def java_versions() -> str:
    java = found(r'version "([\d.]+)', run("java", "-version"))
    grpc = found(r"<grpc.version>([\d.]+)", text_of("client/java/pom.xml"))

    return f"Java {java}, grpc-java {grpc}"


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def found(pattern: str, text: str) -> str:
    """The part of a text that a pattern names."""
    match = re.search(pattern, text)
    assert match is not None, f"{pattern} is not in {text[:200]!r}"

    return match[1]


LANGUAGES = (
    Language("Python", (), build_python, python_versions),
    Language("Go", ("go",), build_go, go_versions),
    Language("Node", ("node", "npm"), build_node, node_versions),
    Language("Java", ("javac", "java", "mvn"), build_java, java_versions),
)
