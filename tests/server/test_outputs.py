"""Outputs in every form: what fits is sent, what does not fails one reader by name, and never the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # has no py.typed
from grpc import StatusCode
from headrace.events import PredictionEvent, Usage
from headrace.runs.limits import Limits
from headrace.runs.run import Revisions
from headrace.server.errors import PredictionTooLarge
from headrace.server.selection import OutputForm
from headrace.server.v1.events import prediction_message, usage_message
from headrace.server.v1.values import NoRoom, fill_struct, to_struct
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from server.scripted import soon
from server.serving import Heard, Served, asking, heard, program, refusal, served

MAX_MESSAGE = 4 * 1024 * 1024
"""What a gRPC client takes by default."""

FORMS = {
    OutputForm.STRUCT: ["outputs"],
    OutputForm.JSON: ["outputs_json"],
    OutputForm.BOTH: ["outputs", "outputs_json"],
    OutputForm.NONE: [],
}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)
outputs = st.dictionaries(st.text(), values, max_size=4)


def prediction(
    outputs: Mapping[str, object], form: OutputForm = OutputForm.STRUCT, most: int = 2**21
) -> pb.Prediction:
    return prediction_message(PredictionEvent(None, outputs), Revisions("rev"), form, most)


@given(outputs)
def test_a_form_is_sent_up_to_its_very_size_and_refused_beyond(given_: dict[str, object]) -> None:
    struct, text = prediction(given_).outputs, prediction(given_, OutputForm.JSON).outputs_json
    sizes = {
        OutputForm.STRUCT: struct.ByteSize(),
        OutputForm.JSON: len(text.encode()),
        OutputForm.BOTH: struct.ByteSize() + len(text.encode()),
        OutputForm.NONE: 0,
    }

    for form, size in sizes.items():
        sent = prediction(given_, form, size)
        assert [name for name in ("outputs", "outputs_json") if name in set_in(sent)] == FORMS[form]

        if size:
            with pytest.raises(PredictionTooLarge) as caught:
                prediction(given_, form, size - 1)

            json_fits = form is not OutputForm.JSON and sizes[OutputForm.JSON] < size
            assert caught.value.metadata == {
                "form": form.name,
                "fits": "JSON" if json_fits else "NONE",
            }


def set_in(message: pb.Prediction) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


@given(outputs)
def test_a_struct_that_is_filled_in_bounds_is_the_one_that_is_made(
    given_: dict[str, object],
) -> None:
    whole, target = to_struct(given_), Struct()

    assert fill_struct(target, given_, whole.ByteSize()) == whole.ByteSize()
    assert target == whole


def test_a_struct_that_cannot_fit_is_given_up_long_before_it_is_made() -> None:
    target = Struct()

    with pytest.raises(NoRoom):
        fill_struct(target, {"grains": [1] * 1_000_000}, 11_000)

    assert target.ByteSize() < 12_000


def test_usage_names_a_hundred_models_and_the_others_together() -> None:
    models = {f"model {number:03}": Usage(input_tokens=number) for number in range(250)}
    usage = usage_message(Usage(input_tokens=sum(range(250)), models=models))
    named = {one.model: one.input_token_count for one in usage.models}

    assert len(named) == 100
    assert named == {
        "(others)": sum(range(151)),
        **{f"model {number:03}": number for number in range(151, 250)},
    }
    assert list(named) == sorted(named)
    assert sum(named.values()) == usage.input_token_count


@pytest.mark.parametrize("form", OutputForm)
def test_every_prediction_that_is_sent_fits_what_clients_take(form: OutputForm) -> None:
    """Many models with long names, and outputs that fill the limit to the last byte."""
    models = {"é" * 300 + str(number): Usage(number, cost_usd=0.1) for number in range(5000)}
    usage = Usage(2**31, cost_usd=1.0, models=models)
    share = 2**20 if form is OutputForm.BOTH else 2**21
    result = PredictionEvent(None, {"answer": "x" * (share - 100)}, usage, elapsed=1e6)
    message = prediction_message(result, Revisions("r" * 12, "i" * 12), form, 2**21)
    run = pb.Run(
        run_id="x" * 64,
        labels={f"{number:02}" + "é" * 62: "é" * 64 for number in range(16)},
        usage=usage_message(usage),
        prediction=message,
    )

    assert pb.GetRunResponse(run=run).ByteSize() < MAX_MESSAGE
    assert message.ByteSize() < 2**21 + 200_000


MILLION = 1_000_000


async def many(question: str) -> object:
    return {"grains": [7] * MILLION}


async def few(question: str) -> object:
    return {"grains": [7] * 3}


def options(form: OutputForm, **more: Any) -> pb.StreamOptions:
    return pb.StreamOptions(output_form=pb.OutputForm.ValueType(form), **more)


def info(refused: Heard) -> dict[str, str]:
    details = refused.trailers["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    status = status_pb2.Status.FromString(details)
    found = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(found)

    return dict(found.metadata)


def assert_too_large(refused: Heard, form: str, last_sequence: int) -> None:
    """The run is over and succeeded; this call alone failed, and says what to ask for."""
    assert refused.code is StatusCode.RESOURCE_EXHAUSTED
    assert refused.details == (
        f"the outputs take more than 2097152 bytes in output_form {form}, which is the most that is "
        "sent; ask for JSON"
    )
    assert info(refused) == {"form": form, "fits": "JSON", "run_id": "r1", "program": "scripted"}
    assert {
        name: refused.trailers[name]
        for name in ("headrace-error-reason", "headrace-run-state", "headrace-run-id")
    } == {
        "headrace-error-reason": "PREDICTION_TOO_LARGE",
        "headrace-run-state": "SUCCEEDED",
        "headrace-run-id": "r1",
    }
    assert refused.trailers["headrace-last-sequence"] == str(last_sequence)


@pytest.mark.parametrize("accept", [[], [pb.EVENT_KIND_BATCH]], ids=["alone", "batched"])
async def test_a_million_numbers_are_json_within_a_clients_default_and_fail_as_struct_by_name(
    accept: list[Any],
) -> None:
    async with served(program(many)) as service:
        stub = service.stub
        quick = options(OutputForm.STRUCT, accept=accept, heartbeat_interval={})
        refused = await soon(heard(stub.Run(asking(run_id="r1", options=quick))))
        events = unpacked(refused)
        last = events[-1].sequence

        assert [one.WhichOneof("event") for one in events] == ["status"] * len(events)
        assert_too_large(refused, "STRUCT", last)

        for form in (OutputForm.STRUCT, OutputForm.BOTH):
            again = options(form, accept=accept, heartbeat_interval={})
            late = await soon(heard(stub.Attach(pb.AttachRequest(run_id="r1", options=again))))
            assert_too_large(late, form.name, last)
            assert unpacked(late) == events

        request = pb.AttachRequest(
            run_id="r1", after_sequence=last, options=options(OutputForm.JSON, accept=accept)
        )
        (rest,) = (await soon(heard(stub.Attach(request)))).events
        assert rest.sequence == last + 1
        assert json.loads(rest.prediction.outputs_json) == {"grains": [7] * MILLION}


def unpacked(one: Heard) -> list[pb.StreamEvent]:
    return [
        inner
        for event in one.events
        for inner in (event.batch.events if event.HasField("batch") else [event])
    ]


async def test_predict_and_get_run_fail_alike_and_a_cancel_does_not() -> None:
    async with served(program(many)) as service:
        stub = service.stub
        asked = pb.PredictRequest(program="scripted", run_id="r1", inputs_json='{"question": ""}')
        refused = await soon(refusal(stub.Predict(asked)))
        last = int(str(refused.trailers["headrace-last-sequence"]))
        assert_too_large(refused, "STRUCT", last)
        assert_too_large(
            await soon(refusal(stub.GetRun(pb.GetRunRequest(run_id="r1")))), "STRUCT", last
        )

        asked.output_form = pb.OUTPUT_FORM_JSON
        predicted = await soon(stub.Predict(asked))
        assert len(json.loads(predicted.prediction.outputs_json)["grains"]) == MILLION

        for form, names in ((pb.OUTPUT_FORM_JSON, ["outputs_json"]), (pb.OUTPUT_FORM_NONE, [])):
            got = await soon(stub.GetRun(pb.GetRunRequest(run_id="r1", output_form=form)))
            assert got.run.state == pb.Run.STATE_SUCCEEDED
            assert [
                name for name in ("outputs", "outputs_json") if name in set_in(got.run.prediction)
            ] == names

        cancelled = await soon(stub.CancelRun(pb.CancelRunRequest(run_id="r1")))
        assert cancelled.run.state == pb.Run.STATE_SUCCEEDED
        assert cancelled.run.prediction.revision
        assert not cancelled.run.prediction.HasField("outputs")


@pytest.mark.parametrize("form", OutputForm)
async def test_every_call_gives_the_form_that_it_is_asked_for(form: OutputForm) -> None:
    wire = pb.OutputForm.ValueType(form)

    async with served(program(few)) as service:
        stub = service.stub
        request = asking(run_id="r1", options=options(form))
        streamed = (await soon(heard(stub.Run(request)))).events[-1].prediction
        asked = pb.PredictRequest(
            program="scripted", run_id="r1", inputs_json='{"question": "why?"}', output_form=wire
        )
        predicted = (await soon(stub.Predict(asked))).prediction
        got = await soon(stub.GetRun(pb.GetRunRequest(run_id="r1", output_form=wire)))

        assert [name for name in ("outputs", "outputs_json") if name in set_in(streamed)] == FORMS[
            form
        ]
        assert streamed == predicted == got.run.prediction


async def test_only_outputs_that_do_not_fit_as_json_fail_the_run() -> None:
    """The sizes are those of the text as it is sent: {"result":"xx..."}."""

    async def play(question: str) -> object:
        return "x" * (len(question) - len('{"result":""}'))

    async with served(program(play), limits=Limits(max_prediction_bytes=1000)) as service:
        fits = await outcome(service, "f" * 1000)
        fails = await outcome(service, "f" * 1001)

    assert (fits.code, len(fits.events[-1].prediction.outputs_json)) == (StatusCode.OK, 1000)
    assert fails.trailers["headrace-error-reason"] == "RUN_TOO_LARGE"
    assert fails.trailers["headrace-run-state"] == "FAILED"
    assert fails.details == "the outputs are 1001 bytes of JSON; at most 1000 are sent"


async def outcome(service: Served, question: str) -> Heard:
    return await soon(heard(service.stub.Run(asking(question, options=options(OutputForm.JSON)))))
