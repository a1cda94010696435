"""Reasoning in tags: the draft that a model writes into its text before its answer.

    <think>
    A seat of government, so Paris.
    </think>

    Paris

Rules:

- A draft begins with its opening mark, which is the first thing in the text, after at most 64
  characters of whitespace. It ends at the first of its closing marks, or with the text: drafts do not
  nest. Another may follow at once. A closing mark where a draft could begin is an empty draft.
- Anywhere else marks are text. A text without a draft is left as it is; after a draft it is left
  without the whitespace before it. A draft is kept without the whitespace around it.
- Marks count in capitals and in small letters.
- With an empty opening mark the text begins inside the draft.

Held back: before the answer, whitespace and what can still become a mark; in a draft, trailing
whitespace and what can still become its closing mark. In the answer nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from headrace.errors import UsageError
from headrace.parsing.machine import SOLID, Machine, beginnings, spelled

ReasoningTags: TypeAlias = Sequence[str | tuple[str, str]]
"""Names, as in `think` for `<think>…</think>`, or pairs of an opening and a closing mark."""

REASONING_TAGS: ReasoningTags = (
    "think",
    "thinking",
    "thought",
    "seed:think",
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
)
"""Tags that the models of today write where their server does not take them out."""

REASONING, TEXT = "reasoning", "text"
WHITESPACE = 64
"""Characters that may stand before the first mark."""


class Marks(NamedTuple):
    """Reasoning tags, ready to be looked for."""

    opening: re.Pattern[str]
    """A mark that may stand before the answer: an opening mark, or a closing one."""
    beginning: re.Pattern[str]
    """A text that can still become one of them."""
    closing: re.Pattern[str]
    ends: dict[str, re.Pattern[str]]
    """By opening mark: its closing mark whole, or as much of it as the text ends with (group 1)."""


@lru_cache(maxsize=64)
def _marks(pairs: tuple[tuple[str, str], ...]) -> Marks:
    closings = sorted((closing for _, closing in pairs), key=len)
    openings = (opening for opening, _ in pairs if opening)
    every = sorted([*openings, *closings], key=len)  # short ones first, however the text is cut

    return Marks(
        _pattern("|".join(map(re.escape, every))),
        _pattern("|".join(beginnings(spelled(mark)) for mark in every)),
        _pattern("|".join(map(re.escape, closings))),
        {opening.lower(): _end(closing) for opening, closing in pairs},
    )


def _end(closing: str) -> re.Pattern[str]:
    return _pattern(rf"{re.escape(closing)}|({beginnings(spelled(closing))})\Z")


def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


def marks_of(tags: ReasoningTags | None) -> Marks | None:
    """The marks of reasoning tags; None for none. Raises UsageError for what names no tags."""
    if not tags:
        return None

    if isinstance(tags, str) or not all(map(_is_tag, tags)):
        raise UsageError(
            "reasoning_tags is a list of names, as in ['think'], or of pairs of marks, as in "
            f"[('<think>', '</think>')], or None; not {tags!r}"
        )

    return _marks(
        tuple(
            (f"<{tag}>", f"</{tag}>") if isinstance(tag, str) else (tag[0], tag[1]) for tag in tags
        )
    )


def _is_tag(tag: object) -> bool:
    match tag:
        case str():
            return bool(tag.strip())
        case [str(), str() as closing]:
            return bool(closing)
        case _:
            return False


class ReasoningParser(Machine):
    """Parts one text into the fields "reasoning" and "text"."""

    def __init__(self, marks: Marks) -> None:
        super().__init__(ReasoningParser._beginning)
        self._marks = marks
        self._end_mark: re.Pattern[str] | None = None
        self._drafted = False

    @property
    def answering(self) -> bool:
        """True once the answer has begun: all that comes is text."""
        return self._state is ReasoningParser._answer

    def _beginning(self, text: str, at: int) -> int:
        """Before the answer, where a draft may begin."""
        solid = SOLID.search(text, at)
        mark = solid.start() if solid else len(text)
        start = mark if self._drafted else at  # after a draft whitespace is nothing

        if mark - start <= WHITESPACE:
            if solid is None:
                return self._hold(text, start)

            if found := self._marks.opening.match(text, mark):
                self._enter(self._marks.ends.get(found[0].lower()))

                return found.end()

            if self._marks.beginning.fullmatch(text, mark):
                return self._hold(text, start)

        self._begin_text()

        return start

    def _enter(self, end_mark: re.Pattern[str] | None) -> None:
        """Begins a draft; without an end it is empty."""
        if end_mark is not None:
            self._open(REASONING, strips=True)
            self._end_mark = end_mark
            self._state = ReasoningParser._draft

        self._drafted = True

    def _draft(self, text: str, at: int) -> int:
        """Inside a draft."""
        assert self._end_mark is not None
        mark = self._end_mark.search(text, at)
        end = mark.start() if mark else len(text)
        self._say(text[at:end])

        if mark is None:
            return end

        if mark[1]:
            return self._hold(text, end)

        self._say("\n\n")  # between this draft and the next, if one comes
        self._state = ReasoningParser._beginning

        return mark.end()

    def _begin_text(self) -> None:
        """Begins the answer, or the draft that the text is inside of from its first character."""
        if not self._drafted and "" in self._marks.ends:
            self._enter(self._marks.ends[""])
            return

        self._end()
        self._open(TEXT, strips=False)
        self._state = ReasoningParser._answer

    def _answer(self, text: str, at: int) -> int:
        """In the answer, where no mark counts."""
        self._say(text[at:])

        return len(text)

    def _finish(self, held: str) -> None:
        if held and self._state is ReasoningParser._beginning:
            self._begin_text()

        self._say(held)


def after_draft(text: str, marks: Marks) -> tuple[str, str] | None:
    """The texts before and after the first closing mark in a text, if there is one."""
    mark = marks.closing.search(text)

    return (text[: mark.start()].strip(), text[mark.end() :]) if mark else None
