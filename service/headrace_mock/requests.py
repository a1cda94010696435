"""Requests: what was received, and when its peer left; what it asks for, and an answer in its dialect."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias
from xml.sax.saxutils import escape

from headrace.lm.loose_json import mapping

from headrace_mock.prompt_schemas import stated_schema
from headrace_mock.schema_parts import Schema

SECRET_HEADERS = frozenset({"authorization", "api-key", "x-api-key", "cookie"})

Dialect: TypeAlias = Literal["chat", "xml", "json", "schema", "prose"]

MARKER = re.compile(r"`\[\[ ## (\w+) ## \]\]`")
TAG = re.compile(r"`<(\w+)>`")
NAME = re.compile(r"`(\w+)`")
TYPE = (
    r"\b{0}(?: ## \]\])?>?` \((?:as a valid|must be formatted as a valid Python) (.*?)\)(?=[,.;]|$)"
)
"""The type of a field that is not text, as a request names it."""
SECTION = re.compile(r"^\[\[ ## (\w+) ## \]\]\s*\n(.*?)(?=^\[\[ ## |\Z)", re.MULTILINE | re.DOTALL)
TAGGED = re.compile(r"<(\w+)>\n(.*?)\n</\1>", re.DOTALL)
PLAIN = re.compile(r"\w(?:[\w ./:@+-]*\w)?")
"""Texts that are read as they stand where JSON is asked for."""


@dataclass(slots=True, eq=False)
class Received:
    """One request, and how its exchange went. Times are `time.monotonic()` seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case; of secret values only the last four characters are kept."""
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    arrived: float = field(default_factory=time.monotonic)
    answered: float | None = None
    """When the whole answer was written; None = not yet, or never."""
    left: float | None = None
    """When the connection ended before the whole answer was written."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the request is answered or its peer left."""

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.body.get("model", ""))

    @property
    def prompt(self) -> str:
        """The text of its messages."""
        messages: Sequence[Mapping[str, Any]] = self.body.get("messages", ())

        return "\n".join(text_of(message) for message in messages)

    def note_answered(self) -> None:
        """The answer is complete."""
        if not self.over.is_set():
            self.answered = time.monotonic()
            self.over.set()

    def note_left(self) -> None:
        """The connection ended; counts only if the answer was not complete."""
        if not self.over.is_set():
            self.left = time.monotonic()
            self.over.set()

    def facts(self) -> dict[str, Any]:
        """The record as JSON-safe values, without the prompt."""
        return {
            "model": self.model,
            "path": self.path,
            "arrived": self.arrived,
            "answered": self.answered,
            "left": self.left,
        }


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, whether it is written as one or in parts."""
    content: str | Sequence[Mapping[str, Any]] | None = message.get("content")

    if isinstance(content, str):
        return content

    return "\n".join(str(part.get("text", "")) for part in content or ())


def mask(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with secrets cut to their last four characters."""
    return {
        name: f"…{value[-4:]}" if name in SECRET_HEADERS else value
        for name, value in headers.items()
    }


class Asked(NamedTuple):
    """The fields that a request asks for, and the dialect of its answer."""

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
    """Reads a chat-completions request."""
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
