"""RunRecord: one run as data, from its admission until nobody can read it any more.

A record is frozen and holds nothing live, so that a store may write it down: what changes, changes by
`dataclasses.replace`, and the store is told. The run's events are not in it; they are its log.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from headrace.errors import HeadraceError, RunCancelled
from headrace.events import PredictionEvent, Usage


class RunKey(NamedTuple):
    """The name a run is found by: its id is scoped to the principal that started it."""

    principal: str
    run_id: str


class RunState(enum.IntEnum):
    """State of a run. Numbers equal those of the contract."""

    QUEUED = 1
    RUNNING = 2
    WAITING = 3
    """With a question that nobody has answered yet."""
    SUCCEEDED = 4
    FAILED = 5
    CANCELLED = 6


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a run. Its failure is bare and its result has no `value` once they are recorded."""

    failure: HeadraceError | None = None
    result: PredictionEvent | None = None
    usage: Usage = field(default_factory=Usage)
    cause: str = ""
    """The cause that readers may be told beside the message; mostly nothing."""
    output_bytes: int = 0
    """Of the result's outputs, as JSON text."""
    reask_count: int = 0
    """How often an answer that could not be read was asked for again."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: what was asked for, and how it ended. Times in seconds since the epoch."""

    key: RunKey
    program: str
    revision: str
    digest: str
    """Equal for starts of the same program with the same inputs."""
    create_time: float
    timeout: float
    """Seconds the run may take, from its admission."""
    linger: float
    """Seconds the run outlives its last reader."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    peer: str = ""
    """Address of the caller who started it, for logs."""
    attempt: int = 1
    begun: bool = False
    """True once the program has been called."""
    inputs_json: str | None = None
    """The inputs after coercion and defaults, as JSON; None where nobody may see them, and where they are too large."""
    ending: Ending | None = None
    """None while the run lives."""
    end_time: float | None = None
    expire_time: float | None = None
    """When the record is dropped, at the latest."""
    waiting: bool = False
    """True while it has open questions."""
    interface_revision: str = ""

    @property
    def state(self) -> RunState:
        """State of the run now."""
        if self.ending is not None:
            return state_of(self.ending)

        if self.waiting:
            return RunState.WAITING

        return RunState.RUNNING if self.begun else RunState.QUEUED

    @property
    def refused(self) -> bool:
        """True for a run that was cancelled before it came, and will not come: it has no program."""
        return not self.program

    @property
    def facts(self) -> Mapping[str, str]:
        """The names that lines of log from inside the run carry."""
        return {
            "run_id": self.key.run_id,
            "program": self.program,
            "attempt": str(self.attempt),
            "principal": self.key.principal,
        }


def state_of(ending: Ending) -> RunState:
    """The state of a run that ended so."""
    if ending.failure is None:
        return RunState.SUCCEEDED

    return RunState.CANCELLED if isinstance(ending.failure, RunCancelled) else RunState.FAILED
