"""Requests for tools: the tool that a model means, and the arguments, however it writes them down."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from headrace.tools.tool import Tool

WRAPPERS = ("args", "arguments", "parameters", "kwargs", "input")
"""Names under which models put the arguments as a whole, beside the name of the tool or alone."""

LABELS = ("name", "tool", "tool_name")

SHOWN = 80
"""Characters of an unknown tool's name that are told back."""


class ToolRequest(NamedTuple):
    """A call that a model asks for."""

    name: str
    """The tool's own; as the model wrote it, where there is no such tool."""
    arguments: object
    """By name, unless the model gave something else."""
    fault: str
    """The reason why there is no such call, for the model to read; empty if it can be made."""


def read_request(written: object, arguments: object, tools: Mapping[str, Tool]) -> ToolRequest:
    """The request that a model means by a name and arguments, None for none."""
    name = str(written)
    named = _nearest(name, tools)

    if named is None:
        near = difflib.get_close_matches(name[:SHOWN], tools, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        fault = f"There is no tool {name[:SHOWN]!r}; {hint}there are {', '.join(tools)}"

        return ToolRequest(name, {} if arguments is None else arguments, fault)

    tool = tools[named]
    given = _read(arguments)

    if given is None and tool.args:
        return ToolRequest(
            named, {}, f"Error in {named}: its arguments are missing; {_takes(tool)}"
        )

    if given is None or isinstance(given, dict):
        return ToolRequest(named, _meant(cast("Mapping[str, Any]", given or {}), tool), "")

    return ToolRequest(
        named, given, f"Error in {named}: arguments are a JSON object; {_takes(tool)}"
    )


def _nearest(name: str, tools: Iterable[str]) -> str | None:
    """The tool with that name; else the only one that differs in case, quotes, brackets or dashes."""
    if name in tools:
        return name

    bare = name.partition("(")[0].strip(" .:`'\"")

    for spelled in (bare, bare.rpartition(".")[2]):  # as in functions.search
        same = [one for one in tools if _letters(one) == _letters(spelled)]

        if len(same) == 1:
            return same[0]

    return None


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _read(given: object) -> object:
    """Arguments that are JSON in a string, once more; None for an empty one."""
    if isinstance(given, dict):
        return {str(name): value for name, value in cast("dict[object, Any]", given).items()}

    if not isinstance(given, str):
        return given

    try:
        return _read(json.loads(given)) if given.strip() else None
    except (ValueError, RecursionError):
        return given


def _meant(given: Mapping[str, Any], tool: Tool) -> Mapping[str, Any]:
    """Arguments out of their wrapper, and without placeholders where the tool takes none."""
    if tool.has_kwargs or given.keys() & tool.args:
        return given

    for wrapper in (*WRAPPERS, tool.name):
        inner = _read(given.get(wrapper))

        if isinstance(inner, dict) and given.keys() <= {wrapper, *LABELS}:
            return cast("Mapping[str, Any]", inner)

    is_empty = not tool.args and not any(given.values())

    return {} if is_empty else given


def _takes(tool: Tool) -> str:
    return f"it takes {', '.join(tool.args)}" if tool.args else "it takes none: {}"
