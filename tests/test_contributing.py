"""Pages for whoever changes the code: each path that they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [page for page in ("CONTRIBUTING.md", "docs/architecture.md") if (ROOT / page).exists()]
ROOMS = (ROOT, ROOT / "service", ROOT / "service" / "headrace", ROOT / "client")
NAMED = re.compile(r"`([^`\s]+)`")
FILES = (".md", ".proto", ".py", ".toml", ".yaml")


def paths_of(text: str) -> list[str]:
    """What stands in backticks and has a slash or the end of a file's name, outside of blocks."""
    prose = re.sub(r"(?ms)^```.*?^```$|^ {4}.*?$", "", text)

    return [name for name in NAMED.findall(prose) if is_path(name)]


def is_path(name: str) -> bool:
    return ("/" in name or name.endswith(FILES)) and not re.search(r"[<>()=:$]|^/|^-", name)


def is_there(name: str) -> bool:
    """A path from the top or from one of the rooms; `*` is some name, and braces are each of theirs."""
    if braces := re.search(r"\{([^{}]*)\}", name):
        start, end = braces.span()

        return all(is_there(name[:start] + one + name[end:]) for one in braces[1].split(","))

    return any(found for room in ROOMS for found in room.glob(name.strip("/")))


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_is_there(page: str) -> None:
    named = paths_of((ROOT / page).read_text("utf-8"))

    assert [name for name in named if not is_there(name)] == []


def test_paths_are_what_looks_like_one() -> None:
    text = """
Edit `proto/headrace/v1/headrace.proto`, then `make proto`; see `pyproject.toml`, `service/`, `log/{port,memory}.py`
and `[tool.importlinter]`, `text/event-stream`?

    not/this.py in a block

```console
nor `this/one.py`
```
"""

    assert paths_of(text) == [
        "proto/headrace/v1/headrace.proto",
        "pyproject.toml",
        "service/",
        "log/{port,memory}.py",
        "text/event-stream",
    ]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("proto/headrace/v1/{headrace.proto,reasons.toml}", True),
        ("proto/headrace/v1/{headrace.proto,gone.toml}", False),
        ("service/headrace/adapters/", True),
        ("service/headrace/*.py", True),
        ("log/merging.py", True),
        ("context/", False),
        ("merging.py", False),
        ("locks/*.txt", True),
    ],
)
def test_a_path_is_there_or_not(name: str, there: bool) -> None:
    assert is_there(name) is there
