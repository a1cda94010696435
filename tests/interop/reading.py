"""What a driver read: one reader's view of a run, as the client of its language gave it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.invariants import (
    calls_close,
    fields_close,
    final_texts,
    nothing_secret,
    prediction_is_text,
    questions_close,
    same_story,
    same_text,
    told_inside_calls,
)
from conformance.journal import End, Journal, Message, Stream

STATES = {"RUN_CANCELLED": "CANCELLED"}
WHOLE_CHECKS = (
    calls_close,
    fields_close,
    questions_close,
    told_inside_calls,
    prediction_is_text,
    nothing_secret,
)
"""What must hold of any run that was read to its end, however its stream was cut."""


@dataclass(frozen=True)
class Failure:
    """The error that a client raised."""

    kind: str
    """RequestRefused, RunFailed, RunSuspended, ServerUnreachable or ServerFault."""
    code: str
    reason: str
    run_id: str
    message: str = ""
    retry_delay: float | None = None
    violations: Sequence[str] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    state: str = ""
    """What the server called the state of a run that is suspended."""
    run_state: str = ""
    """What it called the run's state, whatever that was; empty where it said nothing of it."""
    lm_calls: int | None = None
    """From the usage that came with the error; None where none came."""


@dataclass(frozen=True)
class Reading:
    """What one reader was given."""

    run_id: str
    messages: Sequence[Message]
    texts: Mapping[tuple[str, str], str]
    """By predictor and field, as the client put them together."""
    outputs: str | None
    """JSON text; None where there was an error."""
    error: Failure | None
    cursor: int
    state: str = ""
    """Of the run's record, where a play looks at it."""
    inputs: str | None = None
    """JSON text of the run's record, likewise."""
    listed: Sequence[str] = ()
    """Names of the runs that a filter chose."""
    resolved: Mapping[str, Any] | None = None
    """How a question ended, for who replied to it: body of an input_resolved."""
    record: Mapping[str, Any] | None = None
    """Of a run, beside its state: reason and metadata of its failure, and the questions it asks."""
    described: Mapping[str, Any] | None = None
    """JSON schemas of a program: inputs, outputs, and tools by name."""

    @staticmethod
    def of(told: Mapping[str, Any]) -> Reading:
        """A driver's JSON object."""
        return Reading(
            run_id=told["run_id"],
            messages=[Message(**message) for message in told["messages"]],
            texts={(predictor, name): text for predictor, name, text in told["texts"]},
            outputs=told["outputs"],
            error=Failure(**told["error"]) if told["error"] else None,
            cursor=told["cursor"],
            state=told.get("state") or "",
            inputs=told.get("inputs"),
            listed=told.get("listed") or (),
            resolved=told.get("resolved"),
            record=told.get("record"),
            described=told.get("described"),
        )

    @property
    def values(self) -> Any:
        """The outputs, decoded."""
        assert self.outputs is not None, self.error

        return json.loads(self.outputs)

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """What the messages of a kind hold, in order."""
        return [message.body for message in self.messages if message.kind == kind]

    @property
    def failure(self) -> Failure:
        """The error there was."""
        assert self.error is not None, "it succeeded"

        return self.error

    @property
    def journal(self) -> Journal:
        """The reading as one stream of the conformance kit's journals."""
        end = End("OK", "SUCCEEDED")

        if self.error is not None:
            state = STATES.get(self.error.reason, "FAILED")
            reason, details = self.error.reason, self.error.message
            end = End(self.error.code, state, reason=reason, details=details)

        return Journal(self.run_id, "client", streams=[Stream(0, list(self.messages), end)])

    def breaches(self, whole: Journal | None = None) -> list[str]:
        """What is broken in it; `whole`: the same run, read by somebody whose stream was never cut."""
        journal = self.journal
        broken = [breach for check in WHOLE_CHECKS for breach in check(journal)]
        held = final_texts(journal)
        put_together = {name: text for (_, name), text in held.items()}
        kept = {name: text for (_, name), text in self.texts.items()}

        if kept != put_together:
            broken.append("the client's texts are not what its tokens say")

        if whole is not None:
            told = Journal(whole.run_id, "whole", streams=whole.streams)
            broken += [*same_story([told, journal]), *same_text([told, journal])]

        return broken
