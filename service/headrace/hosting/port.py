"""HostedProgram: what the registry needs of a program. `Program` is one; tests bring their own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from headrace.errors import FieldViolation, OutputUnserialisable, RequestInvalid
from headrace.execution import Work
from headrace.values import to_jsonable

RUN_ID_RULE = 'must be 1 to 64 letters, digits, "_" or "-", and begin with a letter or digit'

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class HostedProgram(Protocol):
    """A program that can be run."""

    @property
    def name(self) -> str:
        """Its name on this server."""
        ...

    @property
    def revision(self) -> str:
        """Changes when its behaviour may."""
        ...

    def work(self, inputs: Mapping[str, Any]) -> Work:
        """One run of it, with inputs that were checked."""
        ...


@dataclass(frozen=True)
class StartRequest:
    """What a caller asks to be run."""

    program: HostedProgram
    inputs: Mapping[str, Any]
    """Checked and coerced, defaults filled in."""
    principal: str = ""
    """Who asks; run ids are scoped to it."""
    peer: str = ""
    """Where the caller is, for logs."""
    run_id: str = ""
    """Empty = the registry picks one."""
    timeout: float | None = None
    """Seconds the run may take; None = the limit."""
    linger: float | None = None
    """Seconds the run outlives its last reader; None = the default."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    resumes: bool = False
    """Only join: never start a run."""
    caller_context: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the caller sent along for traces; observers find it on the run's own call."""

    def __post_init__(self) -> None:
        if self.run_id and not _RUN_ID.fullmatch(self.run_id):
            raise RequestInvalid([FieldViolation("run_id", RUN_ID_RULE)])

    @cached_property
    def inputs_json(self) -> str:
        """The inputs as canonical JSON: equal inputs give equal text."""
        inputs = {name: _canonical(value) for name, value in self.inputs.items()}

        return json.dumps(inputs, sort_keys=True)

    @cached_property
    def digest(self) -> str:
        """Equal for orders of the same program with the same inputs, in their JSON form."""
        text = f"[{json.dumps(self.program.name)}, {self.inputs_json}]"

        return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object) -> object:
    try:
        return to_jsonable(value)
    except OutputUnserialisable:  # a program's own kind of input: what it says of itself must do
        return str(value)
