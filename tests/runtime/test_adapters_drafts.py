"""Models that rehearse the asked format in a draft: fields are those after it, streamed and predicted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from headrace.adapters import Adapter, ChatAdapter, JSONAdapter, XMLAdapter
from headrace.errors import AdapterParseError
from headrace.events import LmCall
from headrace.lm.base import Choice, Completion, Delta
from headrace.signatures import Reasoning, ensure_signature
from hypothesis import given
from hypothesis import strategies as st
from runtime.parsing_cases import cut_up
from runtime.test_adapters_call import Asked, ScriptedLM, plain

QA = "question -> answer"
THINKING = ensure_signature("question -> thoughts, answer").with_updated_fields(
    "thoughts", Reasoning
)


def chat(answer: str) -> str:
    return f"[[ ## answer ## ]]\n{answer}\n\n[[ ## completed ## ]]\n"


def json(answer: str) -> str:
    return f'{{"answer": "{answer}"}}'


def xml(answer: str) -> str:
    return f"<answer>{answer}</answer>"


Write = Callable[[str], str]
DIALECTS = pytest.mark.parametrize(
    ("adapter", "write"),
    [(ChatAdapter(), chat), (JSONAdapter(), json), (XMLAdapter(), xml)],
    ids=["chat", "json", "xml"],
)


@DIALECTS
@given(data=st.data())
async def test_the_fields_are_those_after_the_draft_however_the_answer_is_cut(
    adapter: Adapter, write: Write, data: st.DataObject
) -> None:
    answer = f"<think>\nPerhaps:\n{write('5?')}\nNo.</think>\n\n{write('4')}"
    asked = Asked(adapter, ScriptedLM(data.draw(cut_up(answer))), THINKING)

    assert await asked.answers() == [{"thoughts": f"Perhaps:\n{write('5?')}\nNo.", "answer": "4"}]
    assert "".join(chunk for field, chunk, _, _ in asked.written if field == "answer") == "4"


@DIALECTS
async def test_a_cached_answer_reads_alike(adapter: Adapter, write: Write) -> None:
    answer = f"<think>{write('5?')}</think>{write('4')}"
    cached = Completion([Choice(answer)], lm=LmCall("scripted", cached=True))
    asked = Asked(adapter, ScriptedLM(cached), QA)

    assert await asked.answers() == [{"answer": "4"}]
    assert asked.written == [("answer", "4", True, True)]


@DIALECTS
async def test_each_of_several_completions_is_read_without_its_draft(
    adapter: Adapter, write: Write
) -> None:
    pieces = [
        Delta(f"<think>{write('5?')}</think>{write('4')}", choice=0),
        Delta(f"{write('5?')}</think>{write('3')}", choice=1),
    ]

    assert await Asked(adapter, ScriptedLM(pieces), QA).answers(n=2) == [
        {"answer": "4"},
        {"answer": "3"},
    ]


@DIALECTS
async def test_a_draft_without_end_is_no_answer(adapter: Adapter, write: Write) -> None:
    cut_off = Completion([Choice(f"<think>{write('5?')}", finish_reason="length")])
    asked = Asked(adapter, ScriptedLM(cut_off, cut_off), QA)

    with pytest.raises(AdapterParseError) as caught:
        await asked.answers()

    assert asked.written == []
    assert caught.value.message == (
        "the model gave no answer after its reasoning; "
        "the answer was cut off at max_tokens, which may be raised"
    )


@DIALECTS
async def test_tags_in_a_value_are_its_text(adapter: Adapter, write: Write) -> None:
    value = "Write <think>, then </think>."
    asked = Asked(adapter, ScriptedLM([write(value)]), QA)

    assert await asked.answers() == [{"answer": value}]
    assert plain(asked.written)[0] == ("answer", value)


async def test_an_xml_field_of_a_tags_name_is_the_field() -> None:
    lm = ScriptedLM(["<think>So.</think><answer>4</answer>"])
    asked = Asked(XMLAdapter(), lm, "question -> think, answer")

    assert await asked.answers() == [{"think": "So.", "answer": "4"}]


async def test_the_other_tags_still_count_beside_such_a_field() -> None:
    lm = ScriptedLM(["<thinking><think>no</think></thinking><think>So.</think>"])

    assert await Asked(XMLAdapter(), lm, "question -> think").answers() == [{"think": "So."}]


# A chat template that wrote the opening tag already


@DIALECTS
async def test_a_draft_without_an_opening_tag_is_no_answer_where_nobody_reads_along(
    adapter: Adapter, write: Write
) -> None:
    lm = ScriptedLM([f"Perhaps {write('5?')}", f"</think>{write('4')}"])
    inputs = {"question": "2+2?"}
    answers = await adapter.acall(lm, {}, ensure_signature(QA), [], inputs, None)

    assert answers == [{"answer": "4"}]


@DIALECTS
async def test_one_that_did_not_stream_is_no_answer_either(adapter: Adapter, write: Write) -> None:
    whole = Completion([Choice(f"Perhaps {write('5?')}</think>{write('4')}")])
    asked = Asked(adapter, ScriptedLM(whole), THINKING)

    assert await asked.answers() == [{"thoughts": f"Perhaps {write('5?')}".strip(), "answer": "4"}]
    assert plain(asked.written)[-2:] == [("answer", "4"), ("answer", None)]


@DIALECTS
async def test_one_that_was_streamed_as_the_answer_is_an_error_that_says_what_to_set(
    adapter: Adapter, write: Write
) -> None:
    lm = ScriptedLM([write("5?"), f"</think>{write('4')}"])

    with pytest.raises(AdapterParseError, match=r"set reasoning_tags=\[\('', '</think>'\)\]"):
        await Asked(adapter, lm, QA).answers()

    assert len(lm.requests) == 1


@DIALECTS
async def test_an_lm_that_says_so_streams_right(adapter: Adapter, write: Write) -> None:
    lm = ScriptedLM([f"Perhaps {write('5?')}</th", f"ink>{write('4')}"])
    lm.reasoning_tags = [("", "</think>")]
    asked = Asked(adapter, lm, QA)

    assert await asked.answers() == [{"answer": "4"}]
    assert plain(asked.written) == [("answer", "4"), ("answer", None)]


@DIALECTS
async def test_a_draft_without_fields_needs_nothing_set(adapter: Adapter, write: Write) -> None:
    asked = Asked(adapter, ScriptedLM(["I think, so.\n</think>\n", write("4")]), QA)

    assert await asked.answers() == [{"answer": "4"}]
    assert plain(asked.written) == [("answer", "4"), ("answer", None)]


@DIALECTS
async def test_a_closing_tag_that_no_answer_follows_is_text(adapter: Adapter, write: Write) -> None:
    asked = Asked(adapter, ScriptedLM([write("It ends at </think>"), "\n(see above)"]), QA)

    assert (await asked.answers())[0]["answer"].startswith("It ends at </think>")
