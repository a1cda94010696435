"""A question of a run as people are asked it, and what their line says in reply. Pure: no terminal.

Choices are numbered, yes or no is "y" or "n", text stands as it is typed, anything else is JSON. An
empty line declines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from headrace_client import InputRequest
from headrace_client.cli.clean import clean, one_line
from headrace_client.cli.wording import value_text

Schema: TypeAlias = dict[str, Any]

WORDS_OF_BOOLEANS = {"y": True, "yes": True, "true": True, "n": False, "no": False, "false": False}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to send."""

    value: object


@dataclass(frozen=True, slots=True)
class Declines:
    """There will be no answer."""


class NoAnswer(ValueError):
    """The line answers nothing; the message says what would."""


Reply: TypeAlias = Answer | Declines


def is_approval(request: InputRequest) -> bool:
    """True where leave to call a tool is asked for."""
    return request.kind == InputRequest.KIND_APPROVAL


def question_lines(request: InputRequest) -> list[str]:
    """The question, and below it what there is to choose from or to approve."""
    asked = clean(request.message).splitlines() or ["The run asks."]

    if is_approval(request):
        proposal = value_text(json.loads(request.proposal_json or "{}"))
        return [
            *asked,
            f"  {one_line(request.tool)}",
            *(f"  {one}" for one in proposal.splitlines()),
        ]

    choices = [_shown(one) for one in choices_of(schema_of(request))]

    return [*asked, *(f"  {number}  {choice}" for number, choice in enumerate(choices, 1))]


def hint(request: InputRequest) -> str:
    """What may be typed, in brackets before the cursor."""
    if is_approval(request):
        return "y to allow it, n to decline, or other arguments as a JSON object"

    schema = schema_of(request)

    if choices := choices_of(schema):
        return f"1 to {len(choices)}, or the choice itself; nothing declines"

    if is_boolean(schema):
        return "y or n; nothing declines"

    if is_text(schema):
        return "text; nothing declines"

    return f"{_kind(schema)} as JSON; nothing declines"


def reply_of(request: InputRequest, line: str) -> Reply:
    """The reply that a line is. Raises NoAnswer."""
    text = line.strip()

    if is_approval(request):
        return _verdict(text)

    return Answer(value_of(schema_of(request), line)) if text else Declines()


def value_of(schema: Schema, line: str) -> object:
    """The answer that a line is, to a question with this schema. Raises NoAnswer."""
    text = line.strip()

    if choices := choices_of(schema):
        return _choice(choices, text)

    if is_boolean(schema):
        if text.lower() not in WORDS_OF_BOOLEANS:
            raise NoAnswer("write y or n")

        return WORDS_OF_BOOLEANS[text.lower()]

    return line if is_text(schema) else _json(text)


def schema_of(request: InputRequest) -> Schema:
    """The schema of the answer, where it only points to another one that one."""
    schema: Schema = json.loads(request.answer_schema_json or "{}")
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")

    return cast("Schema", schema.get("$defs", {}).get(name, schema)) if name else schema


def choices_of(schema: Schema) -> Sequence[object]:
    """The values that there are to choose from; empty where there are too many to list."""
    if "const" in schema:
        return [schema["const"]]

    return cast("list[object]", schema.get("enum", []))


def is_boolean(schema: Schema) -> bool:
    """True where yes or no is asked for."""
    return schema.get("type") == "boolean"


def is_text(schema: Schema) -> bool:
    """True where a line is the answer as it stands."""
    kinds = [schema, *schema.get("anyOf", [])]

    return any(kind.get("type") == "string" for kind in kinds)


def _verdict(text: str) -> Reply:
    word = WORDS_OF_BOOLEANS.get(text.lower())

    if word is not None or not text:
        return Answer(True) if word else Declines()

    arguments = _json(text)

    if not isinstance(arguments, dict):
        raise NoAnswer("write y, n, or the arguments as a JSON object")

    return Answer(cast("object", arguments))


def _choice(choices: Sequence[object], text: str) -> object:
    named = {_shown(one): one for one in choices}
    numbered = {str(number): one for number, one in enumerate(choices, 1)}

    if text in named:
        return named[text]

    if text not in numbered:
        raise NoAnswer(f"there is no {text!r} among the choices")

    return numbered[text]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise NoAnswer("that is no JSON; text stands in double quotes") from None


def _shown(choice: object) -> str:
    return one_line(choice if isinstance(choice, str) else json.dumps(choice, ensure_ascii=False))


def _kind(schema: Schema) -> str:
    kind = schema.get("type", "a value")

    return {
        "object": "an object",
        "array": "a list",
        "integer": "a whole number",
        "number": "a number",
    }.get(str(kind), "a value")
