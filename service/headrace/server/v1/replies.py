"""Replies decoded: what a caller says to a question of a run."""

from __future__ import annotations

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.errors import FieldViolation, RequestInvalid
from headrace.questions import Reply
from headrace.runs.limits import Limits
from headrace.server.v1.bounded import BoundedJson

EMPTY_HINT = (
    "arrived empty, and null is a value of its own; in Node with proto-loader a plain value arrives so: "
    "send answer_json"
)


def decode_reply(request: pb.SendInputRequest, limits: Limits) -> Reply:
    """A reply in its form, in bounds. Raises RequestInvalid, InputInvalid."""
    answer = BoundedJson("answer", limits)

    match request.WhichOneof("input"):
        case "answer" if request.answer.WhichOneof("kind") is None:
            raise _invalid("answer", EMPTY_HINT)
        case "answer":
            return Reply(answer.value(request.answer), reason=request.reason)
        case "answer_json":
            return Reply(answer.text(request.answer_json), reason=request.reason)
        case "decline" if request.decline:
            return Reply(declines=True, reason=request.reason)
        case "decline":
            raise _invalid("decline", "must be true; to answer, send answer or answer_json")
        case _:
            raise _invalid("input", "is required: answer, answer_json or decline")


def _invalid(field: str, rule: str) -> RequestInvalid:
    return RequestInvalid([FieldViolation(field, rule)])
