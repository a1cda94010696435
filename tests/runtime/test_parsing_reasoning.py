"""Reasoning in tags: where a draft begins and ends, and what is text however much it looks like one."""

from __future__ import annotations

from typing import Any

import pytest
from headrace.errors import UsageError
from headrace.parsing import ReasoningParser
from headrace.parsing.reasoning import REASONING_TAGS, ReasoningTags, after_draft, marks_of
from hypothesis import given
from hypothesis import strategies as st
from runtime.parsing_cases import Make, assert_reads, cut_up, held_after_each, parse, values

SWALLOWED = (*REASONING_TAGS, ("", "</think>"))
HARMONY = (("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),)


def make(tags: ReasoningTags = REASONING_TAGS) -> Make:
    marks = marks_of(tags)
    assert marks is not None

    return lambda: ReasoningParser(marks)


CASES: dict[str, tuple[str, dict[str, str]]] = {
    "a draft and an answer": ("<think>\nSo.\n\nOr so.\n</think>\n\n 4\n", {"reasoning": "So.\n\nOr so.", "text": "4\n"}),
    "no draft": ("The answer is 4. ", {"text": "The answer is 4. "}),
    "nothing": ("", {}),
    "whitespace": (" \n", {"text": " \n"}),
    "whitespace before an answer stays": ("\n\n  4", {"text": "\n\n  4"}),
    "whitespace before a draft": ("\n\n <think>a</think>4", {"reasoning": "a", "text": "4"}),
    "more whitespace than may stand there": (" " * 65 + "<think>a", {"text": " " * 65 + "<think>a"}),
    "an empty draft": ("<think>\n\n</think>\n\n4", {"reasoning": "", "text": "4"}),
    "two drafts": ("<think>a</think>\n<think>b</think>4", {"reasoning": "a\n\nb", "text": "4"}),
    "a draft in the middle": ("4 <think>a</think> 5", {"text": "4 <think>a</think> 5"}),
    "a draft after the answer": ("<think>a</think>4<think>b</think>", {"reasoning": "a", "text": "4<think>b</think>"}),
    "a tag in a fence": ("```\n<think>a</think>", {"text": "```\n<think>a</think>"}),
    "an opening tag in the draft": ("<think>A <think> is a tag.</think>4", {"reasoning": "A <think> is a tag.", "text": "4"}),
    "other tags": ("<answer>4</answer>", {"text": "<answer>4</answer>"}),
    "a tag that is none": ("<thin>4</thin>", {"text": "<thin>4</thin>"}),
    "the beginning of a tag": ("<thi", {"text": "<thi"}),
    "never closed": ("<think>It is\n<answer>4</answer>", {"reasoning": "It is\n<answer>4</answer>"}),
    "cut off in the closing tag": ("<think>a </thi", {"reasoning": "a </thi"}),
    "cut off in the next tag": ("<think>a</think> <thi", {"reasoning": "a", "text": "<thi"}),
    "closing tags that are none": ("<think></</thin</think></think>4", {"reasoning": "</</thin", "text": "4"}),
    "another tag's closing": ("<think>a</thinking></think>4", {"reasoning": "a</thinking>", "text": "4"}),
    "only a closing tag, at once": ("</think>\n\n4", {"text": "4"}),
    "only a closing tag, later": ("a</think>4", {"text": "a</think>4"}),
    "capitals": ("<THINK>a</Think>4", {"reasoning": "a", "text": "4"}),
    "letters that only look alike": ("<th\u0131nk>a</think>4", {"text": "<th\u0131nk>a</think>4"}),
    "thinking": ("<thinking>a</think></thinking>4", {"reasoning": "a</think>", "text": "4"}),
    "thought": ("<thought>a</thought>4", {"reasoning": "a", "text": "4"}),
    "a name with a colon": ("<seed:think>a</seed:think>4", {"reasoning": "a", "text": "4"}),
    "square brackets": ("[THINK]a[/THINK]4", {"reasoning": "a", "text": "4"}),
    "triangles": ("◁think▷a◁/think▷4", {"reasoning": "a", "text": "4"}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_reads_however_it_is_cut(text: str, expected: dict[str, str]) -> None:
    assert_reads(make(), text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a</think>\n4", {"reasoning": "a", "text": "4"}),
        ("<think>a</think>4", {"reasoning": "a", "text": "4"}),
        ("</think>4", {"text": "4"}),
        ("<th", {"reasoning": "<th"}),
        (" a <think> b", {"reasoning": "a <think> b"}),
    ],
)
def test_a_text_may_begin_inside_the_draft(text: str, expected: dict[str, str]) -> None:
    assert_reads(make(SWALLOWED), text, expected)


def test_marks_may_be_any_pair() -> None:
    text = "<|channel|>analysis<|message|>So.<|end|><|channel|>final<|message|>4"

    assert_reads(make(HARMONY), text, {"reasoning": "So.<|end|>", "text": "4"})


@given(
    draft=values().map(lambda text: text.replace("</think>", "")),
    answer=values().filter(lambda text: not text.lstrip().lower().startswith(("<", "[", "◁"))),
    data=st.data(),
)
def test_what_stands_between_the_tags_is_reasoning_and_the_rest_is_text(
    draft: str, answer: str, data: st.DataObject
) -> None:
    pieces = data.draw(cut_up(f"<think>{draft}</think>{answer}"))
    texts = parse(make(), *pieces)

    assert texts.get("reasoning") == draft.strip()
    assert texts.get("text", "") == answer.lstrip()


MARKUP = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</", "think>", "[THINK]", " ", "\n", "a"])
    | values()
).map("".join)


@pytest.mark.parametrize("tags", [REASONING_TAGS, SWALLOWED], ids=["apart", "swallowed"])
@given(text=MARKUP, data=st.data())
def test_any_text_reads_the_same_however_it_is_cut_and_stays_as_it_is_parted(
    tags: ReasoningTags, text: str, data: st.DataObject
) -> None:
    texts = parse(make(tags), *data.draw(cut_up(text)))

    assert texts == parse(make(tags), text)
    assert parse(make(), texts.get("text", "")).get("reasoning") is None


def test_no_more_is_held_back_than_whitespace_and_a_mark() -> None:
    text = "\n" * 64 + "<think>" + "</thin" * 20 + "</think>\n\n<answer>" + "<think" * 20

    assert max(map(len, held_after_each(make(), text))) <= 64 + len("</seed:think>")
    assert list(held_after_each(make(), "Well: <think"))[-1] == ""


@pytest.mark.parametrize("tags", [None, (), []])
def test_no_tags_are_no_marks(tags: ReasoningTags | None) -> None:
    assert marks_of(tags) is None


@pytest.mark.parametrize("tags", ["think", [""], [("<a>",)], [("<a>", "")], [3], [("a", "b", "c")]])
def test_what_names_no_tags_is_refused(tags: Any) -> None:
    with pytest.raises(UsageError, match=r"^reasoning_tags is a list of names, as in \['think'\]"):
        marks_of(tags)


def test_pairs_may_come_as_lists_as_from_json() -> None:
    tags: Any = [["<a>", "</a>"]]

    assert_reads(make(tags), "<a>b</a>c", {"reasoning": "b", "text": "c"})


def test_a_draft_without_an_opening_mark_is_found_in_a_whole_text() -> None:
    marks = marks_of(REASONING_TAGS)
    assert marks is not None

    assert after_draft("a\n</THINK>\n4 </think>", marks) == ("a", "\n4 </think>")
    assert after_draft("4", marks) is None
