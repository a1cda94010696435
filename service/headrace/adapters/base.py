"""Adapter: puts a signature to a language model and reads the answer, in one dialect.

Law: an adapter owns both directions of its dialect. What writes (`format_*`) and what reads
(`parser`) stand in one class, so that a subclass with other markers streams like any other. Nobody
else knows a dialect's syntax.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from headrace.adapters.answer import AnswerReader
from headrace.adapters.conversion import convert
from headrace.adapters.prompt import PromptWriter
from headrace.adapters.reasoning import Question
from headrace.callbacks import checked_callbacks
from headrace.calls import BaseCallback, FieldWriter, current_run, open_call
from headrace.errors import AdapterParseError, ContentRefusedError
from headrace.events import Kind
from headrace.lm.base import BaseLM, Choice, Completion
from headrace.parsing import FieldParser, read_whole
from headrace.parsing.reasoning import Marks, after_draft, marks_of
from headrace.signatures import Signature

T = TypeVar("T")

DRAFT_TAKEN = (
    "a draft was read as the answer: its closing tag came, and its opening one never did; "
    "set reasoning_tags=[('', '</think>')] on the LM if its answers begin inside a draft"
)


class Adapter(PromptWriter):
    """Base of the dialects. A dialect writes what PromptWriter leaves open, and gives a parser.

    `callbacks` are told of formatting and parsing, besides those in the settings.
    """

    def __init__(self, callbacks: Sequence[BaseCallback] | None = None) -> None:
        self.callbacks = checked_callbacks(callbacks)

    @abc.abstractmethod
    def parser(self, signature: type[Signature]) -> FieldParser:
        """A new parser for one completion."""

    def lm_options(self, lm: BaseLM, signature: type[Signature]) -> dict[str, Any]:
        """Options for the LM that make it keep to the dialect; those of the caller go over them."""
        return {}

    def fallback(self) -> Adapter | None:
        """The adapter that asks again after an answer that did not parse and of which nothing was written."""
        return None

    def repaired(self, signature: type[Signature], completion: str) -> dict[str, str]:
        """The texts of fields in a completion in which the parser found none."""
        return {}

    def values(self, signature: type[Signature], texts: Mapping[str, str]) -> dict[str, Any]:
        """The output values for the texts of fields.

        Raises AdapterParseError that names every field that is missing or does not fit its type.
        """
        values, faults, cause = convert(signature.output_fields.values(), texts)

        if faults:
            raise self._failure("; ".join(faults), values) from cause

        return values

    def parse(self, signature: type[Signature], completion: str) -> dict[str, Any]:
        """The output values in a whole completion. Raises AdapterParseError."""
        return self._checked(signature, Choice(completion), self._texts(signature, completion))

    async def acall(
        self,
        lm: BaseLM,
        options: Mapping[str, Any],
        signature: type[Signature],
        demos: Sequence[Any],
        inputs: Mapping[str, Any],
        writer: FieldWriter | None,
    ) -> list[dict[str, Any]]:
        """Asks the model; gives the output values of each completion.

        `writer` is given the fields of the first completion as they come; joined, the deltas of a field
        are the text of its value. None = nobody reads along. Raises LMError for what goes wrong with the
        LM, AdapterParseError for an answer that does not fit the signature.
        """
        question = Question.to(lm, signature)
        shown = question.shown
        subject = {"signature": shown, "demos": demos, "inputs": inputs}
        messages = self._step("format", subject, lambda: self.format(shown, demos, inputs))
        reader = AnswerReader(self.parser(shown), writer, question.reasoning)
        asked = {**self.lm_options(lm, shown), **options}
        marks = marks_of(asked.get("reasoning_tags", lm.reasoning_tags))
        completion = await lm.complete(messages, reader.receive, **asked)
        subject = {"signature": shown, "completion": completion}

        try:
            return self._step(
                "parse", subject, lambda: self._read(question, completion, reader, marks)
            )
        except AdapterParseError:
            other = None if reader.wrote else self.fallback()

            if other is None:
                raise

        if (run := current_run()) is not None:
            run.answers.note_reask()

        return await other.acall(lm, options, signature, demos, inputs, writer)

    def _read(
        self, question: Question, completion: Completion, reader: AnswerReader, marks: Marks | None
    ) -> list[dict[str, Any]]:
        """The output values of each answer."""
        if not completion.choices:
            raise self._failure("the model gave no answer")

        shown, model = question.shown, completion.model
        cached = completion.lm is not None and completion.lm.cached
        choices = [self._without_draft(question, one, marks) for one in completion.choices]
        first, *others = choices
        texts: Mapping[str, str] = {}

        if first is completion.choices[0]:
            texts = reader.finish()
        elif reader.wrote:
            raise self._failure(DRAFT_TAKEN, lm_response=completion.text)

        if not texts:
            texts = self._texts(shown, first.text)
            reader.write_whole(texts, first.reasoning, cached=cached)

        answers = [self._answer(question, first, texts, reader.thoughts, model)]

        for other in others:
            texts = self._texts(shown, other.text)
            answers.append(self._answer(question, other, texts, other.reasoning, model))

        reader.note_cuts(field for one in choices for field in self._cut_fields(shown, one))

        return answers

    def _answer(
        self,
        question: Question,
        choice: Choice,
        found: Mapping[str, str],
        thoughts: str,
        model: str,
    ) -> dict[str, Any]:
        texts = question.texts(found, thoughts)

        return question.answer(self._checked(question.shown, choice, texts, model), thoughts)

    def _without_draft(self, question: Question, choice: Choice, marks: Marks | None) -> Choice:
        """The answer without a draft that ends in a closing mark and has no opening one.

        It was a draft if all fields stand after the mark, and not as they are without it.
        """
        parts = after_draft(choice.text, marks) if marks else None

        if parts is None:
            return choice

        draft, rest = parts
        texts = self._texts(question.shown, rest)
        is_answer = texts and question.required <= texts.keys()

        if not is_answer or texts == self._texts(question.shown, choice.text):
            return choice

        return replace(choice, text=rest, reasoning=choice.reasoning + draft)

    def _texts(self, signature: type[Signature], completion: str) -> dict[str, str]:
        return read_whole(self.parser(signature), completion) or self.repaired(
            signature, completion
        )

    def _cut_fields(self, signature: type[Signature], choice: Choice) -> Iterable[str]:
        """The field that was being written when an answer reached its token limit; others are whole.

        Of an answer that was repaired it is the last one that has any text.
        """
        if not choice.is_cut:
            return []

        parser = self.parser(signature)
        begun = parser.feed(choice.text)
        ended = parser.close()

        if begun or ended:
            return [delta.field for delta in ended if delta.is_last]

        return [*self.repaired(signature, choice.text)][-1:]

    def _checked(
        self, signature: type[Signature], choice: Choice, texts: Mapping[str, str], model: str = ""
    ) -> dict[str, Any]:
        """The values of one answer; what is wrong with it is put in the words of its end."""
        try:
            if not choice.text.strip():
                after = "no answer after its reasoning" if choice.reasoning else "an empty answer"
                raise self._failure(f"the model gave {after}")

            return self.values(signature, texts)
        except AdapterParseError as error:
            if choice.finish_reason == "content_filter":
                raise ContentRefusedError(
                    "a content filter stopped the answer", model=model
                ) from error

            cut_off = "; the answer was cut off at max_tokens, which may be raised"
            ending = cut_off if choice.is_cut else ""
            message = error.message + ending

            raise self._failure(message, error.parsed_result, choice.text) from error

    def _failure(
        self, message: str, values: Mapping[str, Any] | None = None, lm_response: str = ""
    ) -> AdapterParseError:
        name = type(self).__name__

        return AdapterParseError(name, message, lm_response=lm_response, parsed_result=values)

    def _step(self, step: str, inputs: dict[str, Any], work: Callable[[], T]) -> T:
        """Does a step of the work, as a call of its own."""
        with open_call(Kind.ADAPTER, step, self, inputs) as call:
            outputs = call.outputs = work()

            return outputs
