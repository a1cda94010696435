"""The port of hosting: what a server and its runs need of a program, and nothing of how it is made.

`Program` hosts modules through it. Anything else that describes itself as data, checks its inputs and
gives its work can be hosted as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import EllipsisType
from typing import Any, Protocol

from headrace.errors import (
    FieldViolation,
    OutputUnserialisable,
    RequestInvalid,
    RevisionMismatch,
)
from headrace.execution import Work
from headrace.values import JSON, to_jsonable

RUN_ID_RULE = 'must be 1 to 64 letters, digits, "_" or "-", and begin with a letter or digit'

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One input or output, for those who give or read it."""

    name: str
    type: str = "str"
    """The type as one writes it in Python: `list[str]`, `Literal['a', 'b']`."""
    description: str = ""
    required: bool = False
    """Of an input: it has to be given."""
    default: JSON | EllipsisType = ...
    """Of an input: its value where it is not given; `...` where there is none that JSON can hold."""
    streams_text: bool = False
    """Of an output: its value is its text, so that parts of it mean something."""


@dataclass(frozen=True, slots=True)
class PredictorInfo:
    """A predictor of a program: what can stream."""

    address: str
    """The path of attributes to it: `ideas.brainstorm`."""
    outputs: Sequence[FieldInfo]
    signature: str = ""
    """Its inputs and outputs: `question -> answer`."""
    module: str = ""
    """The name of its class."""


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """A tool that a program may call."""

    name: str
    description: str = ""
    parameters_schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """JSON Schema of its arguments."""
    idempotent: bool = False
    approval: bool = False
    """Calls of it may wait until somebody allows them."""


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """A program as data: all that callers may know of it before it runs."""

    name: str
    revision: str
    description: str = ""
    inputs: Sequence[FieldInfo] = ()
    outputs: Sequence[FieldInfo] = ()
    """Empty where predictions carry what comes."""
    predictors: Sequence[PredictorInfo] = ()
    tools: Sequence[ToolInfo] = ()
    input_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    """JSON Schema of the inputs, in their order: the types of fields in full."""
    output_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    """JSON Schema of the outputs as they are sent."""
    example_inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Inputs to paste, as JSON."""
    interface_revision: str = ""


class Revised(Protocol):
    """A program, a run of one, or what is wanted of them, where an empty revision is any."""

    @property
    def revision(self) -> str:
        """Changes when the program's behaviour may."""
        ...

    @property
    def interface_revision(self) -> str:
        """Changes when its callers may have to; see `interface_revision_of`."""
        ...


class HostedProgram(Revised, Protocol):
    """A program that can be described, asked and run."""

    @property
    def name(self) -> str:
        """Its name on this server."""
        ...

    def describe(self) -> ProgramInfo:
        """The program as data. It stays the same while the program is served."""
        ...

    def check(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Inputs that came as JSON, as the program takes them, defaults filled in.

        Raises InputInvalid, with everything that is wrong.
        """
        ...

    def work(self, inputs: Mapping[str, Any]) -> Work:
        """One run of it, with inputs that were checked."""
        ...


@dataclass(frozen=True)
class StartRequest:
    """A start, as a caller asks for it."""

    program: HostedProgram
    inputs: Mapping[str, Any]
    """Checked and coerced, defaults filled in."""
    principal: str = ""
    """The name of the caller; run ids are scoped to it."""
    peer: str = ""
    """The address of the caller, for logs."""
    run_id: str = ""
    """Empty = the registry picks one."""
    timeout: float | None = None
    """Seconds the run may take; None = the limit."""
    linger: float | None = None
    """Seconds the run outlives its last reader; None = the default."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    resumes: bool = False
    """Only join: never start a run."""
    revision: str = ""
    """The only revision of the program that will do; empty = any."""
    interface_revision: str = ""
    """The only one that will do; empty = any."""
    caller_context: Mapping[str, str] = field(default_factory=dict[str, str])
    """Trace context that the caller sent along; observers find it on the run's own call."""

    def __post_init__(self) -> None:
        if self.run_id:
            check_run_id(self.run_id)

    @cached_property
    def inputs_json(self) -> str:
        """The inputs as JSON, their names in order: as the program takes them."""
        inputs = {name: _jsonable(value) for name, value in self.inputs.items()}

        return json.dumps(inputs, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @cached_property
    def digest(self) -> str:
        """Equal for starts of the same program with the same inputs, in their canonical JSON form.

        Inputs of any type are given whole numbers as they came: 3 in a Struct, 3.0 perhaps in a text.
        """
        inputs = json.loads(self.inputs_json, parse_float=_number)
        text = json.dumps([self.program.name, inputs], sort_keys=True)

        return hashlib.sha256(text.encode()).hexdigest()


def check_run_id(run_id: str) -> None:
    """Raises RequestInvalid for what can be no run's id."""
    if not _RUN_ID.fullmatch(run_id):
        raise RequestInvalid([FieldViolation("run_id", RUN_ID_RULE)])


def unmet_revision(wanted: Revised, there: Revised) -> str:
    """The kind of revision that is wanted and is another one there; empty where there is none."""
    if wanted.revision not in ("", there.revision):
        return "revision"

    if wanted.interface_revision not in ("", there.interface_revision):
        return "interface_revision"

    return ""


def check_revision(program: HostedProgram, wanted: Revised) -> None:
    """Raises RevisionMismatch where the program is at another revision than the only one that will do."""
    if kind := unmet_revision(wanted, program):
        present: str = getattr(program, kind)
        asked: str = getattr(wanted, kind)

        raise RevisionMismatch(
            f"program {program.name!r} is at {kind} {present}, not {asked}; ask GetProgram for what it "
            "takes now, or leave the field out",
            metadata={kind: present},
        )


def _number(text: str) -> int | float:
    value = float(text)

    return int(value) if value.is_integer() else value


def _jsonable(value: object) -> object:
    try:
        return to_jsonable(value)
    except OutputUnserialisable:  # a program's own kind of input: what it says of itself must do
        return str(value)
