"""What a model writes into its text between `<think>` and `</think>` is reasoning, for all who read it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from headrace.errors import UsageError
from headrace.hosting.revision import revision_of
from headrace.lm import LM, BaseLM, Choice, Completion, Delta, Receive, Request, inspect_history
from headrace.predict import Predict
from headrace_mock import MockLM

PIECES = ["<th", "ink>\nSo", " it is.", "\n</think", ">\n\n", "Yes", ", <think>."]
QUESTION = [{"role": "user", "content": "Is it?"}]


class Local(BaseLM):
    """An LM of one's own that gives some deltas."""

    def __init__(self, *deltas: Delta, **options: Any) -> None:
        super().__init__("local", **options)
        self.deltas = deltas
        self.options: list[dict[str, Any]] = []

    async def generate(self, request: Request, receive: Receive) -> Completion:
        self.options.append(dict(request.options))
        texts: dict[int, str] = {}
        thoughts: dict[int, str] = {}

        for delta in self.deltas:
            receive(delta)
            texts[delta.choice] = texts.get(delta.choice, "") + delta.text
            thoughts[delta.choice] = thoughts.get(delta.choice, "") + delta.reasoning

        return Completion([Choice(texts[at], thoughts[at]) for at in sorted(texts)])


async def heard(lm: BaseLM, **options: Any) -> tuple[list[Choice], list[Delta]]:
    deltas: list[Delta] = []
    completion = await lm.complete(QUESTION, deltas.append, **options)

    return list(completion.choices), deltas


@pytest.mark.parametrize(
    ("engine", "stream"),
    [("direct", True), ("direct", False), ("litellm", True)],  # litellm parts a whole one itself
)
async def test_both_engines_and_the_cache_give_the_draft_as_reasoning(
    engine: Any, stream: bool
) -> None:
    async with MockLM({"thinker": PIECES}) as mock:
        lm = LM("openai/thinker", engine=engine, api_base=mock.base_url, api_key="k", stream=stream)
        [choice], deltas = await heard(lm)
        [cached], none = await heard(lm)
        [request] = mock.requests

    assert (choice.text, choice.reasoning) == ("Yes, <think>.", "So it is.")
    assert "".join(delta.text for delta in deltas) == "Yes, <think>."
    assert "".join(delta.reasoning for delta in deltas) == "So it is."
    assert (cached.text, cached.reasoning, none) == ("Yes, <think>.", "So it is.", [])
    assert "reasoning_tags" not in request.body


async def test_tags_of_a_call_go_before_those_of_the_lm_and_share_its_cached_answer() -> None:
    async with MockLM({"thinker": PIECES}) as mock:
        lm = LM("openai/thinker", api_base=mock.base_url, api_key="k", reasoning_tags=None)

        assert await lm.acall("Is it?") == ["".join(PIECES)]
        assert await lm.acall("Is it?", reasoning_tags=["think"]) == [
            {"text": "Yes, <think>.", "reasoning_content": "So it is."}
        ]
        assert await lm.copy(temperature=None).acall("Is it?") == ["".join(PIECES)]
        assert len(mock.requests) == 1


async def test_the_history_shows_the_answer_without_its_draft() -> None:
    out = io.StringIO()
    await Local(*map(Delta, PIECES)).acall("Is it?")
    inspect_history(1, out)

    assert out.getvalue().endswith("\nanswer:\n\nYes, <think>.\n")


async def test_an_lm_of_ones_own_is_read_alike_and_never_sees_the_option() -> None:
    lm = Local(*map(Delta, PIECES))
    [choice], deltas = await heard(lm, reasoning_tags=("think",), temperature=0.5)

    assert choice == Choice("Yes, <think>.", "So it is.")
    assert deltas == [
        Delta("", "So"),
        Delta("", " it is."),
        Delta("Yes", ""),
        Delta(", <think>."),
    ]
    assert lm.options == [{"temperature": 0.5}]


async def test_without_tags_every_delta_passes_as_it_is() -> None:
    lm = Local(*map(Delta, PIECES), reasoning_tags=None)

    assert await heard(lm) == ([Choice("".join(PIECES))], list(lm.deltas))


async def test_each_completion_has_its_own_draft() -> None:
    lm = Local(
        Delta("<think>a", choice=0),
        Delta("No ", choice=1),
        Delta("</think>Yes", choice=0),
        Delta("<think>", choice=1),
    )
    choices, deltas = await heard(lm)

    assert choices == [Choice("Yes", "a"), Choice("No <think>")]
    assert deltas == [
        Delta("", "a", 0),
        Delta("No ", "", 1),
        Delta("Yes", "", 0),
        Delta("<think>", "", 1),
    ]


async def test_a_draft_after_native_reasoning_is_more_of_it() -> None:
    lm = Local(Delta("", "So. "), Delta("<think>Or ", "Hm. "), Delta("so.</think>Yes"))
    [choice], deltas = await heard(lm)

    assert choice == Choice("Yes", "So. Hm. Or so.")
    assert "".join(delta.reasoning for delta in deltas) == choice.reasoning


async def test_what_is_held_back_at_the_end_is_given() -> None:
    assert await heard(Local(Delta("<thi"))) == ([Choice("<thi")], [Delta("<thi")])


def test_tags_that_are_none_are_refused_where_they_are_written() -> None:
    tags: Any = "think"

    with pytest.raises(UsageError, match="reasoning_tags is a list of names"):
        LM("openai/any", reasoning_tags=tags)


def test_tags_belong_to_a_programs_revision() -> None:
    def revision(**options: Any) -> str:
        program = Predict("question -> answer")
        program.lm = LM("openai/any", **options)

        return revision_of(program)

    assert revision() != revision(reasoning_tags=None)
    assert revision() == revision(temperature=None)
