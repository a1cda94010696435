"""What reading costs, in counted work: linear in the text, for any way to cut it and any dialect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from headrace.parsing import ChatParser, FieldParser, JSONParser, ReasoningParser, XMLParser
from headrace.parsing.reasoning import REASONING_TAGS, marks_of
from runtime.parsing_cases import work

NAME = "list_of_recommended_next_actions_for_user"


def reasoning() -> ReasoningParser:
    marks = marks_of(REASONING_TAGS)
    assert marks is not None

    return ReasoningParser(marks)


DIALECTS: dict[str, tuple[Callable[[], FieldParser], str]] = {
    "chat": (lambda: ChatParser([NAME]), f"[[ ## {NAME} ## ]]\n"),
    "xml": (lambda: XMLParser([NAME]), f"<{NAME}>"),
    "json": (lambda: JSONParser({NAME: True}), f'{{"{NAME}": "'),
    "json, another type": (lambda: JSONParser({NAME: False}), f'{{"{NAME}": ['),
    "json, envelopes": (lambda: JSONParser({NAME: True}), '{"json": {"json": {"'),
    "json, a bare value": (lambda: JSONParser({NAME: True}), f'{{"{NAME}": '),
    "json, a key": (lambda: JSONParser({NAME: True}), '{"'),
    "reasoning": (reasoning, "<think>"),
    "reasoning, before it": (reasoning, ""),
    "chat, before the fields": (lambda: ChatParser([NAME]), ""),
    "xml, before the fields": (lambda: XMLParser([NAME]), ""),
    "json, before the object": (lambda: JSONParser({NAME: True}), ""),
}

TEXTS = {
    "prose": "The capital of France is Paris. ",
    "whitespace": " \n",
    "line ends": "\n",
    "brackets": "\n[",
    "headers never ended": "\n[[ ## list_of_",
    "one long name": "a",
    "tags": f"<{NAME} a='",
    "closing tags": f"</{NAME} ",
    "references": "&am&#12",
    "closing marks": "</think",
    "CDATA": "]]<![CDATA[",
    "quotes": '"',
    "quotes and commas": '" , ',
    "backslashes": "\\",
    "escapes": "\\ud83d\\ud",
    "braces": "{ [ ",
    "nothing": "null",
}


SIZES = {"by character": 1, "by four": 4, "whole": 1_000_000}


@pytest.mark.parametrize(("make", "opening"), DIALECTS.values(), ids=DIALECTS)
def test_twice_the_text_is_twice_the_work(make: Callable[[], FieldParser], opening: str) -> None:
    cases = [(text, size) for text in TEXTS for size in SIZES]

    assert [case for case in cases if costs_more(make, opening, *case)] == []


def costs_more(make: Callable[[], FieldParser], opening: str, text: str, size: str) -> bool:
    """Whether twice the text takes more than twice the calls, or copies more than twice as much."""

    def cost(length: int) -> tuple[int, int]:
        whole = opening + (TEXTS[text] * length)[:length]
        step = SIZES[size]

        return work(make, [whole[at : at + step] for at in range(0, len(whole), step)])

    (calls, characters), (twice_calls, twice_characters) = cost(2_000), cost(4_000)
    copies = size != "whole"  # which is handed on uncopied, with the place to read on from

    if copies and twice_characters > 2.1 * characters + 500:
        return True

    return twice_calls > 2.1 * calls + 50


@pytest.mark.parametrize(("make", "opening"), list(DIALECTS.values())[:3], ids=list(DIALECTS)[:3])
def test_a_chunk_of_prose_costs_a_handful_of_calls(
    make: Callable[[], FieldParser], opening: str
) -> None:
    pieces = [opening, *(["word"] * 1_000)]
    calls, characters = work(make, pieces)

    assert calls <= 20 * len(pieces)
    assert characters <= 12 * sum(map(len, pieces))
