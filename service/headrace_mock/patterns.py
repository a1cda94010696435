"""Texts in which a regular expression is found: built from how Python reads it, then checked against it.

Classes, repetition, groups, alternatives, back-references and what lookarounds ask for are built.
For a pattern that Python cannot read, or whose text does not pass the check, there is none.
"""

from __future__ import annotations

import functools
import importlib
import re
import string
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

POOL = (
    f"{string.ascii_lowercase}{string.ascii_uppercase}1234567890{string.punctuation} éßñΩжא中あ\t\n"
)
"""Characters that classes take from; those that are easy on the eye come first."""
LONGEST = 10_000
"""Characters of a text; a longer one is not built."""
TRIES = 200

TOKEN = re.compile(r"\\p\{\w+\}|\\.|\(\?<(?![=!])|\[\^?\]?|.", re.DOTALL)
SPELLINGS = {r"\z": r"\Z", "(?<": "(?P<"}
PROPERTIES = {"Lu": "A-Z", "Ll": "a-z", "N": "0-9", "Nd": "0-9", "L": "a-zA-Z"}
"""Of Unicode's classes, the members that every font has."""

Node: TypeAlias = tuple[Any, Any]
"""An operator and its operands, as `re` parses patterns."""


class _Plan(NamedTuple):
    """Choices where a pattern leaves some."""

    each: int
    """Turns of each repetition beyond its minimum."""
    spare: int
    """Further turns of all repetitions; the first takes as many as it can."""
    branch: int
    at: int
    """The place in a class of the character that comes first."""


class _CannotBuildError(Exception):
    """The pattern has a part of which no text is built."""


def matching(pattern: str, least: int, most: float, at: int = 0) -> str | None:
    """A text with `least` to `most` characters in which the pattern is found; None if none was built.

    Where the pattern leaves a choice, another `at` gives another text.
    """
    compiled = _compiled(pattern)

    if compiled is None or least > LONGEST:
        return None

    try:
        nodes = _parsed(compiled.pattern)

        for plan in _plans(least, at):
            for text in _Builder(plan).candidates(nodes):
                padded = text.ljust(least, POOL[0])

                if len(padded) <= most and compiled.search(padded):
                    return padded
    except _CannotBuildError:
        pass

    return None


def _plans(least: int, at: int) -> Iterator[_Plan]:
    for branch in range(4):
        for each in (2, 0, 1):
            yield _Plan(each, 0, branch, at)

    for spare in range(least, max(-1, least - TRIES), -1):
        yield _Plan(0, spare, 0, at)


