"""What a request asks for: which fields, in which dialect; and an answer as that dialect writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias
from xml.sax.saxutils import escape

from headrace.lm.loose_json import mapping

from headrace_mock.requests import text_of
from headrace_mock.schema_parts import Schema
from headrace_mock.stated import stated_schema

Dialect: TypeAlias = Literal["chat", "xml", "json", "schema", "prose"]

MARKER = re.compile(r"`\[\[ ## (\w+) ## \]\]`")
TAG = re.compile(r"`<(\w+)>`")
NAME = re.compile(r"`(\w+)`")
TYPE = (
    r"\b{0}(?: ## \]\])?>?` \((?:as a valid|must be formatted as a valid Python) (.*?)\)(?=[,.;]|$)"
)
"""How a request names the type of a field that is not text."""
SECTION = re.compile(r"^\[\[ ## (\w+) ## \]\]\s*\n(.*?)(?=^\[\[ ## |\Z)", re.MULTILINE | re.DOTALL)
TAGGED = re.compile(r"<(\w+)>\n(.*?)\n</\1>", re.DOTALL)
PLAIN = re.compile(r"\w(?:[\w ./:@+-]*\w)?")
"""Texts that are read as they stand where JSON is asked for."""


class Asked(NamedTuple):
    """What a request asks for."""

    dialect: Dialect
    schemas: Mapping[str, Schema]
    """Of the fields, in the order in which they are asked for."""
    typed: frozenset[str]
    """The fields whose text is JSON."""
    whole: Schema
    """Of the whole answer, where the request has such a response format."""
    prompt: str
    topic: str
    """The beginning of the first input, in one line."""


def read_request(body: Mapping[str, Any]) -> Asked:
    """What a chat-completions request asks for."""
    messages: Sequence[Mapping[str, Any]] = body.get("messages", ())
    texts = [text_of(message) for message in messages]
    said = [text_of(message) for message in messages if message.get("role") == "user"]
    prompt = "\n".join(texts)
    asked, _, request = (said or texts or [""])[-1].rpartition("Respond with")
    form = mapping(body.get("response_format"))
    whole = mapping(mapping(form.get("json_schema")).get("schema"))
    dialect, names = _dialect(request, form)
    types = {name: re.search(TYPE.format(name), request) for name in names}
    schemas = {
        name: stated_schema(name, prompt, found[1] if found else "")
        for name, found in types.items()
    }

    return Asked(
        "schema" if whole else dialect,
        schemas,
        frozenset(name for name, found in types.items() if found),
        whole,
        prompt,
        _topic(asked or request),
    )


def write_answer(asked: Asked, values: Mapping[str, Any]) -> str:
    """An answer with these values, each under its field's name."""
    match asked.dialect:
        case "json" | "schema":
            return json.dumps(values, ensure_ascii=False)
        case "xml":
            tagged = {name: escape(_text(asked, name, one)) for name, one in values.items()}
            return "\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in tagged.items())
        case "chat":
            texts = {name: _text(asked, name, one) for name, one in values.items()}
            sections = [f"[[ ## {name} ## ]]\n{text}\n\n" for name, text in texts.items()]
            return "".join([*sections, "[[ ## completed ## ]]\n"])
        case "prose":
            return "\n\n".join(_text(asked, name, one) for name, one in values.items())


def _dialect(request: str, form: Mapping[str, Any]) -> tuple[Dialect, list[str]]:
    """The dialect that the end of a prompt asks for, and the names of the fields."""
    markers = [name for name in MARKER.findall(request) if name != "completed"]

    if markers:
        return "chat", list(dict.fromkeys(markers))

    if tags := TAG.findall(request):
        return "xml", list(dict.fromkeys(tags))

    if "JSON" in request and (names := NAME.findall(request)):
        return "json", list(dict.fromkeys(names))

    return ("json" if form.get("type") == "json_object" else "prose"), []


def _text(asked: Asked, name: str, value: Any) -> str:
    as_it_is = isinstance(value, str) and (name not in asked.typed or PLAIN.fullmatch(value))

    return value if as_it_is else json.dumps(value, ensure_ascii=False)


def _topic(message: str) -> str:
    found = SECTION.search(message) or TAGGED.search(message)
    text = found[2] if found else message

    return " ".join(text.split())[:80].encode("utf-8", "replace").decode()
