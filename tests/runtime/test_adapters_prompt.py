"""What a model is shown: the prompts of each dialect, demos, history, types."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from headrace.adapters import Adapter, ChatAdapter, History, JSONAdapter, XMLAdapter
from headrace.signatures import InputField, OutputField, Signature
from headrace.values import Example
from pydantic import BaseModel

ADAPTERS = [ChatAdapter(), JSONAdapter(), XMLAdapter()]


class Judge(Signature):
    """Judge the text.

    Be fair.
    """

    text: str = InputField(desc="what to judge")
    verdict: str = OutputField()
    score: int = OutputField(desc="how sure", ge=1, le=5)


def contents(messages: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages]


FIELDS = """\
Your input fields are:
1. `text` (str): what to judge
Your output fields are:
1. `verdict` (str):
2. `score` (int): how sure Constraints: at least 1, at most 5."""

TASK = """\
In adhering to this structure, your objective is:
        Judge the text.

        Be fair."""

CHAT_STRUCTURE = """\
Every interaction has this structure, with values in place of the {names}.

[[ ## text ## ]]
{text}

[[ ## verdict ## ]]
{verdict}

[[ ## score ## ]]
{score}        # note: the value must be a single int value

[[ ## completed ## ]]"""

JSON_STRUCTURE = """\
Inputs come in this structure, with values in place of the {names}:

[[ ## text ## ]]
{text}

Your answer is one JSON object of this structure:

{
  "verdict": "{verdict}",
  "score": {score}
}

`score` must be a single int value."""

XML_STRUCTURE = """\
Every interaction has this structure, with values in place of the {names}.

<text>
{text}
</text>

<verdict>
{verdict}
</verdict>

<score>
{score}        # note: the value must be a single int value
</score>"""

CHAT_REQUEST = (
    "Respond with the output fields, starting with the field `[[ ## verdict ## ]]`, then "
    "`[[ ## score ## ]]` (as a valid int), and end with the marker `[[ ## completed ## ]]`."
)
JSON_REQUEST = (
    "Respond with one JSON object and nothing else. It has these fields, in this order: `verdict`, "
    "then `score` (as a valid int)."
)
XML_REQUEST = (
    "Respond with the output fields between their tags, in this order: `<verdict>`, then `<score>` "
    "(as a valid int). In values, write & as &amp; and < as &lt;."
)


@pytest.mark.parametrize(
    ("adapter", "structure", "asked", "request_text"),
    [
        (ADAPTERS[0], CHAT_STRUCTURE, "[[ ## text ## ]]\na < b", CHAT_REQUEST),
        (ADAPTERS[1], JSON_STRUCTURE, "[[ ## text ## ]]\na < b", JSON_REQUEST),
        (ADAPTERS[2], XML_STRUCTURE, "<text>\na < b\n</text>", XML_REQUEST),
    ],
    ids=["chat", "json", "xml"],
)
def test_a_prompt_holds_fields_structure_task_inputs_and_request(
    adapter: Adapter, structure: str, asked: str, request_text: str
) -> None:
    assert contents(adapter.format(Judge, [], {"text": "a < b"})) == [
        ("system", f"{FIELDS}\n\n{structure}\n\n{TASK}"),
        ("user", f"{asked}\n\n{request_text}"),
    ]


CHAT_ANSWER = "[[ ## verdict ## ]]\nfine\n\n[[ ## score ## ]]\n5\n\n[[ ## completed ## ]]"
JSON_ANSWER = '{\n  "verdict": "fine",\n  "score": 5\n}'
XML_ANSWER = "<verdict>\nfine\n</verdict>\n\n<score>\n5\n</score>"


@pytest.mark.parametrize(
    ("adapter", "asked", "answered"),
    [
        (ADAPTERS[0], "[[ ## text ## ]]\nx", CHAT_ANSWER),
        (ADAPTERS[1], "[[ ## text ## ]]\nx", JSON_ANSWER),
        (ADAPTERS[2], "<text>\nx\n</text>", XML_ANSWER),
    ],
    ids=["chat", "json", "xml"],
)
def test_demos_are_pairs_of_messages_and_come_before_the_request(
    adapter: Adapter, asked: str, answered: str
) -> None:
    demos = [
        {"text": "x", "verdict": "fine", "score": 5},
        Example(text="x", verdict="fine", score=5),
    ]

    assert (
        contents(adapter.format(Judge, demos, {"text": "y"}))[1:-1]
        == [
            ("user", asked),
            ("assistant", answered),
        ]
        * 2
    )


def test_demos_with_gaps_come_first_and_say_so() -> None:
    whole = {"text": "x", "verdict": "fine", "score": 5}
    gapped = {"text": "z", "score": 2, "verdict": None}
    useless = [{"text": "only an input"}, {"verdict": "only an output"}, {"other": 1}]
    messages = contents(ChatAdapter().format(Judge, [whole, gapped, *useless], {"text": "y"}))

    assert messages[1:-1] == [
        ("user", "In this example of the task some fields are missing.\n\n[[ ## text ## ]]\nz"),
        (
            "assistant",
            (
                "[[ ## verdict ## ]]\nNot supplied in this example.\n\n[[ ## score ## ]]\n2\n\n"
                "[[ ## completed ## ]]"
            ),
        ),
        ("user", "[[ ## text ## ]]\nx"),
        ("assistant", CHAT_ANSWER),
    ]


class Chat(Signature):
    question: str = InputField()
    history: History = InputField()
    answer: str = OutputField()


TURNS = [
    {"question": "The capital of France?", "answer": "Paris."},
    {"question": "Thanks."},
]


@pytest.mark.parametrize("history", [History(messages=TURNS), {"messages": TURNS}, TURNS])
def test_history_becomes_messages_and_is_no_field_of_the_prompt(history: object) -> None:
    messages = contents(
        ChatAdapter().format(Chat, [], {"question": "Its river?", "history": history})
    )

    assert "history" not in messages[0][1]
    assert messages[1:] == [
        ("user", "[[ ## question ## ]]\nThe capital of France?"),
        ("assistant", "[[ ## answer ## ]]\nParis.\n\n[[ ## completed ## ]]"),
        ("user", "[[ ## question ## ]]\nThanks."),
        (
            "user",
            (
                "[[ ## question ## ]]\nIts river?\n\nRespond with the output fields, starting with the "
                "field `[[ ## answer ## ]]`, and end with the marker `[[ ## completed ## ]]`."
            ),
        ),
    ]


@pytest.mark.parametrize("inputs", [{}, {"history": None}, {"history": History(messages=[])}])
def test_no_history_is_no_messages(inputs: dict[str, Any]) -> None:
    messages = ChatAdapter().format(Chat, [], {"question": "x", **inputs})

    assert [message["role"] for message in messages] == ["system", "user"]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=["chat", "json", "xml"])
def test_one_name_may_stand_on_both_sides(adapter: Adapter) -> None:
    signature = Signature("question, answer -> answer, score: int")
    demo = {"question": "q", "answer": "a", "score": 1}
    system, user, assistant, request = adapter.format(
        signature, [demo], {"question": "q", "answer": "draft"}
    )

    assert system["content"].count("`answer` (str):") == 2
    assert user["content"] == adapter.format_user_message_content(signature, demo)
    assert "a" in assistant["content"]
    assert "draft" in request["content"]
    assert list(adapter.parse(signature, assistant["content"])) == ["answer", "score"]


def test_inputs_that_are_no_text_are_json() -> None:
    class Place(BaseModel):
        name: str

    values = {
        "a": 1,
        "b": None,
        "c": True,
        "d": ["é", {"x": 1.5}],
        "e": Place(name="Köln"),
        "f": {3},
    }
    signature = Signature("a, b, c, d, e, f, missing -> x")

    assert ChatAdapter().format_user_message_content(signature, values).split("\n\n") == [
        "[[ ## a ## ]]\n1",
        "[[ ## b ## ]]\nnull",
        "[[ ## c ## ]]\ntrue",
        '[[ ## d ## ]]\n["é", {"x": 1.5}]',
        '[[ ## e ## ]]\n{"name": "Köln"}',
        "[[ ## f ## ]]\n[3]",
    ]


def test_an_input_without_a_json_form_is_shown_as_str_shows_it() -> None:
    assert ChatAdapter().format_user_message_content(Signature("a -> b"), {"a": 1j}) == (
        "[[ ## a ## ]]\n1j"
    )


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("annotation", "chat", "json"),
    [
        (bool, "must be true or false", None),
        (float, "must be a single float value", None),
        (int | None, "must be a single int value, or null", None),
        (Color, "must be one of: red; blue", 'must be one of: "red"; "blue"'),
        (
            Literal["a", 1],
            "must match exactly, with nothing added, one of: a; 1",
            'must match exactly, with nothing added, one of: "a"; 1',
        ),
        (
            list[int],
            'must be JSON that fits the schema: {"items": {"type": "integer"}, "type": "array"}',
            None,
        ),
        (
            int | list[int],
            (
                'must be JSON that fits the schema: {"anyOf": [{"type": "integer"}, '
                '{"items": {"type": "integer"}, "type": "array"}]}'
            ),
            None,
        ),
    ],
)
def test_each_type_has_its_note(annotation: Any, chat: str, json: str | None) -> None:
    signature = Signature("q -> a").with_updated_fields("a", annotation, side="output")

    assert f"{{a}}        # note: the value {chat}\n" in ChatAdapter().format_field_structure(
        signature
    )
    assert JSONAdapter().format_field_structure(signature).endswith(f"`a` {json or chat}.")


@pytest.mark.parametrize("annotation", [str, str | None])
def test_text_has_no_note(annotation: Any) -> None:
    signature = Signature("q -> a").with_updated_fields("a", annotation, side="output")

    assert "note" not in ChatAdapter().format_field_structure(signature)
