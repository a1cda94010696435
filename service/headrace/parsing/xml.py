"""The XML dialect: each field between `<name>` and `</name>`.

    <reasoning>It is the seat of government.</reasoning>
    <answer>
    Paris
    </answer>

Rules:

- A field begins at its tag, which may have attributes (they are ignored; `<name/>` is an empty
  field), and ends at its closing tag, which may have up to 16 whitespace characters before its `>`,
  or with the completion. A tag ends at the first `>`; one that meets a `<` first is no tag.
- Inside a field, tags of the same name are text as they stand, and are counted, so that the field
  ends at its own closing tag. All other markup is text, as are a bare `<` and a bare `&`.
- `&lt; &gt; &amp; &quot; &apos;` and numeric references are decoded; one that names no character
  becomes U+FFFD. In `<![CDATA[` … `]]>` nothing is decoded and no tag counts.
- Text is kept without the whitespace around it, line endings as they are.
- The first field of a name wins; a repeated one is read and dropped. What stands outside the
  fields is dropped, but tags of fields count there, however deep in other markup.

Held back: trailing whitespace, however long, and after it what can still become the field's tag,
its closing tag, a CDATA section or a reference: at most 18 characters more than the name has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from headrace.parsing.machine import Machine, beginnings, spelled

CDATA = "<![CDATA["
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_NOTHING = "(?!)"
_SPECIAL = re.compile("[<&]")
_TAG_END = re.compile("[<>]")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_REFERENCE = re.compile(rf"&(?:({'|'.join(_NAMED)})|#([0-9]{{1,8}})|#x([0-9a-fA-F]{{1,8}}));")
_REFERENCE_BEGINNING = re.compile(
    "|".join(
        beginnings(atoms)
        for atoms in (
            *(spelled(f"&{name}") for name in _NAMED),
            ["&", "#", "[0-9]{1,8}"],
            ["&", "#", "x", "[0-9a-fA-F]{1,8}"],
        )
    )
)


class XMLParser(Machine):
    """Reads a completion in the XML dialect."""

    def __init__(self, output_names: Iterable[str]) -> None:
        super().__init__(XMLParser._outside)
        self._tags = _tags(tuple(output_names))
        self._name = ""
        self._depth = 0
        """Open tags of the field's name: 0 outside any field."""
        self._slash = False

    def _outside(self, text: str, at: int) -> int:
        """Between fields: only tags of fields count."""
        if opening := self._tags.opening.search(text, at):
            return self._enter(opening[1], opening.end())

        mark = text.rfind("<", at)

        if mark >= 0 and self._tags.beginning.fullmatch(text, mark):
            return self._hold(text, mark)

        return len(text)

    def _enter(self, name: str, at: int) -> int:
        self._name = name
        self._field = _field(name)
        self._slash = False
        self._state = XMLParser._in_tag

        return at

    def _in_tag(self, text: str, at: int) -> int:
        """After `<name`, up to the end of the tag; inside a field that is text too."""
        end = _TAG_END.search(text, at)

        if end is None:
            self._say(text[at:])
            self._slash = text.endswith("/")

            return len(text)

        mark = end.start()

        if text[mark] == "<":
            self._say(text[at:mark])
        else:
            empty = text[mark - 1] == "/" if mark > at else self._slash
            self._say(text[at : mark + 1])
            self._close_tag(empty)
            mark += 1

        self._state = XMLParser._text if self._depth else XMLParser._outside

        return mark

    def _close_tag(self, empty: bool) -> None:
        if not self._depth:
            self._open(self._name, strips=True)

        if not empty:
            self._depth += 1
        elif not self._depth:
            self._end()

    def _text(self, text: str, at: int) -> int:
        """Inside a field."""
        special = _SPECIAL.search(text, at)

        if special is None:
            self._say(text[at:])

            return len(text)

        mark = special.start()
        self._say(text[at:mark])

        return self._reference(text, mark) if text[mark] == "&" else self._markup(text, mark)

    def _reference(self, text: str, at: int) -> int:
        if reference := _REFERENCE.match(text, at):
            self._say(_decoded(reference))

            return reference.end()

        if _REFERENCE_BEGINNING.fullmatch(text, at):
            return self._hold(text, at)

        self._say("&")

        return at + 1

    def _markup(self, text: str, at: int) -> int:
        if closing := self._field.closing.match(text, at):
            self._depth -= 1

            if self._depth:
                self._say(closing[0])
            else:
                self._end()
                self._state = XMLParser._outside

            return closing.end()

        if text.startswith(CDATA, at):
            self._state = XMLParser._cdata

            return at + len(CDATA)

        if opening := self._field.opening.match(text, at):
            self._say(opening[0])

            return self._enter(self._name, opening.end())

        if self._field.beginning.fullmatch(text, at):
            return self._hold(text, at)

        self._say("<")

        return at + 1

    def _cdata(self, text: str, at: int) -> int:
        """Inside a CDATA section."""
        end = text.find("]]>", at)

        if end >= 0:
            self._say(text[at:end])
            self._state = XMLParser._text

            return end + 3

        held = 2 if text.endswith("]]") else 1 if text.endswith("]") else 0
        mark = max(at, len(text) - held)
        self._say(text[at:mark])

        return self._hold(text, mark)


def _decoded(reference: re.Match[str]) -> str:
    named, decimal, hexadecimal = reference.groups()

    if named:
        return _NAMED[named]

    code = int(decimal) if decimal else int(hexadecimal, 16)
    is_none = code == 0 or 0xD800 <= code < 0xE000 or code > 0x10FFFF

    return REPLACEMENT if is_none else chr(code)


class _Tags(NamedTuple):
    """Of all fields, for the text outside them."""

    opening: re.Pattern[str]
    beginning: re.Pattern[str]


class _Field(NamedTuple):
    """The patterns of one field, for the text inside it."""

    opening: re.Pattern[str]
    closing: re.Pattern[str]
    beginning: re.Pattern[str]
    """A text that can still become one of them, or a CDATA section."""


@lru_cache(maxsize=256)
def _tags(names: tuple[str, ...]) -> _Tags:
    one = "|".join(map(re.escape, names)) or _NOTHING
    beginning = "|".join(beginnings(spelled(f"<{name}")) for name in names) or _NOTHING

    return _Tags(re.compile(rf"<({one})(?=[\s/>])"), re.compile(beginning))


@lru_cache(maxsize=256)
def _field(name: str) -> _Field:
    sequences = [spelled(f"<{name}"), [*spelled(f"</{name}"), r"\s{1,16}"], spelled(CDATA)]

    return _Field(
        re.compile(rf"<{re.escape(name)}(?=[\s/>])"),
        re.compile(rf"</{re.escape(name)}\s{{0,16}}>"),
        re.compile("|".join(map(beginnings, sequences))),
    )
