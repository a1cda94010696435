"""Events as JSON objects, whatever their kind."""

from __future__ import annotations

from headrace_gateway.payloads import event_payload
from headrace_proto.v1 import headrace_pb2 as pb


def test_an_event_of_a_kind_without_a_form_of_its_own_has_the_contract_s_names() -> None:
    envelope = pb.StreamEvent(run_id="r-1", sequence=3, heartbeat=pb.Heartbeat())

    assert event_payload(envelope) == {"type": "heartbeat"}


def test_a_token_is_told_without_what_it_lacks() -> None:
    envelope = pb.StreamEvent(token=pb.Token(predictor="ideas", field="text", chunk="a", call_id=2))

    assert event_payload(envelope) == {
        "type": "token",
        "field": "text",
        "predictor": "ideas",
        "chunk": "a",
        "is_last": False,
        "offset": 0,
        "call_id": 2,
    }
