"""The XML dialect: which tags count, what is decoded, and what waits."""

from __future__ import annotations

import re
from html import unescape
from xml.sax.saxutils import escape

import pytest
from headrace.parsing import XMLParser
from hypothesis import given
from hypothesis import strategies as st
from runtime.parsing_cases import (
    Case,
    assert_reads,
    cut_up,
    given_after_each,
    held_after_each,
    parse,
    values,
)


def make() -> XMLParser:
    return XMLParser(["reasoning", "answer", "a"])


CASES: dict[str, Case] = {
    "a field": ("<answer>Paris</answer>", {"answer": "Paris"}),
    "several fields": (
        "<reasoning>\nIt is.\n</reasoning>\n<answer>\nParis\n</answer>\n",
        {"reasoning": "It is.", "answer": "Paris"},
    ),
    "attributes": ('<answer lang="fr" sure>Paris</answer>', {"answer": "Paris"}),
    "a tag over two lines": ("<answer\n  lang='fr'\n>Paris</answer\n>", {"answer": "Paris"}),
    "an empty field": ("<answer></answer><a/>", {"answer": "", "a": ""}),
    "an empty tag with attributes": ("<answer x='1' /><a>b</a>", {"answer": "", "a": "b"}),
    "no closing tag": ("<answer>Paris\n", {"answer": "Paris"}),
    "a closing tag cut off by the end is text": ("<answer>Paris</ans", {"answer": "Paris</ans"}),
    "names that begin alike": ("<answers>x</answers><ab>y</ab><a>z</a>", {"a": "z"}),
    "a tag that meets another is none": ("<answer <a >x</a><answer", {"a": "x"}),
    "markup inside is text": (
        "<answer>a < b && c > d; <b>bold</b> <br/> <!-- x --> </a> <p class='x'> <</answer>",
        {"answer": "a < b && c > d; <b>bold</b> <br/> <!-- x --> </a> <p class='x'> <"},
    ),
    "tags of other fields inside are text": (
        "<reasoning>so <answer>Lyon</answer>?</reasoning><answer>Paris</answer>",
        {"reasoning": "so <answer>Lyon</answer>?", "answer": "Paris"},
    ),
    "nested tags of the same name are counted": (
        "<a>x <a href='y'>z<a>w</a></a> <a/> <a b='c' /> <a b=c/>v</a><answer>u</answer>",
        {"a": "x <a href='y'>z<a>w</a></a> <a/> <a b='c' /> <a b=c/>v", "answer": "u"},
    ),
    "a nested tag that meets another is none": ("<a>x <a <a>y</a></a>", {"a": "x <a <a>y</a>"}),
    "references": (
        "<answer>&lt;b&gt; &amp;amp; &quot;&apos; &#65;&#x42;&#x1F600; &#0000000A;</answer>",
        {"answer": "<b> &amp; \"' AB\N{GRINNING FACE} &#0000000A;"},
    ),
    "references that name no character": (
        "<answer>&#0;&#xD83D;&#99999999;</answer>",
        {"answer": "\ufffd\ufffd\ufffd"},
    ),
    "a bare ampersand is text": (
        "<answer>AT&T & co &nbsp; &l &# &#x; &#xg; &;&amp</answer>",
        {"answer": "AT&T & co &nbsp; &l &# &#x; &#xg; &;&amp"},
    ),
    "CDATA": (
        "<answer>1 <![CDATA[<b>&amp;</answer> ]] ]>]]]> 2</answer>",
        {"answer": "1 <b>&amp;</answer> ]] ]>] 2"},
    ),
    "an open CDATA section": ("<answer><![CDATA[x</answer>]]", {"answer": "x</answer>]]"}),
    "what is nearly CDATA": ("<answer><![CDATA x ]]> <!</answer>", {"answer": "<![CDATA x ]]> <!"}),
    "whitespace around goes, inside it stays": (
        "<answer>\r\n\t a\r\n\r\n b \n</answer>",
        {"answer": "a\r\n\r\n b"},
    ),
    "the first field of a name wins": (
        "<answer>x</answer><answer>y<a>z</a></answer><a>w</a>",
        {"answer": "x", "a": "w"},
    ),
    "prose, a fence and a root around": (
        "Sure < here & now:\n```xml\n<response>\n<answer>x</answer>\n</response>\n``` </answer>",
        {"answer": "x"},
    ),
    "spaces in a closing tag": ("<answer>x</answer   ><a>y</a>", {"answer": "x", "a": "y"}),
    "no tags": ("I cannot do that.", {}),
    "nothing": ("", {}),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_reads_however_it_is_cut(text: str, expected: dict[str, str]) -> None:
    assert_reads(make, text, expected)


@given(first=values(), second=values(), data=st.data())
def test_what_is_written_escaped_is_what_is_read(
    first: str, second: str, data: st.DataObject
) -> None:
    text = f"<a>\n{escape(first)}\n</a>\n<answer>{escape(second)}</answer>"
    pieces = data.draw(cut_up(text))

    assert parse(make, *pieces) == {"a": first.strip(), "answer": second.strip()}


@given(text=values(), data=st.data())
def test_any_text_reads_the_same_however_it_is_cut(text: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(["<answer>", "<answer><answer x", "<a><![CDATA[", "<"])) + text

    assert parse(make, *data.draw(cut_up(text))) == parse(make, text)


OPENING = "<answer>"
WAITS = re.compile(
    r"(<(/(a(n(s(w(e(r\s{0,16})?)?)?)?)?)?)?|<(a(n(s(w(er?)?)?)?)?)?|<!(\[(C(D(A(TA?)?)?)?)?)?"
    r"|&(l|lt|g|gt|a|am|amp|ap|apo|apos|q|qu|quo|quot)?|&#([0-9]{1,8})?|&#x[0-9a-fA-F]{0,8})\Z"
)


@given(text=values().filter(lambda text: not re.search(r"<!\[CDATA\[|&#(?!65;)[0-9x]", text)))
def test_what_waits_is_trailing_whitespace_and_what_may_become_markup(text: str) -> None:
    for received, seen in given_after_each(make, OPENING + text, "answer"):
        content = received[len(OPENING) :]

        if re.search(r"</answer\s{0,16}>", content):
            break

        waiting = WAITS.search(content)
        known = content[: waiting.start()] if waiting else content

        assert len(content) - len(known) <= len("answer") + 18
        assert seen == decoded(known).strip()


@given(text=values())
def test_besides_whitespace_no_more_waits_than_a_tag_with_its_spaces(text: str) -> None:
    for held in held_after_each(make, OPENING + text):
        assert len(held.strip()) <= len("answer") + 18


def decoded(text: str) -> str:
    """What the tricky pieces can combine to: the five names, and numbers in ASCII."""
    return re.sub(r"&(lt|gt|amp|quot|apos|#65);", lambda reference: unescape(reference[0]), text)


def test_other_markup_never_waits() -> None:
    text = OPENING + "a < b </b"

    assert list(given_after_each(make, text, "answer"))[-1][1] == "a < b </b"