class _Builder:
    """Builds one text by one plan."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._spare = plan.spare
        self._text = ""
        self._groups: dict[int, str] = {}
        self._ahead: list[tuple[int, str]] = []
        """Places, and the texts that lookaheads ask for there."""

    def candidates(self, nodes: Iterable[Node]) -> Iterator[str]:
        """The text; and with what lookaheads ask for in place of its characters, and before them."""
        self._add(nodes)
        yield self._text

        over = before = self._text

        for place, asked in reversed(self._ahead):
            over = over[:place] + asked + over[place + len(asked) :]
            before = before[:place] + asked + before[place:]

        if len(self._ahead) > 1:  # side by side, not one over the other
            place, asked = self._ahead[0][0], "".join(asked for _, asked in self._ahead)
            yield self._text[:place] + asked + self._text[place + len(asked) :]

        yield from (over, before)

    def _add(self, nodes: Iterable[Node]) -> None:
        for operator, operands in nodes:
            if len(self._text) > LONGEST:
                raise _CannotBuildError

            self._add_one(str(operator), operands)

    def _add_one(self, operator: str, operands: Any) -> None:
        match operator:
            case "LITERAL":
                self._text += chr(operands)
            case "NOT_LITERAL" | "ANY" | "IN":
                self._text += self._character(operator, operands)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                self._repeat(*operands)
            case "SUBPATTERN":
                self._group(operands[0], operands[-1])
            case "ATOMIC_GROUP":
                self._add(operands)
            case "BRANCH":
                branches: Sequence[Any] = operands[1]
                self._add(branches[self._plan.branch % len(branches)])
            case "GROUPREF":
                self._text += self._groups.get(operands, "")
            case "ASSERT":
                self._look(*operands)
            case "ASSERT_NOT" | "AT":
                pass  # the check tells
            case _:
                raise _CannotBuildError

    def _character(self, operator: str, operands: Any) -> str:
        items: Sequence[Node] = operands if operator == "IN" else [(operator, operands)]
        found = _members(tuple(items))

        if not found:
            raise _CannotBuildError

        return found[(len(self._text) + self._plan.at) % len(found)]

    def _repeat(self, least: int, most: Any, nodes: Iterable[Node]) -> None:
        count = min(int(least) + self._plan.each, int(most))
        more = min(int(most) - count, self._spare)
        self._spare -= more

        for _ in range(min(count + more, LONGEST + 1)):
            self._add(nodes)

    def _group(self, number: int | None, nodes: Iterable[Node]) -> None:
        begin = len(self._text)
        self._add(nodes)

        if number is not None:
            self._groups[number] = self._text[begin:]

    def _look(self, direction: int, nodes: Iterable[Node]) -> None:
        if direction < 0:
            self._add(nodes)
            return

        asked = _Builder(self._plan._replace(each=0, spare=0))
        asked._add(nodes)
        self._ahead.append((len(self._text), asked._text))


@functools.lru_cache(maxsize=256)
def _members(items: tuple[Node, ...]) -> str:
    """The characters of a class that are in the pool, or that the class itself names."""
    named = [chr(operands if str(operator) == "LITERAL" else operands[0])
             for operator, operands in items if str(operator) in ("LITERAL", "RANGE")]  # fmt: skip
    negated = str(items[0][0]) in ("NEGATE", "NOT_LITERAL")

    return "".join(one for one in dict.fromkeys([*POOL, *named]) if _is_in(one, items) != negated)


def _is_in(character: str, items: Iterable[Node]) -> bool:
    return any(_fits(character, str(operator), operands) for operator, operands in items)


def _fits(character: str, operator: str, operands: Any) -> bool:
    match operator:
        case "ANY":
            return character != "\n"
        case "LITERAL" | "NOT_LITERAL":
            return ord(character) == int(operands)
        case "RANGE":
            return int(operands[0]) <= ord(character) <= int(operands[1])
        case "CATEGORY":
            return _is_of(character, str(operands).removeprefix("CATEGORY_"))
        case _:
            return False


def _is_of(character: str, category: str) -> bool:
    kinds: Mapping[str, bool] = {
        "DIGIT": character.isdigit(),
        "SPACE": character.isspace(),
        "WORD": character.isalnum() or character == "_",
    }

    return kinds.get(category, not kinds.get(category.removeprefix("NOT_"), True))


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern, as it is or as Python spells it; None if Python has no such thing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a later Python may read otherwise

        for spelling in (pattern, _respelled(pattern)):
            try:
                return re.compile(spelling)
            except (re.error, OverflowError, RecursionError):
                continue

    return None


def _respelled(pattern: str) -> str:
    """A pattern as Rust and JavaScript write it, in Python's spelling."""
    pieces: list[str] = []
    in_class = False

    for token in TOKEN.findall(pattern):
        if token.startswith(r"\p"):
            members = PROPERTIES.get(token[3:-1], PROPERTIES["L"])
            pieces.append(members if in_class else f"[{members}]")
            continue

        in_class = (in_class or token.startswith("[")) and token != "]"
        pieces.append(SPELLINGS.get(token, token))

    return "".join(pieces)


@functools.lru_cache(maxsize=256)
def _parsed(pattern: str) -> Sequence[Node]:
    parser = importlib.import_module("re._parser")  # where `re` itself keeps it
    nodes: Sequence[Node] = parser.parse(pattern)

    return nodes
