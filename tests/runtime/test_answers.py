"""What a run tells of the answers it was made of: fields that were cut, and answers asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest
from headrace import ChainOfThought, Module, Predict
from headrace.adapters import Adapter, ChatAdapter, JSONAdapter, XMLAdapter
from headrace.calls.answers import MOST_CUT_FIELDS, Answers
from headrace.errors import AdapterParseError
from headrace.execution import Execution, Work
from headrace.lm.base import BaseLM, Choice, Completion, Delta, Receive, Request
from headrace.settings import context
from scripted_lm import chat

Answer: TypeAlias = str | Choice | Sequence[Choice]
"""Of one call; a text alone is whole."""

SIGNATURE = "question -> reasoning, answer"


class Limited(BaseLM):
    """Gives its answers one after the other, in small pieces, with their finish reasons."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__("limited")
        self.answers = list(answers)

    async def generate(self, request: Request, receive: Receive) -> Completion:
        answer = self.answers.pop(0)
        answer = Choice(answer) if isinstance(answer, str) else answer
        choices = [answer] if isinstance(answer, Choice) else list(answer)

        for number, choice in enumerate(choices):
            for at in range(0, len(choice.text), 3):
                receive(Delta(choice.text[at : at + 3], choice=number))

        return Completion(choices, model="limited")


def cut(text: str, reason: str = "length") -> Choice:
    return Choice(text, finish_reason=reason)


async def told(
    module: Module, *answers: Answer, adapter: Adapter | None = None, reask_count: int = 0
) -> tuple[Sequence[str], int]:
    """The cut fields, and how often an answer was asked for again, of a run that succeeds."""
    execution = await run_of(module, *answers, adapter=adapter, reask_count=reask_count)
    assert execution.result is not None
    assert execution.result.reask_count == execution.reask_count

    return execution.result.cut_fields, execution.reask_count


async def run_of(
    module: Module, *answers: Answer, adapter: Adapter | None, reask_count: int = 0
) -> Execution:
    addresses = {id(one): path for path, one in module.named_modules()}

    with context(lm=Limited(*answers), adapter=adapter or ChatAdapter()):
        work = Work(lambda: module.acall(question="why?"), addresses=addresses)
        execution = Execution(work, reask_count=reask_count)
        execution.start()
        await execution.ended()

    return execution


CUT_ANSWERS: dict[str, tuple[Adapter, str, list[str]]] = {
    "chat, in the last field": (
        ChatAdapter(),
        "[[ ## reasoning ## ]]\nIt is.\n\n[[ ## answer ## ]]\nPar",
        ["self.answer"],
    ),
    "chat, before the first character": (
        ChatAdapter(),
        "[[ ## reasoning ## ]]\nIt is.\n\n[[ ## answer ## ]]\n",
        ["self.answer"],
    ),
    "chat, in what may be a header": (
        ChatAdapter(),
        "[[ ## reasoning ## ]]\nIt is.\n\n[[ ## answer ## ]]\nParis\n\n[[ ## comp",
        ["self.answer"],
    ),
    "chat, after the end": (ChatAdapter(), chat(reasoning="It is.", answer="Paris"), []),
    "json, in the last field": (
        JSONAdapter(),
        '{"reasoning": "It is.", "answer": "Par',
        ["self.answer"],
    ),
    "json, after a quote that may be one of the text's": (
        JSONAdapter(),
        '{"reasoning": "It is.", "answer": "Paris"',
        ["self.answer"],
    ),
    "json, after the end": (JSONAdapter(), '{"reasoning": "It is.", "answer": "Paris"}', []),
    "json, in a text around it": (
        JSONAdapter(),
        'Here: {"outputs": {"reasoning": "It is.", "answer": "Par',
        ["self.answer"],
    ),
    "xml, in the last field": (
        XMLAdapter(),
        "<reasoning>It is.</reasoning><answer>Par",
        ["self.answer"],
    ),
    "xml, after the last field": (
        XMLAdapter(),
        "<reasoning>It is.</reasoning><answer>Paris</answer>",
        [],
    ),
}


