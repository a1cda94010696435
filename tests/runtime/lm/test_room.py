"""litellm stays in its room: nothing outside the folder imports it, or speaks of what is inside it."""

from __future__ import annotations

import re
from pathlib import Path

import headrace

HOUSE = Path(headrace.__file__).parent
ROOM = HOUSE / "lm" / "litellm"
TRESPASS = re.compile(
    r"^\s*(?:import|from) litellm\b|import_module\(\s*[\"']litellm|[\"']litellm\.\w", re.MULTILINE
)
"""Imports of litellm, and names of its modules and classes as texts."""
FACE = re.compile(r"headrace\.lm\.litellm\.(\w+)")


def modules() -> list[Path]:
    return [path for path in HOUSE.rglob("*.py") if ROOM not in path.parents]


def test_only_its_folder_knows_litellm() -> None:
    assert [path for path in modules() if TRESPASS.search(path.read_text())] == []


def test_other_rooms_ask_the_folder_by_its_face() -> None:
    inside = {
        (path.relative_to(HOUSE).as_posix(), name)
        for path in modules()
        for name in FACE.findall(path.read_text())
    }

    assert inside == {("lm/engines.py", "engine")}  # where engines are named
