"""The interop table: which client passed which case, for the terminal and for the documentation."""

from __future__ import annotations

import datetime
import inspect
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import pytest
from interop.languages import LANGUAGES, Language

SIGNS = {"passed": "pass", "failed": "FAIL", "skipped": "-"}

PAGE = """\
# Interop

Every client passes the same cases against a real server, behind a proxy that resets and stalls its
connections. `make interop` runs them and writes this page; `.ci/run` runs them on every change.

{table}

Run on {date} with {versions}.

What each case shows:

{cases}

The cases are in `tests/interop/test_matrix*.py`; each language has one small driver under
`tests/interop/drivers/`, written against the public face of its client.
"""


@dataclass
class Case:
    """One row."""

    title: str
    says: str
    """What it shows, in a sentence."""
    place: tuple[str, int]
    """File and line: the order of rows, in whatever order the cases ran."""
    outcomes: dict[str, str] = field(default_factory=dict[str, str])
    """By language: passed, failed or skipped."""


Outcomes: TypeAlias = dict[str, Case]
"""Cases by the name of their test."""


def note(outcomes: Outcomes, item: pytest.Item, report: pytest.TestReport) -> None:
    """Takes in the report of a test, if it is one of a case in a language."""
    if not isinstance(item, pytest.Function) or not item.path.name.startswith("test_matrix"):
        return

    if report.when == "call" or report.outcome != "passed":
        name = item.originalname
        title = name.removeprefix("test_").replace("_", " ")
        language = cast("Language", item.callspec.params["language"])
        function = cast("Any", item).function
        place = (item.path.name, function.__code__.co_firstlineno)
        says = " ".join((inspect.getdoc(function) or "").split())
        case = outcomes.setdefault(name, Case(title, says, place))
        case.outcomes[language.name] = report.outcome


def ordered(outcomes: Outcomes) -> list[Case]:
    """The cases as they stand in their files."""
    return sorted(outcomes.values(), key=lambda case: case.place)


def drawn(outcomes: Outcomes) -> str:
    """The table as Markdown, padded so that it reads as plain text too."""
    names = [language.name for language in LANGUAGES]
    rows = [
        [case.title, *(SIGNS[case.outcomes.get(name, "skipped")] for name in names)]
        for case in ordered(outcomes)
    ]
    width = max(len(row[0]) for row in rows)
    lines = [["case", *names], ["-" * width, *("-" * 6 for _ in names)], *rows]

    return "\n".join(
        f"| {line[0]:<{width}} | {' | '.join(f'{cell:<6}' for cell in line[1:])} |"
        for line in lines
    )


def is_green(outcomes: Outcomes) -> bool:
    """Whether every language passed every case."""
    everything = [["passed"] * len(LANGUAGES)] * len(outcomes)

    return [list(case.outcomes.values()) for case in outcomes.values()] == everything


def page(outcomes: Outcomes) -> str:
    """The page of the documentation."""
    return PAGE.format(
        table=drawn(outcomes),
        date=datetime.date.today().isoformat(),
        versions="; ".join(one.versions() for one in LANGUAGES if not one.missing),
        cases="\n".join(f"- **{case.title}**: {case.says}" for case in ordered(outcomes)),
    )
