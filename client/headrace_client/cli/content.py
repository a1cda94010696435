"""The content of calls and answers, as `--data` shows it below each: inputs at the start, outputs at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, cast

from google.protobuf import json_format

from headrace_client import InputResolved, StatusUpdate
from headrace_client.cli.clean import clean, one_line

MOST_LINES = 60
"""Of one call, at its start and at its end."""
MOST_TEXT = 1_000
"""Code points of one line."""


def content_lines(status: StatusUpdate) -> list[str]:
    """Inputs or outputs of a call in lines; none where the status does not say."""
    content = _content(status)

    if content is None or status.kind == StatusUpdate.KIND_RUN:
        return []

    way = "gives" if status.phase == StatusUpdate.PHASE_END else "takes"

    return [f"{one_line(status.name)} (call {status.call_id}) {way}", *_indented(content)]


def answer_lines(resolved: InputResolved) -> list[str]:
    """The answer to a question, or the arguments that were approved; none where it does not say."""
    return _indented(json.loads(resolved.answer_json)) if resolved.answer_json else []


def _content(status: StatusUpdate) -> Any:
    """What a call was given or has returned; None where the status does not say."""
    if status.HasField("data"):
        return json_format.MessageToDict(status.data)

    if status.phase == StatusUpdate.PHASE_END:
        return {"result": json.loads(status.tool.result_json)} if status.tool.result_json else None

    return json.loads(status.tool.arguments_json or "null")


def _indented(content: Any) -> list[str]:
    found = list(_laid_out(content))
    shown = [f"  {line[:MOST_TEXT]}{'…' * (len(line) > MOST_TEXT)}" for line in found[:MOST_LINES]]

    if len(found) > MOST_LINES:
        shown.append(f"  … {len(found) - MOST_LINES:,} more lines; --json shows all")

    return shown


def _laid_out(value: Any) -> Iterator[str]:
    """A JSON value in lines: a name or a dash, and what belongs to it indented."""
    match value:
        case dict() | list() if not value:
            yield "{}" if isinstance(value, dict) else "[]"
        case dict():
            named = sorted(cast("dict[str, Any]", value).items())
            members = [_labelled(one_line(name), one) for name, one in named]
            yield from (line for lines in sorted(members, key=_is_long) for line in lines)
        case list():
            for item in cast("Sequence[Any]", value):
                first, *rest = _laid_out(item)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
        case float() if value.is_integer():
            yield str(int(value))
        case str():
            yield from clean(value).splitlines() or [""]
        case None | bool():
            yield {None: "null", True: "true", False: "false"}[value]
        case _:
            yield str(value)


def _labelled(name: str, value: Any) -> list[str]:
    """A member: behind its name where it is a short text or a number, else below it."""
    lines = list(_laid_out(value))

    if len(lines) == 1 and not (value and isinstance(value, dict | list)):
        return [f"{name}: {lines[0]}".rstrip()]

    return [f"{name}:", *(f"  {line}" for line in lines)]


def _is_long(lines: list[str]) -> bool:
    return len(lines) > 1
