"""Short ways to write a run's events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from headrace_proto.v1 import headrace_pb2 as pb

Arm = (
    pb.Token
    | pb.StatusUpdate
    | pb.Prediction
    | pb.Heartbeat
    | pb.CustomEvent
    | pb.InputRequest
    | pb.InputResolved
)
S = pb.StatusUpdate


def token(
    field: str,
    chunk: str,
    offset: int = 0,
    *,
    last: bool = False,
    call_id: int = 2,
    cached: bool = False,
) -> pb.Token:
    """A token; `field` is `predictor.field`."""
    predictor, _, name = field.rpartition(".")

    return pb.Token(
        predictor=predictor,
        field=name,
        chunk=chunk,
        offset=offset,
        is_last=last,
        call_id=call_id,
        cached=cached,
    )


def tokens(field: str, *chunks: str, call_id: int = 2) -> list[pb.Token]:
    """The tokens of a whole field."""
    offsets = [sum(map(len, chunks[:i])) for i in range(len(chunks))]

    return [
        token(field, chunk, offset, last=i == len(chunks) - 1, call_id=call_id)
        for i, (chunk, offset) in enumerate(zip(chunks, offsets, strict=True))
    ]


def start(kind: S.Kind.ValueType, name: str = "", message: str = "", *, call_id: int = 1) -> S:
    return S(kind=kind, phase=S.PHASE_START, name=name, message=message, call_id=call_id)


def end(
    kind: S.Kind.ValueType,
    name: str = "",
    message: str = "",
    *,
    call_id: int = 1,
    failure: pb.Failure | None = None,
    seconds: float = 0.5,
) -> S:
    return S(
        kind=kind,
        phase=S.PHASE_END,
        name=name,
        message=message,
        call_id=call_id,
        outcome=S.OUTCOME_OK if failure is None else S.OUTCOME_ERROR,
        failure=failure,
        elapsed=duration(seconds),
    )


def prediction(**outputs: Any) -> pb.Prediction:
    answer = pb.Prediction(outputs_json=json.dumps(outputs))
    ParseDict(outputs, answer.outputs)

    return answer


def duration(seconds: float) -> Duration:
    return Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))


def log(*arms: Arm, every: float = 0.1) -> list[pb.StreamEvent]:
    """The events of a run in their envelopes, numbered, one each `every` seconds."""
    return [envelope(arm, sequence, sequence * every) for sequence, arm in enumerate(arms, 1)]


def envelope(arm: Arm, sequence: int, seconds: float = 0.0, *, count: int = 1) -> pb.StreamEvent:
    event = pb.StreamEvent(
        sequence=sequence,
        event_count=count,
        attempt=1,
        create_time=Timestamp(seconds=1_000 + int(seconds), nanos=round(seconds % 1 * 1e9)),
    )

    match arm:
        case pb.Token():
            event.token.CopyFrom(arm)
        case pb.StatusUpdate():
            event.status.CopyFrom(arm)
        case pb.Prediction():
            event.prediction.CopyFrom(arm)
        case pb.Heartbeat():
            event.heartbeat.CopyFrom(arm)
            event.event_count = 0
        case pb.CustomEvent():
            event.custom.CopyFrom(arm)
        case pb.InputRequest():
            event.input_request.CopyFrom(arm)
        case pb.InputResolved():
            event.input_resolved.CopyFrom(arm)

    return event


def question(input_id: str, message: str, **schema: Any) -> pb.InputRequest:
    return pb.InputRequest(
        input_id=input_id,
        kind=pb.InputRequest.KIND_QUESTION,
        message=message,
        answer_schema_json=json.dumps(schema),
    )


def approval(input_id: str, tool: str, **arguments: Any) -> pb.InputRequest:
    return pb.InputRequest(
        input_id=input_id,
        kind=pb.InputRequest.KIND_APPROVAL,
        tool=tool,
        proposal_json=json.dumps(arguments),
    )


def answered(input_id: str) -> pb.InputResolved:
    return pb.InputResolved(input_id=input_id, outcome=pb.InputResolved.OUTCOME_ANSWERED)


def custom(name: str, **data: Any) -> pb.CustomEvent:
    return pb.CustomEvent(name=name, data_json=json.dumps(data))


def composer_run() -> Sequence[Arm]:
    """A run of the composer: two branches side by side, then the answer."""
    ideas = tokens("ideas.brainstorm.brainstorm", "Rivers ", "carry ", "light.", call_id=3)
    evidence = tokens("evidence.probe.evidence", "In 1911 ", "it ", "rained.", call_id=4)
    answer = tokens("compose.answer", "Because ", "of rain.", call_id=5)

    return [
        start(S.KIND_RUN, "composer"),
        start(S.KIND_MODULE, "ideas", "Spinning ideas...", call_id=2),
        *(arm for pair in zip(ideas, evidence, strict=True) for arm in pair),
        end(S.KIND_MODULE, "ideas", "Ideas ready.", call_id=2),
        *answer,
        end(S.KIND_RUN, "composer"),
        prediction(answer="Because of rain."),
    ]
