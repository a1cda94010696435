"""A question of a run as people are asked it, and what their line says in reply. Pure: no terminal.

Choices are numbered, yes or no is "y" or "n", text stands as it is typed, anything else is JSON. An
empty line declines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from headrace_client import InputRequest
from headrace_client.cli.clean import clean, one_line
from headrace_client.cli.schemas import (
    Schema,
    choices_of,
    kind_text,
    members_of,
    plain,
    shown,
    types_of,
)
from headrace_client.cli.wording import clock, value_text

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


def answer_command(run_id: str, request: InputRequest) -> str:
    """The command that answers a question from elsewhere, but for the answer."""
    return f"headrace answer {run_id} {request.input_id} ..."


def asks_text(request: InputRequest, run_id: str) -> str:
    """A question with what is to be approved, and the command that answers it."""
    call = f"{request.tool}({request.proposal_json})" if request.tool else ""
    command = f"({answer_command(run_id, request)})"

    return " ".join(filter(None, (request.message, call, command)))


def question_lines(request: InputRequest) -> list[str]:
    """The question, and below it what there is to choose from, to fill in or to approve."""
    asked = clean(request.message).splitlines() or ["The run asks."]

    if _is_approval(request):
        proposal = value_text(json.loads(request.proposal_json or "{}")).splitlines()
        below = [one_line(request.tool), *proposal]
    else:
        below = _explained(_schema_of(request))

    if request.HasField("expire_time"):
        below.append(f"until {clock(request.expire_time.ToSeconds())}")

    return [*asked, *(f"  {line}" for line in below)]


def hint(request: InputRequest) -> str:
    """What may be typed, in brackets before the cursor."""
    if _is_approval(request):
        return "y to allow it, n to decline, or other arguments as a JSON object"

    return f"{_wanted(_schema_of(request))}; nothing declines"


def reply_of(request: InputRequest, line: str) -> Reply:
    """The reply that a line is. Raises NoAnswer."""
    text = line.strip()

    if _is_approval(request):
        return _verdict(text)

    return Answer(_value_of(_schema_of(request), line)) if text else Declines()


def _is_approval(request: InputRequest) -> bool:
    """True where leave to call a tool is asked for."""
    return request.kind == InputRequest.KIND_APPROVAL


def _schema_of(request: InputRequest) -> Schema:
    return plain(json.loads(request.answer_schema_json or "{}"))


def _explained(schema: Schema) -> list[str]:
    """The choices, or the members of an object."""
    choices = choices_of(schema)
    rows = [(number, shown(one)) for number, one in _numbered(choices).items()]

    if not choices:
        rows = [*members_of(schema)]

    width = max((len(first) for first, _ in rows), default=0)

    return [f"{first:<{width}}  {second}" for first, second in rows] or [*map(shown, choices)]


def _wanted(schema: Schema) -> str:
    choices, types = choices_of(schema), types_of(schema)

    if choices:
        return f"1 to {len(choices)}, or the choice itself" if _numbered(choices) else "one of them"

    if "string" in types:
        return "text"

    if types and types <= {"boolean", "null"}:
        return "y, n or null" if "null" in types else "y or n"

    return f"{kind_text(schema)} as JSON"


def _value_of(schema: Schema, line: str) -> object:
    """The answer that a line is, to a question with this schema."""
    text, types = line.strip(), types_of(schema)

    if choices := choices_of(schema):
        return _choice(choices, text)

    if "string" in types:
        return line

    if "boolean" in types and text.lower() in WORDS_OF_BOOLEANS:
        return WORDS_OF_BOOLEANS[text.lower()]

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        quotes = "" if types else "; text stands in double quotes"
        raise NoAnswer(f"write {_wanted(schema)}{quotes}") from None


def _verdict(text: str) -> Reply:
    word = WORDS_OF_BOOLEANS.get(text.lower())

    if word is not None or not text:
        return Answer(True) if word else Declines()

    try:
        arguments: object = json.loads(text)
    except (ValueError, RecursionError):
        arguments = None

    if not isinstance(arguments, dict):
        raise NoAnswer("write y, n, or the arguments as a JSON object")

    return Answer(cast("object", arguments))


def _choice(choices: Sequence[object], text: str) -> object:
    named = {shown(one): one for one in choices}
    numbered = _numbered(choices)

    if text not in named and text not in numbered:
        raise NoAnswer(f"there is no {text!r} among the choices")

    return named[text] if text in named else numbered[text]


def _numbered(choices: Sequence[object]) -> dict[str, object]:
    """The choices by their numbers; none have one where that could be taken for a choice itself."""
    numbered = {str(number): one for number, one in enumerate(choices, 1)}

    return {} if {*numbered} & {*map(shown, choices)} else numbered
