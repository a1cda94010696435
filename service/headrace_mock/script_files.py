"""Script files: JSON, JSON Lines and TOML by their endings, all else texts with lines of `---` between."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from headrace.errors import UsageError
from headrace.lm.loose_json import mapping

from headrace_mock.entries import read_entry
from headrace_mock.script import Script

BETWEEN = re.compile(r"^---[ \t]*$\n?", re.MULTILINE)


class _Written(NamedTuple):
    """What a file holds: answers, each with where it stands."""

    answers: list[tuple[str, Any]]
    at_end: object = "repeat"


def read_script(path: Path) -> Script:
    """The script in a file. Raises UsageError, in one line, that names the file, the place and the rule."""
    read = _READERS.get(path.suffix.lower(), _texts)

    try:
        return _script(read(path.read_text(encoding="utf-8-sig")))
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8, at byte {error.start}; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:  # of a text that is no JSON, or no TOML
        raise UsageError(f"{path}: {error}") from None


def _script(written: _Written) -> Script:
    if written.at_end not in ("repeat", "error"):
        raise UsageError('at_end: expected "repeat" or "error"')

    entries = [read_entry(value, place) for place, value in written.answers]

    return Script(entries, written.at_end)


def _texts(text: str) -> _Written:
    blocks = [block.strip("\r\n") for block in BETWEEN.split(text)]

    return _numbered(blocks if blocks[-1].strip() else blocks[:-1])


def _lines(text: str) -> _Written:
    return _Written(list(_parsed_lines(text)))


def _parsed_lines(text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except ValueError as error:
                raise UsageError(f"line {number}: not JSON: {error}") from None


def _document(found: object) -> _Written:
    """A list of answers, or an object that has one."""
    whole = mapping({"answers": found} if isinstance(found, list) else found)
    unknown = sorted(whole.keys() - {"answers", "at_end"})

    if unknown:
        raise UsageError(f"{unknown[0]}: unknown key; there are answers and at_end")

    if not isinstance(whole.get("answers"), list):
        raise UsageError("answers: expected a list of answers")

    return _numbered(whole["answers"])._replace(at_end=whole.get("at_end", "repeat"))


def _numbered(answers: Iterable[Any]) -> _Written:
    return _Written([(f"answer {number}", one) for number, one in enumerate(answers, 1)])


_READERS: Mapping[str, Callable[[str], _Written]] = {
    ".json": lambda text: _document(json.loads(text)),
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".toml": lambda text: _document(tomllib.loads(text)),
}
