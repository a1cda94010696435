"""Journals: what one reader asked for and was sent, as plain data that outlives it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from headrace_proto.v1 import headrace_pb2 as pb


@dataclass
class Message:
    """One StreamEvent."""

    sequence: int
    count: int
    kind: str
    """token, status, prediction, custom, input_request, input_resolved or heartbeat; batch stands
    before the events of one."""
    body: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class End:
    """How a stream ended."""

    code: str
    state: str = ""
    """headrace-run-state: SUCCEEDED, FAILED, CANCELLED; empty where only the stream ended."""
    reason: str = ""
    details: str = ""
    usage: dict[str, Any] | None = None
    """headrace-usage-bin, of a run that failed."""


@dataclass
class Stream:
    """One RPC of a reader."""

    after: int
    messages: list[Message] = field(default_factory=list[Message])
    end: End | None = None
    """None where the reader itself gave up on it."""


@dataclass
class Journal:
    """All a reader did to read one run."""

    run_id: str
    reader: str = ""
    streams: list[Stream] = field(default_factory=list[Stream])
    provider_requests: int | None = None
    """Requests that the model's provider got for this run, where somebody counted."""
    accepts: list[str] = field(default_factory=list[str])
    """Kinds of event that it accepted beyond those that everybody gets: CUSTOM, INPUT, BATCH."""
    detail: str = "ALL"
    """The tokens that it asked for."""

    @property
    def messages(self) -> Iterator[Message]:
        """All messages, over all streams."""
        return (message for stream in self.streams for message in stream.messages)

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> Journal:
        """What `to_json` gave."""
        told = json.loads(line)
        streams = [
            Stream(
                one["after"],
                [Message(**message) for message in one["messages"]],
                End(**one["end"]) if one["end"] else None,
            )
            for one in told.pop("streams")
        ]

        return Journal(**told, streams=streams)


def save(journals: Iterable[Journal], path: Path) -> None:
    """Writes journals, one a line."""
    path.write_text("".join(f"{journal.to_json()}\n" for journal in journals))


def load(path: Path) -> list[Journal]:
    """Reads journals."""
    return [Journal.from_json(line) for line in path.read_text().splitlines()]


def messages_of(event: pb.StreamEvent) -> Iterator[Message]:
    """A StreamEvent as the journal keeps it; of a batch its events after it."""
    yield message_of(event)

    for one in event.batch.events:
        yield from messages_of(one)


def message_of(event: pb.StreamEvent) -> Message:
    """One StreamEvent."""
    kind = str(event.WhichOneof("event"))

    return Message(event.sequence, event.event_count, kind, _BODIES[kind](event))


def _token(event: pb.StreamEvent) -> dict[str, Any]:
    token = event.token

    return {
        "call": token.call_id,
        "predictor": token.predictor,
        "field": token.field,
        "chunk": token.chunk,
        "offset": token.offset,
        "is_last": token.is_last,
    }


def _status(event: pb.StreamEvent) -> dict[str, Any]:
    status = event.status

    return {
        "call": status.call_id,
        "parent": status.parent_call_id,
        "kind": pb.StatusUpdate.Kind.Name(status.kind).removeprefix("KIND_"),
        "phase": pb.StatusUpdate.Phase.Name(status.phase).removeprefix("PHASE_"),
        "outcome": pb.StatusUpdate.Outcome.Name(status.outcome).removeprefix("OUTCOME_"),
        "name": status.name,
        "message": status.message,
        "attempt": status.lm.attempt,
        "cached": status.lm.cached,
        **({"tool": _tool(status.tool)} if status.HasField("tool") else {}),
    }


def _tool(tool: pb.ToolCall) -> dict[str, Any]:
    return {
        "provider_call_id": tool.provider_call_id,
        "arguments": _value(tool.arguments_json),
        "result": _value(tool.result_json),
    }


def _prediction(event: pb.StreamEvent) -> dict[str, Any]:
    return {"outputs": json.loads(event.prediction.outputs_json or "{}")}


def _custom(event: pb.StreamEvent) -> dict[str, Any]:
    custom = event.custom

    return {"call": custom.call_id, "name": custom.name, "data": _value(custom.data_json)}


def _input_request(event: pb.StreamEvent) -> dict[str, Any]:
    request = event.input_request

    return {
        "call": request.call_id,
        "input_id": request.input_id,
        "kind": pb.InputRequest.Kind.Name(request.kind).removeprefix("KIND_"),
        "message": request.message,
        "answer_schema": _value(request.answer_schema_json),
        "proposal": _value(request.proposal_json),
        "tool": request.tool,
    }


def _input_resolved(event: pb.StreamEvent) -> dict[str, Any]:
    resolved = event.input_resolved

    return {
        "call": resolved.call_id,
        "input_id": resolved.input_id,
        "outcome": pb.InputResolved.Outcome.Name(resolved.outcome).removeprefix("OUTCOME_"),
        "answer": _value(resolved.answer_json),
        "reason": resolved.reason,
    }


def _batch(event: pb.StreamEvent) -> dict[str, Any]:
    return {"size": len(event.batch.events)}


def _value(text: str) -> Any:
    """JSON text, decoded; None where nothing was sent."""
    return json.loads(text or "null")


def _nothing(event: pb.StreamEvent) -> dict[str, Any]:
    return {}


_BODIES = {
    "token": _token,
    "status": _status,
    "prediction": _prediction,
    "custom": _custom,
    "input_request": _input_request,
    "input_resolved": _input_resolved,
    "batch": _batch,
    "heartbeat": _nothing,
    "None": _nothing,
}
