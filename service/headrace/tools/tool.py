"""Tool: a function with a schema that models can read, callable from sync and async code alike."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias, cast

from headrace.asking import ask_for_leave, check_timeout, refuse_on_loop
from headrace.calls import BaseCallback, open_call
from headrace.errors import FieldViolation, InputInvalid, ToolError, UsageError
from headrace.events import Kind
from headrace.settings import settings
from headrace.signatures.schemas import JsonSchema
from headrace.threads import portal
from headrace.tools.arguments import Arguments, check_arguments
from headrace.tools.parameters import parameters_schema, read_parameters

Approve: TypeAlias = bool | Callable[[dict[str, Any]], Any]
"""Whether people are asked before a call; or a function of the arguments that says so, sync or async."""


class Tool:
    """A function as a tool. Name, description and arguments are the function's own unless given.

    `args` gives JSON Schemas, `arg_types` types and `arg_desc` descriptions of arguments, by name.
    `idempotent` says that calling it twice does no harm. A call's arguments are held to the schema
    and become what the parameters' types ask for, such as a model where a dict came.

    `approve` has a call wait until somebody allows it, perhaps with other arguments: always, or where a
    function of the checked arguments says so. `approval_timeout` is in seconds; None = until the run's
    timeout is spent.

    Raises UsageError for a function without a name, one that yields or cannot be called by names, for
    types that are unknown, and for an `approval_timeout` that is no time.
    """

    silent: ClassVar[bool] = False
    """True where statuses pass over this tool."""

    def __init__(
        self,
        func: Callable[..., Any],
        name: str | None = None,
        desc: str | None = None,
        args: Mapping[str, JsonSchema] | None = None,
        arg_types: Mapping[str, Any] | None = None,
        arg_desc: Mapping[str, str] | None = None,
        idempotent: bool = False,
        approve: Approve = False,
        approval_timeout: float | None = None,
    ) -> None:
        if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
            raise UsageError(
                f"{_name(func)} yields; a tool returns what it has to say, all at once"
            )

        check_timeout(approval_timeout, "approval_timeout")
        parameters = read_parameters(func, arg_types or {})
        parameters.require([*(args or ()), *(arg_types or ()), *(arg_desc or ())], func)
        self.func = func
        self.name = _name(func) if name is None else name
        self.desc = _description(func) if desc is None else desc
        self.arg_types = dict(parameters.types)
        self.arg_desc = dict(arg_desc or {})
        self.has_kwargs = parameters.has_kwargs
        """True where the function takes arguments of any name."""
        self.idempotent = idempotent
        self.approve = approve
        self.approval_timeout = approval_timeout
        self.callbacks: list[BaseCallback] = []
        """Told of this tool's calls, besides those in settings."""
        self._declared = dict(args or {})
        self.parameters_schema = parameters_schema(parameters, self._declared, self.arg_desc)
        """JSON Schema of all arguments as one object."""

    @property
    def args(self) -> dict[str, JsonSchema]:
        """JSON Schema by argument; a `$ref` in it points into `parameters_schema`."""
        return cast("dict[str, JsonSchema]", self.parameters_schema["properties"])

    async def acall(self, /, **kwargs: Any) -> Any:
        """Calls the tool from async code; a sync function runs in a worker thread.

        Raises ToolError for arguments that do not fit, InputDeclined and InputExpired where the call was
        not allowed, and what the function raises.
        """
        return await self._call(kwargs)

    async def acall_from(self, tool_call: Mapping[str, Any]) -> Any:
        """Calls the tool as a model asked for it by its provider's own tool calls, in OpenAI's words.

        Such are the `tool_calls` of an LM's answers. The `id` is told in the call's statuses. Raises
        ToolError for arguments that are no JSON object, and what `acall` raises.
        """
        return await self._call(
            self._arguments_of(tool_call), provider_call_id=str(tool_call.get("id") or "")
        )

    async def _call(self, given: Mapping[str, Any], provider_call_id: str = "") -> Any:
        opened = open_call(Kind.TOOL, self.name, self, given, provider_call_id=provider_call_id)

        with opened as call:
            arguments = self._checked(given)

            if callable(self.approve):
                asks = await portal.call(self.approve, dict(arguments))
            else:
                asks = self.approve

            if asks:
                arguments = await self._allowed(given)

            call.outputs = await portal.call(self.func, **arguments)

            return call.outputs

    def __call__(self, /, **kwargs: Any) -> Any:
        """Calls the tool from sync code; a sync function runs right here.

        Raises what `acall` raises, and UsageError for an async function unless the setting
        `allow_tool_async_sync_conversion` is on, and CannotAsk where waiting for leave would block an
        event loop.
        """
        with open_call(Kind.TOOL, self.name, self, kwargs) as call:
            arguments = self._checked(kwargs)
            asks = self.approve(dict(arguments)) if callable(self.approve) else self.approve

            if portal.result_of(asks):
                refuse_on_loop(f"tool {self.name}", "call it as 'await tool.acall(...)'")
                arguments = portal.run(self._allowed, kwargs)

            result = self.func(**arguments)
            self._refuse_awaitable(result)
            call.outputs = portal.result_of(result)

            return call.outputs

    async def _allowed(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments with which somebody allows the call."""
        return await ask_for_leave(
            self.name, given, self.parameters_schema, self._edited, self.approval_timeout
        )

    def _arguments_of(self, tool_call: Mapping[str, Any]) -> Mapping[str, Any]:
        written = (
            cast("Mapping[str, Any]", tool_call.get("function") or {}).get("arguments") or "{}"
        )

        try:
            arguments: object = json.loads(written) if isinstance(written, str) else written
        except (ValueError, RecursionError):
            arguments = None

        if not isinstance(arguments, Mapping):
            raise ToolError(
                f"tool {self.name}: its arguments are no JSON object",
                metadata={"tool": self.name},
            )

        return cast("Mapping[str, Any]", arguments)

    def _checked(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        values, faults, cause = self._check(given)

        if faults:
            said = f"tool {self.name}: {'; '.join(fault.rule for fault in faults)}"
            raise ToolError(said, metadata={"tool": self.name}) from cause

        return values

    def _edited(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        values, faults, cause = self._check(answer)

        if faults:
            found = [FieldViolation(f"answer.{place}", rule) for place, rule in faults]
            raise InputInvalid(found) from cause

        return values

    def _check(self, given: Mapping[str, Any]) -> Arguments:
        return check_arguments(given, self.parameters_schema, self.arg_types, self._declared)

    def _refuse_awaitable(self, result: object) -> None:
        if settings.allow_tool_async_sync_conversion or not inspect.isawaitable(result):
            return

        if inspect.iscoroutine(result):
            result.close()

        raise UsageError(
            f"tool {self.name} is async: call it as 'await tool.acall(...)', or allow sync calls by "
            "configure(allow_tool_async_sync_conversion=True)"
        )

    def format_as_openai_function_call(self) -> dict[str, Any]:
        """The tool as OpenAI's API takes it in `tools`."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.desc,
                "parameters": self.parameters_schema,
            },
        }

    def __str__(self) -> str:
        return " ".join([f"{self.name}:", *self.desc.split(), self._takes()])

    def _takes(self) -> str:
        if not self.args:
            return "Takes any arguments." if self.has_kwargs else "Takes no arguments."

        schema = self.parameters_schema if "$defs" in self.parameters_schema else self.args

        return f"Arguments: {json.dumps(schema, ensure_ascii=False)}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, args={list(self.args)})"


def _innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = function.func

    return function


def _name(function: Callable[..., Any]) -> str:
    inner = _innermost(function)
    name: str = getattr(inner, "__name__", type(inner).__name__)

    if name == "<lambda>":
        raise UsageError("a lambda has no name; give it one: Tool(function, name='...')")

    return name


def _description(function: Callable[..., Any]) -> str:
    inner = _innermost(function)
    own = inspect.getdoc(inner) or ""

    if hasattr(inner, "__name__"):
        return own

    return inspect.cleandoc(type(inner).__call__.__doc__ or own)  # an object that can be called
