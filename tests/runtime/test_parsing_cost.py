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


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("size", [1, 4, 1_000_000], ids=["by character", "by four", "whole"])
@pytest.mark.parametrize(("make", "opening"), DIALECTS.values(), ids=DIALECTS)
def test_twice_the_text_is_twice_the_work(
    make: Callable[[], FieldParser], opening: str, size: int, text: str
) -> None:
    def cost(length: int) -> tuple[int, int]:
        whole = opening + (text * length)[:length]

        return work(make, [whole[at : at + size] for at in range(0, len(whole), size)])

    (calls, characters), (twice_calls, twice_characters) = cost(2_000), cost(4_000)

    assert twice_calls <= 2.1 * calls + 50

    if size < 1_000_000:  # a whole text is handed on uncopied, with the place to read on from
        assert twice_characters <= 2.1 * characters + 500


@pytest.mark.parametrize(("make", "opening"), list(DIALECTS.values())[:3], ids=list(DIALECTS)[:3])
def test_a_chunk_of_prose_costs_a_handful_of_calls(
    make: Callable[[], FieldParser], opening: str
) -> None:
    pieces = [opening, *(["word"] * 1_000)]
    calls, characters = work(make, pieces)

    assert calls <= 20 * len(pieces)
    assert characters <= 12 * sum(map(len, pieces))