@pytest.mark.parametrize("name", CUT_ANSWERS)
@pytest.mark.parametrize("reason", ["length", "max_tokens"])
async def test_the_field_being_written_at_the_token_limit_is_cut(name: str, reason: str) -> None:
    adapter, text, fields = CUT_ANSWERS[name]

    assert await told(Predict(SIGNATURE), cut(text, reason), adapter=adapter) == (tuple(fields), 0)


@pytest.mark.parametrize("reason", ["stop", "tool_calls", ""])
async def test_an_answer_that_ended_of_its_own_accord_is_whole(reason: str) -> None:
    open_end = "[[ ## reasoning ## ]]\nIt is.\n\n[[ ## answer ## ]]\nParis"

    assert await told(Predict(SIGNATURE), cut(open_end, reason)) == ((), 0)


async def test_a_value_that_still_parses_is_told_to_be_cut() -> None:
    counted = cut('{"numbers": [1, 2, 3')

    assert await told(
        Predict("question -> numbers: list[int]"), counted, adapter=JSONAdapter()
    ) == (
        ("self.numbers",),
        0,
    )


async def test_each_of_several_completions_counts() -> None:
    several = [
        Choice(chat(reasoning="It is.", answer="Paris")),
        cut("[[ ## reasoning ## ]]\nIt is.\n\n[[ ## answer ## ]]\nLy"),
    ]

    assert await told(Predict(SIGNATURE, n=2), several) == (("self.answer",), 0)


async def test_an_answer_that_could_not_be_read_is_asked_for_again_and_counted() -> None:
    whole = '{"reasoning": "It is.", "answer": "Paris"}'
    half = '{"reasoning": "It is.", "answer": "Par'

    assert await told(Predict(SIGNATURE), "No idea.", whole) == ((), 1)
    assert await told(Predict(SIGNATURE), cut("No"), whole) == ((), 1)
    assert await told(Predict(SIGNATURE), cut("No"), cut(half)) == (("self.answer",), 1)


async def test_a_run_that_fails_tells_how_often_it_asked_again() -> None:
    execution = await run_of(Predict(SIGNATURE), "No idea.", "None at all.", adapter=None)

    assert isinstance(execution.error, AdapterParseError)
    assert execution.reask_count == 1


async def test_another_attempt_at_a_run_goes_on_counting() -> None:
    whole = '{"reasoning": "It is.", "answer": "Paris"}'

    assert await told(Predict(SIGNATURE), "No idea.", whole, reask_count=2) == ((), 3)


class Twice(Module):
    """Two predictors, one of them asked twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ChainOfThought("question -> answer")
        self.second = Predict("question -> answer")

    async def aforward(self, question: str) -> Any:
        await self.first.acall(question=question)
        await self.first.acall(question=question)

        return await self.second.acall(question=question)


async def test_a_field_is_named_once_however_often_it_was_cut() -> None:
    thinking = cut("[[ ## reasoning ## ]]\nIt is.\n\n[[ ## answer ## ]]\nPar")
    assert await told(Twice(), thinking, thinking, cut("[[ ## answer ## ]]\nPar")) == (
        ("first.predict.answer", "second.answer"),
        0,
    )


async def test_outside_of_a_run_nothing_is_counted() -> None:
    with context(lm=Limited("No idea.", cut('{"answer": "Par')), adapter=ChatAdapter()):
        prediction = await Predict("question -> answer").acall(question="why?")

    assert prediction.answer == "Par"


def test_only_so_many_fields_are_named() -> None:
    answers = Answers()

    for number in range(2 * MOST_CUT_FIELDS):
        answers.note_cut(f"made[{number}]", "answer")

    assert len(answers.cut_fields) == MOST_CUT_FIELDS
