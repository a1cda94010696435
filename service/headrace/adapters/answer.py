"""Reading one answer while it comes: deltas of the LM go in, text of fields comes out.

Rule: what is written is what is kept, so the stream and the prediction cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from headrace.lm.base import UTF_8, Delta
from headrace.parsing import FieldDelta, FieldParser

Write: TypeAlias = Callable[[str, str, bool, bool], None]
"""Takes (field, chunk, is_last, cached)."""


class AnswerReader:
    """Reads the first answer of one LM call and writes its fields as they come.

    With `reasoning`, the native reasoning content goes to the field of that name. That field ends
    when the answer's text begins; what comes later is dropped, be it native or the text's own.
    """

    def __init__(
        self, parser: FieldParser, write: Write | None, reasoning: str | None = None
    ) -> None:
        self.wrote = False
        """Whether anyone may have seen some of this answer."""
        self._parser = parser
        self._write = write
        self._reasoning = reasoning
        self._thoughts: list[str] = []
        self._texts: dict[str, bytearray] = {}  # strings would take six times as much
        self._received = False

    def receive(self, delta: Delta) -> None:
        """Takes the next delta; those of other answers are left for later."""
        if delta.choice or self._write is None:  # which waits for the whole answer
            return

        if delta.reasoning and self._reasoning and not self._received:
            self._thoughts.append(delta.reasoning)
            self._say(self._reasoning, delta.reasoning, False)

        if delta.text:
            if not self._received:
                self._received = True
                self._end_reasoning()

            self._take(self._parser.feed(delta.text))

    def finish(self) -> dict[str, str]:
        """Ends the answer; gives the text of each field that the dialect found in the deltas."""
        if self._received:
            self._take(self._parser.close())

        return {name: text.decode(*UTF_8) for name, text in self._texts.items()}

    def write_whole(self, texts: Mapping[str, str], thoughts: str, *, cached: bool) -> None:
        """Writes an answer of which no field came in deltas: each field at once."""
        if not self._received:
            self._write_reasoning(thoughts, cached)

        for name, text in texts.items():
            self._texts[name] = bytearray(text, *UTF_8)

            if name != self._reasoning or not self._thoughts:
                self._say(name, text, True, cached)

    @property
    def thoughts(self) -> str:
        """The native reasoning content that was written."""
        return "".join(self._thoughts)

    def _take(self, deltas: Iterable[FieldDelta]) -> None:
        for name, text, is_last in deltas:
            if name not in self._texts:
                self._texts[name] = bytearray()

            self._texts[name] += text.encode(*UTF_8)

            if name != self._reasoning or not self._thoughts:  # else native reasoning is its text
                self._say(name, text, is_last)

    def _write_reasoning(self, whole: str, cached: bool) -> None:
        if self._thoughts:
            self._end_reasoning()
        elif self._reasoning and whole:
            self._thoughts.append(whole)
            self._say(self._reasoning, whole, True, cached)

    def _end_reasoning(self) -> None:
        if self._reasoning and self._thoughts:
            self._say(self._reasoning, "", True)

    def _say(self, field: str, chunk: str, is_last: bool, cached: bool = False) -> None:
        if self._write is not None:
            self.wrote = True
            self._write(field, chunk, is_last, cached)
