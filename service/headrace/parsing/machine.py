"""Machine: the base of the dialects' parsers, of states that walk over the text, and the open field.

Rule: a state looks only at new text, plus the few characters it held back itself, so that reading a
completion is linear however it is cut. Text that may grow without bound (values, whitespace) is
kept in pieces and never read twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from headrace.parsing.base import FieldDelta

State: TypeAlias = Callable[[Any, str, int], int]
"""A method of a dialect: takes (text, at), says what of it is value, gives where to go on.

A method, not a bound one: a parser that held its own methods would be a reference cycle.
"""


class OpenField:
    """A field being read: text goes in, and comes out once it is known to be value."""

    __slots__ = ("_begun", "_space", "_strips", "name", "pieces")

    def __init__(self, name: str, strips: bool) -> None:
        self.name = name
        self.pieces: list[str] = []
        """Text said and not yet taken."""
        self._strips = strips
        self._begun = False
        self._space: list[str] = []

    def take(self) -> str:
        """The text known to be value; surrounding whitespace stays out where the field strips it."""
        text = "".join(self.pieces)
        self.pieces.clear()

        if not self._strips:
            return text

        solid = text.rstrip()

        if not solid:
            self._space.append(text)

            return ""

        value = "".join(self._space) + solid if self._begun else solid.lstrip()
        self._space = [text[len(solid) :]]
        self._begun = True

        return value


class Machine:
    """A field parser made of states. A dialect gives the first state and writes the others."""

    def __init__(self, start: State) -> None:
        self._state = start
        self._held = ""
        self._open_field: OpenField | None = None
        self._seen: set[str] = set()
        self._deltas: list[FieldDelta] = []

    def feed(self, text: str) -> list[FieldDelta]:
        """Takes the next piece of the completion; gives what is now known to be value."""
        if self._held:
            text, self._held = self._held + text, ""

        at, end = 0, len(text)

        while at < end:
            at = self._state(self, text, at)

        if self._open_field is not None and self._open_field.pieces:
            self._give(self._open_field, is_last=False)

        deltas, self._deltas = self._deltas, []

        return deltas

    def close(self) -> list[FieldDelta]:
        """Ends the completion: gives what was held back and ends the open field."""
        self._finish(self._held)
        self._held = ""
        self._end()
        deltas, self._deltas = self._deltas, []

        return deltas

    def _finish(self, held: str) -> None:
        """Settles the text held back, now that nothing follows: it was value."""
        self._say(held)

    def _hold(self, text: str, at: int) -> int:
        """Keeps the rest of `text`, a few characters, to be read again with what follows."""
        self._held = text[at:]

        return len(text)

    def _open(self, name: str, *, strips: bool) -> None:
        """Begins a field, unless it was seen before: then its text is read and dropped."""
        if name not in self._seen:
            self._seen.add(name)
            self._open_field = OpenField(name, strips)

    def _say(self, text: str) -> None:
        """Text of the open field."""
        if text and self._open_field is not None:
            self._open_field.pieces.append(text)

    def _end(self) -> None:
        """Ends the open field, if there is one."""
        if self._open_field is not None:
            self._give(self._open_field, is_last=True)
            self._open_field = None

    def _give(self, field: OpenField, *, is_last: bool) -> None:
        text = field.take()

        if text or is_last:
            self._deltas.append(FieldDelta(field.name, text, is_last))

    def _ignore(self, text: str, at: int) -> int:
        """The state after the end: what follows is not read."""
        return len(text)


def beginnings(atoms: Iterable[str]) -> str:
    """A pattern for every non-empty beginning of a sequence of patterns."""
    pattern = ""

    for atom in reversed(list(atoms)):
        pattern = f"{atom}(?:{pattern})?" if pattern else atom

    return pattern


def spelled(text: str) -> list[str]:
    """The characters of `text` as patterns."""
    return [re.escape(character) for character in text]


SOLID = re.compile(r"\S")
"""Finds where whitespace ends."""
