"""Canned answers: reads from a prompt which fields are asked for, and in which dialect, and fills them.

The prose says of itself that it is canned. It quotes an input, so that different questions get
different answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from headrace.mock_lm.requests import text_of
from headrace.mock_lm.schemas import Schema, example

CHUNK = 4
"""Characters per chunk."""

MARKER = re.compile(r"`\[\[ ## (\w+) ## \]\]`")
SECTION = re.compile(r"^\[\[ ## (\w+) ## \]\]\s*\n(.*?)(?=^\[\[ ## |\Z)", re.MULTILINE | re.DOTALL)
TAGGED = re.compile(r"<(\w+)>\n(.*?)\n</\1>", re.DOTALL)
TAG = re.compile(r"`<(\w+)>`")
NAME = re.compile(r"`(\w+)`")
TYPE = r"(\w+)(?:\[(.*?)\])?"
CONTAINERS: Mapping[str, Schema] = {"list": {"type": "array"}, "dict": {"type": "object"}}
"""Schemas of types that a prompt names without stating their schema."""


def canned(body: Mapping[str, Any]) -> list[str]:
    """The canned answer to a chat-completions request, in chunks."""
    return cut(answer_to(body))


def cut(text: str, size: int = CHUNK) -> list[str]:
    """The text in chunks of `size` characters."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def answer_to(body: Mapping[str, Any]) -> str:
    """The canned answer as one text."""
    texts = [text_of(message) for message in body.get("messages", ())]
    prompt, last = "\n".join(texts), texts[-1] if texts else ""
    asked, _, request = last.rpartition("Respond with")
    topic = _topic(asked or last)
    schema = _response_schema(body)

    if schema is not None:
        return json.dumps(example(schema, lambda name: prose(name, topic)), ensure_ascii=False)

    filled = {
        name: _written(_value(name, prompt, request, topic))
        for name in dict.fromkeys(MARKER.findall(request))
        if name != "completed"
    }

    if filled:
        sections = [f"[[ ## {name} ## ]]\n{text}\n\n" for name, text in filled.items()]
        return "".join([*sections, "[[ ## completed ## ]]\n"])

    if tags := dict.fromkeys(TAG.findall(request)):
        tagged = {name: _written(_value(name, prompt, request, topic)) for name in tags}
        return "\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in tagged.items())

    if "JSON" in request and (names := dict.fromkeys(NAME.findall(request))):
        values = {name: _value(name, prompt, request, topic) for name in names}
        return json.dumps(values, ensure_ascii=False)

    return prose("", topic)


def prose(field: str, topic: str) -> str:
    """Two sentences for one field."""
    subject = f"the field {field}" if field else "an answer"

    return (
        f"This is canned prose from mock-lm for {subject}; no model was asked. "
        f"The request spoke of “{topic}”, and water in a headrace runs to the wheel."
    )


def _response_schema(body: Mapping[str, Any]) -> Schema | None:
    response_format: Mapping[str, Any] = body.get("response_format") or {}
    described: Mapping[str, Any] = response_format.get("json_schema") or {}

    return described.get("schema")


def _value(name: str, prompt: str, request: str, topic: str) -> Any:
    """A value for a field whose type or schema the prompt may name."""
    described = re.search(rf"\b{name}(?: ## \]\])?>?` \((?:as a valid )?{TYPE}\)", request)
    described = described or re.search(rf"`{name}` \({TYPE}\)", prompt)

    kind, options = described.groups() if described else ("str", None)

    match kind:
        case "str":
            return prose(name, topic)
        case "int" | "float":
            return 7
        case "bool":
            return True
        case "Literal":
            return _chosen(options or "")
        case _:
            schema = _field_schema(name, prompt) or CONTAINERS.get(kind, {})
            return example(schema, lambda inner: prose(inner or name, topic))


def _field_schema(name: str, prompt: str) -> Schema:
    """The schema a prompt states beside the placeholder of a field; {} if it states none."""
    stated = re.search(rf"\{{{name}\}}.*?schema: (?=\{{)", prompt)

    if stated is None:
        return {}

    try:
        schema: Schema = json.JSONDecoder().raw_decode(prompt, stated.end())[0]
    except ValueError:
        return {}

    return schema


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _chosen(options: str) -> str:
    """One of a Literal's options: the one that ends an agent, else the first."""
    names = [option.strip(" '\"") for option in options.split(",")]

    return "finish" if "finish" in names else names[0]


def _topic(message: str) -> str:
    found = SECTION.search(message) or TAGGED.search(message)
    text = found[2] if found else message

    return " ".join(text.split())[:80].encode("utf-8", "replace").decode()
