"""Program: a module made ready for hosting.

It knows its fields and schemas before anything runs, checks inputs, and makes the work of a run out of
them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from headrace.adapters import Adapter
from headrace.calls import StatusMessageProvider, StatusMessages
from headrace.errors import InputInvalid, ProgramResultInvalid, UsageError
from headrace.execution import Work
from headrace.hosting.description import (
    input_infos,
    output_infos,
    predictor_infos,
    tool_infos,
)
from headrace.hosting.examples import example_inputs
from headrace.hosting.inputs import check_inputs
from headrace.hosting.interface import DeclaredOutputs, description_of, input_fields, output_fields
from headrace.hosting.interface_revision import interface_revision_of
from headrace.hosting.port import ProgramInfo
from headrace.hosting.revision import revision_of
from headrace.lm.base import BaseLM
from headrace.module import Module
from headrace.settings import context, settings
from headrace.signatures import make_signature
from headrace.values import to_jsonable

_NAME = re.compile(r"\w[\w.-]*")
_BEFORE_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Program:
    """A module to host, under a name.

    name: what callers ask for; the module's class name in snake case unless given.
    description: a sentence for those who list programs; the module's docstring, or its signature's,
    unless given.
    status: the words of its statuses. examples: inputs to paste, checked here.
    outputs: what predictions hold, "answer, score: int" or a signature, where the module's code does
    not show it. lm, adapter: over the settings.
    Raises UsageError for what cannot be hosted so.
    """

    def __init__(
        self,
        module: Module,
        *,
        name: str = "",
        description: str = "",
        status: StatusMessageProvider | None = None,
        examples: Sequence[Mapping[str, Any]] = (),
        outputs: DeclaredOutputs = None,
        lm: BaseLM | None = None,
        adapter: Adapter | None = None,
    ) -> None:
        if not isinstance(module, Module):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise UsageError(f"a program needs a Module, not {type(module).__name__}")

        _demand(lm, BaseLM, "lm=headrace.LM('openai/gpt-4o-mini')")
        _demand(adapter, Adapter, "adapter=headrace.JSONAdapter()")
        self.module = module
        self.name = _checked_name(name or _snake_case(type(module).__name__))
        self.description = description or description_of(module)
        self.lm = lm
        self.adapter = adapter
        self.revision = revision_of(module, lm, adapter)
        self.inputs = input_fields(module)
        """Fields that callers give."""
        self.outputs = output_fields(module, outputs)
        """Fields that predictions carry; none where they are neither declared nor to be seen in the code."""
        self._interface = make_signature([*self.inputs, *self.outputs])
        self.interface_revision = interface_revision_of(
            input_infos(self.inputs),
            output_infos(self.outputs),
            self.input_schema,
            self.output_schema,
        )
        """Changes when callers may have to: with names, types and schemas, never with words or code."""
        self._messages = StatusMessages(status)
        self._addresses = {id(one): path for path, one in module.named_modules()}
        self.examples = self._checked(examples)

    @property
    def input_schema(self) -> dict[str, Any]:
        """JSON Schema of the inputs."""
        return self._interface.json_schema("input")

    @property
    def output_schema(self) -> dict[str, Any]:
        """JSON Schema of the outputs; any object where they are not known."""
        if not self.outputs:
            return {"type": "object"}

        return self._interface.json_schema("output", "serialization")

    @property
    def lms(self) -> Mapping[str, BaseLM | None]:
        """The LM that each predictor will ask, as settings are now, by the predictor's address."""
        return {
            address: predictor.lm or self.lm or settings.lm
            for address, predictor in self.module.named_predictors()
        }

    @property
    def example_inputs(self) -> Mapping[str, Any]:
        """Inputs to paste: the first of the examples, or some of the right shape."""
        return self.examples[0] if self.examples else example_inputs(self.input_schema)

    def describe(self) -> ProgramInfo:
        """All that callers may know of it, as data."""
        return ProgramInfo(
            self.name,
            self.revision,
            self.description,
            inputs=input_infos(self.inputs),
            outputs=output_infos(self.outputs),
            predictors=predictor_infos(self.module),
            tools=tool_infos(self.module),
            input_schema=self.input_schema,
            output_schema=self.output_schema,
            example_inputs={
                name: to_jsonable(value, f"examples[0].{name}")
                for name, value in self.example_inputs.items()
            },
            interface_revision=self.interface_revision,
        )

    def check(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs as their fields' types, with defaults. Raises InputInvalid, all violations in it."""
        return check_inputs(self._interface.input_fields, inputs)

    def work(self, inputs: Mapping[str, Any]) -> Work:
        """The work of a run with checked inputs."""
        return Work(
            functools.partial(self._call, inputs),
            name=self.name,
            instance=self.module,
            inputs=inputs,
            addresses=self._addresses,
            messages=self._messages,
            outputs_of=self.outputs_of,
        )

    def outputs_of(self, value: object) -> dict[str, object]:
        """JSON-safe outputs of what the module returned.

        A Prediction or mapping gives its items, any other value {"result": value}. Raises
        ProgramResultInvalid for None, OutputUnserialisable for what has no JSON form.
        """
        if value is None:
            raise ProgramResultInvalid("the program returned None; return a Prediction")

        items: Mapping[object, object] = {"result": value}

        if isinstance(value, Mapping):
            items = cast("Mapping[object, object]", value)

        return {str(name): self._output(str(name), one) for name, one in items.items()}

    def _output(self, name: str, value: object) -> object:
        field = self._interface.output_fields.get(name)
        named = value if field is None else field.going_out(value)

        return to_jsonable(named, f"outputs.{name}")

    async def _call(self, inputs: Mapping[str, Any]) -> object:
        own = {"lm": self.lm, "adapter": self.adapter}

        with context(**{name: value for name, value in own.items() if value is not None}):
            return await self.module.acall(**inputs)

    def _checked(self, examples: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        if isinstance(examples, Mapping):
            raise UsageError("examples are a list of inputs, as in examples=[{'question': '...'}]")

        for number, example in enumerate(examples):
            try:
                self.check(example)
            except InputInvalid as error:
                raise UsageError(f"examples[{number}] of {self.name}: {error.message}") from error

        return [dict(example) for example in examples]

    def __repr__(self) -> str:
        return f"Program({self.name!r}, {type(self.module).__name__}, revision={self.revision!r})"


def _demand(given: object, kind: type, as_in: str) -> None:
    if given is not None and not isinstance(given, kind):
        raise UsageError(f"a program takes {as_in}, not {given!r}")


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a program; use letters, digits, '_', '-' and '.'"
        )

    return name


def _snake_case(name: str) -> str:
    return _BEFORE_WORD.sub("_", name).lower()
