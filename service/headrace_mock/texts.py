"""Texts that fit what a JSON schema says of a string: its pattern, its format, its length.

The formats are those that JSON Schema and pydantic name.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from headrace_mock.patterns import matching

DAY = date(2026, 1, 31)

Format: TypeAlias = Callable[[int], str]
"""Gives the text at a place; others at other places."""


def _uuid(version: int) -> Format:
    return lambda at: f"5eed0000-0000-{version}000-8000-{at + 1:012x}"


def _base64(at: int) -> str:
    return base64.b64encode(b"mock %03d" % at).decode()


def _after(beginning: str, end: str = "") -> Format:
    """Counts between two texts, from nothing on."""
    return lambda at: f"{beginning}{at or ''}{end}"


FORMATS: Mapping[str, Format] = {
    "date": lambda at: (DAY + timedelta(at)).isoformat(),
    "date-time": lambda at: f"{DAY + timedelta(at)}T12:00:00Z",
    "time": lambda at: f"12:{at % 60:02}:00Z",
    "duration": lambda at: f"P{at + 1}D",
    **dict.fromkeys(("email", "idn-email"), _after("ada", "@example.com")),
    "name-email": _after("Ada <ada", "@example.com>"),
    **dict.fromkeys(("hostname", "idn-hostname"), _after("host", ".example.com")),
    **dict.fromkeys(("uri", "iri", "url"), _after("https://example.com/")),
    **dict.fromkeys(("uri-reference", "iri-reference", "json-pointer"), _after("/")),
    "multi-host-uri": _after("postgres://host", ".example.com/db"),
    "uuid": _uuid(4),
    **{f"uuid{version}": _uuid(version) for version in range(1, 9)},
    **dict.fromkeys(("ipv4", "ipvanyaddress"), lambda at: f"192.0.2.{at % 256}"),
    **dict.fromkeys(("ipv4network", "ipvanynetwork"), lambda at: f"10.{at % 256}.0.0/16"),
    **dict.fromkeys(("ipv4interface", "ipvanyinterface"), lambda at: f"192.0.2.{at % 256}/24"),
    "ipv6": lambda at: f"2001:db8::{at + 1:x}",
    "ipv6network": lambda at: f"2001:db8:{at:x}::/48",
    "ipv6interface": lambda at: f"2001:db8::{at + 1:x}/64",
    "phone": lambda at: f"+1 202 555 {100 + at % 100:04}",
    "color": lambda at: f"#{at:06x}",
    "regex": lambda at: f"^.{{{at}}}$",
    "path": _after("file", ".txt"),
    **dict.fromkeys(("byte", "base64", "base64url"), _base64),
}

SIDES = (
    (1, "formatMinimum", "formatExclusiveMinimum"),
    (-1, "formatMaximum", "formatExclusiveMaximum"),
)
STEPS: Mapping[str, tuple[Callable[[str], Any], timedelta]] = {
    "date": (date.fromisoformat, timedelta(days=1)),
    "date-time": (datetime.fromisoformat, timedelta(seconds=1)),
}
"""For formats with bounds: how they are read, and how far apart texts between them lie."""


def text(schema: Mapping[str, Any], prose: str, at: int = 0) -> str:
    """The text at a place among those that fit: prose, where the schema asks for nothing else.

    A pattern of which no text is built, and a format not known here, get prose too.
    """
    least: int = schema.get("minLength", 0)
    most: float = schema.get("maxLength", math.inf)

    if "pattern" in schema:
        found = matching(schema["pattern"], least, most, at)
    else:
        found = formatted(schema, at)

    return _fitted(f"{at + 1}. {prose}" if at else prose, least, most) if found is None else found


def _fitted(prose: str, least: int, most: float) -> str:
    """Prose said until it is long enough, or cut: between words, where that leaves enough of it."""
    while prose and len(prose) < least:
        prose = f"{prose} {prose}"

    if len(prose) <= most:
        return prose

    cut = prose[: int(most)]
    words = cut.rpartition(" ")[0]

    if len(words) >= max(least, 1):
        return words

    return f"{cut[:-1]}." if cut.endswith(" ") else cut  # a blank at its end would not be read


def formatted(schema: Mapping[str, Any], at: int = 0) -> str | None:
    """A text of the schema's format, within bounds it may have; None for a format not known here.

    Bounds of a format are called as the Ajv validator calls them: formatMinimum and so on.
    """
    name = str(schema.get("format"))

    if name not in FORMATS:
        return None

    try:
        if name in STEPS:
            return _stepped(schema, at, *STEPS[name])
    except (ValueError, OverflowError):  # of a bound that is none
        return FORMATS[name](at)

    return schema.get("formatMinimum") or schema.get("formatMaximum") or FORMATS[name](at)


def _stepped(
    schema: Mapping[str, Any], at: int, read: Callable[[str], Any], step: timedelta
) -> str:
    """A moment beside the bound: the lower one, if there is one."""
    for sign, inclusive, exclusive in SIDES:
        if exclusive in schema:
            return str((read(schema[exclusive]) + sign * step * (at + 1)).isoformat())

        if inclusive in schema:
            return str((read(schema[inclusive]) + sign * step * at).isoformat())

    return FORMATS[str(schema["format"])](at)
