"""Reading one answer while it comes: deltas of the LM go in, text of fields comes out.

Rule: what is written is what is kept, so the stream and the prediction cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headrace.calls import FieldWriter, current_run
from headrace.lm.base import Delta
from headrace.parsing import FieldDelta, FieldParser


class AnswerReader:
    """Reads the first answer of one LM call and writes its fields as they come.

    With `reasoning`, the native reasoning content goes to the field of that name. That field ends
    when the answer's text begins; what comes later is dropped, be it native or the text's own.
    """

    def __init__(
        self, parser: FieldParser, writer: FieldWriter | None, reasoning: str | None = None
    ) -> None:
        self._parser = parser
        self._writer = writer
        self._reasoning = reasoning
        self._thoughts: list[str] = []
        self._received = False

    @property
    def wrote(self) -> bool:
        """True once anyone may have seen some of this answer."""
        return self._writer is not None and self._writer.wrote

    @property
    def thoughts(self) -> str:
        """The native reasoning content that was written."""
        return "".join(self._thoughts)

    def receive(self, delta: Delta) -> None:
        """Takes the next delta; those of other answers are left for later."""
        writer = self._writer

        if delta.choice or writer is None:  # which waits for the whole answer
            return

        if delta.reasoning and self._reasoning and not self._received:
            self._thoughts.append(delta.reasoning)
            writer.write(FieldDelta(self._reasoning, delta.reasoning, False))

        if delta.text:
            if not self._received:
                self._received = True
                self._end_reasoning()

            for found in self._parser.feed(delta.text):
                writer.write(found)

    def finish(self) -> dict[str, str]:
        """Ends the answer; gives the text of each field that the dialect found in the deltas."""
        if self._writer is None:
            return {}

        if self._received:
            for found in self._parser.close():
                self._writer.write(found)

        native = self._reasoning if self._thoughts else None

        return {name: text for name, text in self._writer.texts().items() if name != native}

    def write_whole(self, texts: Mapping[str, str], thoughts: str, *, cached: bool) -> None:
        """Writes an answer of which no field came in deltas: each field at once."""
        if not self._received:
            self._write_reasoning(thoughts, cached)

        if self._writer is not None:
            for name, text in texts.items():
                self._writer.write(FieldDelta(name, text, True), cached)

    def note_cuts(self, fields: Iterable[str]) -> None:
        """Tells the run of fields that were cut in what the program is given."""
        run = current_run()

        if self._writer is not None and run is not None:
            for field in fields:
                run.answers.note_cut(self._writer.predictor, field)

    def _write_reasoning(self, whole: str, cached: bool) -> None:
        if self._thoughts:
            self._end_reasoning()
        elif self._reasoning and whole:
            self._thoughts.append(whole)

            if self._writer is not None:
                self._writer.write(FieldDelta(self._reasoning, whole, True), cached)

    def _end_reasoning(self) -> None:
        if self._writer is not None and self._reasoning and self._thoughts:
            self._writer.write(FieldDelta(self._reasoning, "", True))
