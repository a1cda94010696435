"""Every block of README and docs runs, or says why it does not; see `pages`."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import pytest
from pages.blocks import Block, blocks_of
from pages.shell import ROOT, Shell
from pages.story import Story

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks_of(page) if not block.not_run]

pytestmark = pytest.mark.timeout(120)


def lacks_grpcurl(block: Block) -> bool:
    return "grpcurl " in block.text and shutil.which("grpcurl") is None


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if not lacks_grpcurl(block)]


def name_of(block: Block) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.line}"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, str]]:
    """What a reader has at hand: the commands, and a provider that needs no key."""
    home = tmp_path_factory.mktemp("home")
    bare = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    shell = Shell(home, bare)
    provider = shell.serve("headrace mock-lm --pace 0")

    yield {**bare, "OPENAI_API_BASE": f"http://{provider}/v1", "OPENAI_API_KEY": "unused"}

    shell.close()


@pytest.fixture(scope="module")
def story_of(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Generator[Callable[[Path], Story]]:
    """Opens pages; a page stays open until all are done."""

    @cache
    def opened(page: Path) -> Story:
        return stack.enter_context(
            closing(Story(runnable(page), tmp_path_factory.mktemp(page.stem), environment))
        )

    with ExitStack() as stack:
        yield opened


@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_a_block_of_the_documentation_runs(block: Block, story_of: Callable[[Path], Story]) -> None:
    if lacks_grpcurl(block):
        pytest.skip("grpcurl is not installed; .ci/run shows how to install it")

    story_of(block.page).run_up_to(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_command_of_the_bench_that_a_page_names_is_there() -> None:
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    named = {name.replace(".", "/") for name in re.findall(r"python -m (bench\.[\w.]+)", page)}

    assert len(named) > 8
    assert [name for name in sorted(named) if not (ROOT / f"{name}.py").exists()] == []
    assert {f"bench/tools/{path.stem}" for path in (ROOT / "bench/tools").glob("[!_]*.py")} < named
