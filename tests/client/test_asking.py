"""A question as people are asked it in a terminal, and what their line says."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from headrace_client.cli.asking import (
    Answer,
    Declines,
    NoAnswer,
    Reply,
    hint,
    question_lines,
    reply_of,
)
from headrace_proto.v1 import headrace_pb2 as pb

CHOICE = {"enum": ["left", "right"], "type": "string"}
NUMBERS = {"enum": [1, 2, "two"]}
MODEL = {"type": "object", "properties": {"name": {"type": "string"}}}
POINTED = {"$ref": "#/$defs/Way", "$defs": {"Way": CHOICE}}
NUMERALS = {"enum": [10, 20, 1], "type": "integer"}
MAYBE_POINTED = {"anyOf": [{"$ref": "#/$defs/Way"}, {"type": "null"}], "$defs": {"Way": CHOICE}}
MAYBE_BOOLEAN = {"anyOf": [{"type": "boolean"}, {"type": "null"}]}
MAYBE_WHOLE = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
BOX = {
    "type": "object",
    "$defs": {"Way": CHOICE, "Box": {"type": "object"}},
    "required": ["label", "way"],
    "properties": {
        "label": {"type": "string"},
        "way": {"$ref": "#/$defs/Way"},
        "size": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "inner": {"type": "array", "items": {"$ref": "#/$defs/Box"}},
        "any\x1b": {},
    },
}


def question(schema: Any, message: str = "Which way?") -> pb.InputRequest:
    return pb.InputRequest(
        input_id="q1",
        kind=pb.InputRequest.KIND_QUESTION,
        message=message,
        answer_schema_json=json.dumps(schema),
    )


def approval(**arguments: Any) -> pb.InputRequest:
    return pb.InputRequest(
        input_id="q1",
        kind=pb.InputRequest.KIND_APPROVAL,
        message="May send_mail be called?",
        answer_schema_json=json.dumps(MODEL),
        proposal_json=json.dumps(arguments),
        tool="send_mail",
    )


@pytest.mark.parametrize(
    ("request_", "line", "reply"),
    [
        (question(CHOICE), "left", Answer("left")),
        (question(CHOICE), " 2 ", Answer("right")),
        (question(POINTED), "1", Answer("left")),
        (question(NUMBERS), "2", Answer(2)),
        (question(NUMBERS), "two", Answer("two")),
        (question({"const": None}), "null", Answer(None)),
        (question({"type": "boolean"}), "Y", Answer(True)),
        (question({"type": "boolean"}), "no", Answer(False)),
        (question({"type": "string"}), " as it is ", Answer(" as it is ")),
        (question({"type": "string"}), "17", Answer("17")),
        (question({"anyOf": [{"type": "string"}, {"type": "null"}]}), "x", Answer("x")),
        (question({"type": "integer"}), "9007199254740993", Answer(9007199254740993)),
        (question({"type": "array"}), '["a", 1]', Answer(["a", 1])),
        (question(MODEL), '{"name": "Ada"}', Answer({"name": "Ada"})),
        (question({}), '"any"', Answer("any")),
        (question(NUMERALS), "1", Answer(1)),
        (question(NUMERALS), "20", Answer(20)),
        (question(MAYBE_POINTED), "right", Answer("right")),
        (question(MAYBE_POINTED), "3", Answer(None)),
        (question(MAYBE_BOOLEAN), "n", Answer(False)),
        (question(MAYBE_BOOLEAN), "null", Answer(None)),
        (question(MAYBE_WHOLE), "null", Answer(None)),
        (question(MAYBE_WHOLE), "3", Answer(3)),
        (question(CHOICE), "", Declines()),
        (question({"type": "string"}), "  ", Declines()),
        (approval(), "y", Answer(True)),
        (approval(), "N", Declines()),
        (approval(), "", Declines()),
        (approval(to="ann"), '{"to": "bob"}', Answer({"to": "bob"})),
    ],
)
def test_a_line_is_a_reply(request_: pb.InputRequest, line: str, reply: Reply) -> None:
    assert reply_of(request_, line) == reply


@pytest.mark.parametrize(
    ("request_", "line", "fault"),
    [
        (question(CHOICE), "3", "there is no '3' among the choices"),
        (question({"type": "boolean"}), "perhaps", "write y or n"),
        (question({"type": "integer"}), "many", "write a whole number as JSON"),
        (question(NUMERALS), "2", "there is no '2' among the choices"),
        (question(MAYBE_BOOLEAN), "perhaps", "write y, n or null"),
        (question({}), "many", "write a value as JSON; text stands in double quotes"),
        (approval(), "[]", "write y, n, or the arguments as a JSON object"),
        (approval(), "fine", "write y, n, or the arguments as a JSON object"),
    ],
)
def test_a_line_that_is_none_says_what_would_be(
    request_: pb.InputRequest, line: str, fault: str
) -> None:
    with pytest.raises(NoAnswer) as raised:
        reply_of(request_, line)

    assert str(raised.value) == fault


def test_a_question_says_until_when_it_waits() -> None:
    request = question({"type": "string"})
    request.expire_time.FromSeconds(1_000_000)
    shown = time.strftime("%H:%M:%S", time.localtime(1_000_000))

    assert question_lines(request) == ["Which way?", f"  until {shown}"]


@pytest.mark.parametrize(
    ("request_", "lines", "asked"),
    [
        (
            question(CHOICE, "Which\x1b[2J way?"),
            ["Which␛[2J way?", "  1  left", "  2  right"],
            "1 to 2, or the choice itself; nothing declines",
        ),
        (question({"type": "string"}, ""), ["The run asks."], "text; nothing declines"),
        (question({"type": "boolean"}), ["Which way?"], "y or n; nothing declines"),
        (
            question(NUMERALS),
            ["Which way?", "  10", "  20", "  1"],
            "one of them; nothing declines",
        ),
        (
            question(MAYBE_POINTED),
            ["Which way?", "  1  left", "  2  right", "  3  null"],
            "1 to 3, or the choice itself; nothing declines",
        ),
        (question(MAYBE_BOOLEAN), ["Which way?"], "y, n or null; nothing declines"),
        (question(MAYBE_WHOLE), ["Which way?"], "a whole number or null as JSON; nothing declines"),
        (
            question(BOX),
            [
                "Which way?",
                "  label  text",
                "  way    left or right",
                "  size   a whole number or null, optional",
                "  inner  a list, optional",
                "  any␛   a value, optional",
            ],
            "an object as JSON; nothing declines",
        ),
        (
            question(MODEL),
            ["Which way?", "  name  text, optional"],
            "an object as JSON; nothing declines",
        ),
        (question({}), ["Which way?"], "a value as JSON; nothing declines"),
        (
            approval(to="ann", copies=2),
            [
                "May send_mail be called?",
                "  send_mail",
                "  {",
                '    "to": "ann",',
                '    "copies": 2',
                "  }",
            ],
            "y to allow it, n to decline, or other arguments as a JSON object",
        ),
    ],
)
def test_a_question_shows_what_there_is_to_choose_from(
    request_: pb.InputRequest, lines: list[str], asked: str
) -> None:
    assert (question_lines(request_), hint(request_)) == (lines, asked)
