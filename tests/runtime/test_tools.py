"""Tools: what is read from functions, and the schema models see."""

# Functions without types are among what is tested:
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import pytest
from headrace.errors import UsageError
from headrace.tools import Tool
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field


class Place(BaseModel):
    city: str
    near: list[Place] = []


def search(query: str, limit: int = 3, place: Place | None = None) -> str:
    """Search
    the web.
    """
    return f"{query} {limit} {place}"


def times(x, y=2):  # type: ignore[no-untyped-def]
    return x * y


def everything(**any_: Any) -> dict[str, Any]:
    return any_


def positional(*args: Any) -> Any:
    return args


class Finder:
    """Finds things."""

    def __call__(self, what: str) -> str:
        return what

    def find(self, what: str) -> str:
        """Find one thing."""
        return what


def test_name_description_and_arguments_are_the_functions_own() -> None:
    tool = Tool(search)

    assert (tool.name, tool.desc, tool.has_kwargs) == ("search", "Search\nthe web.", False)
    assert tool.arg_types == {"query": str, "limit": int, "place": Place | None}
    assert tool.args == {
        "query": {"type": "string"},
        "limit": {"type": "integer", "default": 3},
        "place": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}], "default": None},
    }
    assert tool.parameters_schema["required"] == ["query"]
    assert tool.parameters_schema["additionalProperties"] is False
    Draft202012Validator.check_schema(tool.parameters_schema)


def test_what_is_given_comes_before_the_functions_own() -> None:
    tool = Tool(
        search,
        "look",
        desc="Look it up.",
        args={"query": {"type": "string", "minLength": 2}},
        arg_types={"limit": float},
        arg_desc={"limit": "how many", "query": "what"},
        idempotent=True,
    )

    assert (tool.name, tool.desc, tool.idempotent) == ("look", "Look it up.", True)
    assert tool.args["query"] == {"type": "string", "minLength": 2, "description": "what"}
    assert tool.args["limit"] == {"type": "number", "default": 3, "description": "how many"}
    assert tool.arg_desc == {"limit": "how many", "query": "what"}


def test_arguments_without_a_type_may_be_anything() -> None:
    tool = Tool(times)

    assert tool.args == {"x": {}, "y": {"type": "integer", "default": 2}}
    assert tool(x="a") == "aa"


def test_annotations_carry_descriptions_and_constraints() -> None:
    def order(size: Annotated[int, Field(ge=1, description="in pieces")], kind: Literal["a", "b"]):  # type: ignore[no-untyped-def]
        return size, kind

    assert Tool(order).args == {
        "size": {"type": "integer", "minimum": 1, "description": "in pieces"},
        "kind": {"enum": ["a", "b"], "type": "string"},
    }


def test_types_of_the_place_where_the_tool_is_made_are_found() -> None:
    class Local(BaseModel):
        n: int

    def take(local: Local) -> Local:
        return local

    assert Tool(take)(local={"n": "3"}) == Local(n=3)


class Doubler:
    def __call__(self, n: int) -> int:
        """Double a number."""
        return 2 * n


@pytest.mark.parametrize(
    ("function", "name", "desc", "args"),
    [
        (Finder(), "Finder", "Finds things.", ["what"]),
        (Doubler(), "Doubler", "Double a number.", ["n"]),
        (Finder().find, "find", "Find one thing.", ["what"]),
        (functools.partial(search, "water"), "search", "Search\nthe web.", ["limit", "place"]),
        (functools.partial(search, limit=5), "search", "Search\nthe web.", list(Tool(search).args)),
    ],
)
def test_anything_that_can_be_called_by_names_is_a_tool(
    function: Callable[..., Any], name: str, desc: str, args: list[str]
) -> None:
    tool = Tool(function)

    assert (tool.name, tool.desc, list(tool.args)) == (name, desc, args)


def test_a_partial_keeps_what_is_bound() -> None:
    tool = Tool(functools.partial(search, "water", limit=5))

    assert tool.args["limit"]["default"] == 5
    assert tool() == "water 5 None"


def test_a_function_of_any_arguments_takes_them_all() -> None:
    def echo(first: int, **rest: Any) -> dict[str, Any]:
        return {"first": first, **rest}

    tool = Tool(echo)

    assert tool.has_kwargs
    assert tool.parameters_schema["additionalProperties"] is True
    assert tool(first="1", self="s", other=[2]) == {"first": 1, "self": "s", "other": [2]}


def test_declared_arguments_of_such_a_function_are_all_it_takes() -> None:
    tool = Tool(everything, args={"q": {"type": "string"}, "n": {"type": "integer", "default": 1}})

    assert tool.parameters_schema == {
        "type": "object",
        "properties": {"q": {"type": "string"}, "n": {"type": "integer", "default": 1}},
        "required": ["q"],
        "additionalProperties": False,
    }
    assert tool(q="x") == {"q": "x"}


def pieces(query: str) -> Iterator[str]:
    """Yield."""
    yield query


def unresolved(x: Missing) -> None:  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable, reportUnknownParameterType]
    """Take what nobody knows."""


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Tool(lambda: 1), "a lambda has no name"),
        (lambda: Tool(positional), "takes 'args' by position"),
        (lambda: Tool(math.sqrt), "sqrt takes 'x' by position"),
        (lambda: Tool(pieces), "pieces yields; a tool returns"),
        (lambda: Tool(type), "type does not say what it takes"),
        (
            lambda: Tool(search, arg_desc={"querry": "x"}),
            "search takes query, limit, place, but no",
        ),
        (lambda: Tool(search, args={"q": {}}), "but no 'q'"),
        (lambda: Tool(search, arg_types={"q": int}), "but no 'q'"),
        (lambda: Tool(unresolved), "type of 'x' of unresolved is unknown: Missing"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_the_way_out(
    make: Callable[[], Tool], said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        make()

    assert said in raised.value.message


def test_a_type_that_cannot_be_found_may_be_given() -> None:
    assert Tool(unresolved, arg_types={"x": int}).args == {"x": {"type": "integer"}}


def test_a_tool_is_shown_to_models_in_one_line() -> None:
    assert (
        str(Tool(Finder().find)) == 'find: Find one thing. Arguments: {"what": {"type": "string"}}'
    )
    assert str(Tool(lambda: 1, name="one")) == "one: Takes no arguments."
    assert str(Tool(everything)) == "everything: Takes any arguments."
    assert (
        json.loads(str(Tool(search)).partition("Arguments: ")[2]) == Tool(search).parameters_schema
    )
    assert repr(Tool(search)) == "Tool(search, args=['query', 'limit', 'place'])"


def test_a_tool_is_written_as_openai_takes_it() -> None:
    tool = Tool(Finder().find)

    assert tool.format_as_openai_function_call() == {
        "type": "function",
        "function": {
            "name": "find",
            "description": "Find one thing.",
            "parameters": {
                "type": "object",
                "properties": {"what": {"type": "string"}},
                "required": ["what"],
                "additionalProperties": False,
            },
        },
    }
