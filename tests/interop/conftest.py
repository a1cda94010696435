"""The clients' drivers, built once, and the table of what passed."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from functools import cache
from pathlib import Path

import pytest
from interop import table
from interop.languages import BUILD, LANGUAGES, Language, require
from interop.road import Road, paved

PAGE = os.environ.get("HEADRACE_INTEROP_PAGE")
"""Where `make interop` wants the table written."""

OUTCOMES = pytest.StashKey[table.Outcomes]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[OUTCOMES] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "language" in metafunc.fixturenames:
        names = [language.name for language in LANGUAGES]
        metafunc.parametrize("language", LANGUAGES, ids=names, scope="session")


@pytest.fixture(scope="session")
def built() -> Callable[[Language], Sequence[str]]:
    """Builds the driver of a language, once; gives the command that runs it."""
    BUILD.mkdir(parents=True, exist_ok=True)

    @cache
    def build(language: Language) -> Sequence[str]:
        return language.build()

    return build


@pytest.fixture
def command(language: Language, built: Callable[[Language], Sequence[str]]) -> Sequence[str]:
    require(language)

    return built(language)


@pytest.fixture
async def road(command: Sequence[str]) -> AsyncGenerator[Road, None]:
    """A road to a server that shows the data of calls."""
    async with paved(command, include_data=True) as road:
        yield road


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    table.note(item.config.stash[OUTCOMES], item, report)

    return report


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    outcomes = config.stash[OUTCOMES]

    if outcomes:
        terminalreporter.section("interop")
        terminalreporter.write_line(table.drawn(outcomes))

    if outcomes and PAGE and table.is_green(outcomes):
        Path(PAGE).write_text(table.page(outcomes), encoding="utf-8")
