"""Records as messages: runs, programs and limits."""

from __future__ import annotations

from importlib.metadata import version

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.hosting.port import FieldInfo, PredictorInfo, ProgramInfo, ToolInfo
from headrace.runs.limits import Limits
from headrace.runs.run import Run
from headrace.server.errors import PredictionTooLarge
from headrace.server.selection import OutputForm, wire_name
from headrace.server.v1.events import input_request_message, prediction_message, usage_message
from headrace.server.v1.status import failure_of
from headrace.server.v1.text import sound
from headrace.server.v1.values import duration, json_text, timestamp, to_struct, to_value

FEATURES = ("attach", "inputs-json", "linger", "merge-interval", "send-input")
DATA = "include-data"
"""The feature of a server that shows the caller the content of calls."""


def full_run_message(
    run: Run, form: OutputForm, max_prediction_bytes: int, *, with_inputs: bool = False
) -> pb.Run:
    """The record of a run as it is now, with how it ended. Raises PredictionTooLarge."""
    message = run_message(run)
    message.input_requests.extend(input_request_message(one) for one in run.input_requests)

    if with_inputs:
        message.inputs_json = sound(run.record.inputs_json or "")

    if run.failure is not None:
        message.failure.CopyFrom(failure_of(run.failure))

    if run.result is not None:
        message.prediction.CopyFrom(
            prediction_message(run.result, run.revisions, form, max_prediction_bytes)
        )

    return message


def fitting_run_message(run: Run, max_prediction_bytes: int) -> pb.Run:
    """The same for a caller that asked for no form: without outputs where they are too large."""
    try:
        return full_run_message(run, OutputForm.STRUCT, max_prediction_bytes)
    except PredictionTooLarge:
        return full_run_message(run, OutputForm.NONE, max_prediction_bytes)


def run_message(run: Run) -> pb.Run:
    """The record of a run as it is now, without its prediction or failure."""
    message = pb.Run(
        run_id=run.run_id,
        program=run.program,
        revision=run.revision,
        interface_revision=run.interface_revision,
        state=pb.Run.State.ValueType(run.state),
        attempt=run.attempt,
        last_sequence=run.log.last_sequence,
        reader_count=run.reader_count,
        create_time=timestamp(run.create_time),
        usage=usage_message(run.usage),
        labels=run.labels,
        reask_count=run.reask_count,
    )

    if run.end_time is not None and run.expire_time is not None:
        message.end_time.CopyFrom(timestamp(run.end_time))
        message.expire_time.CopyFrom(timestamp(run.expire_time))

    return message


def cancelled_message(run: Run, max_prediction_bytes: int) -> pb.CancelRunResponse:
    """A run that was cancelled, or until when one that has not come yet will be refused."""
    if run.record.refused:
        return pb.CancelRunResponse(refused_until=timestamp(run.expire_time or 0.0))

    return pb.CancelRunResponse(run=fitting_run_message(run, max_prediction_bytes))


def program_message(program: ProgramInfo) -> pb.Program:
    """A program, as far as callers may know it."""
    return pb.Program(
        name=program.name,
        description=sound(program.description),
        revision=program.revision,
        interface_revision=program.interface_revision,
        inputs=[_input(field) for field in program.inputs],
        outputs=[_output(field) for field in program.outputs],
        predictors=[_predictor(predictor) for predictor in program.predictors],
        tools=[_tool(tool) for tool in program.tools],
        input_schema_json=json_text(program.input_schema),
        output_schema_json=json_text(program.output_schema),
        example_inputs=to_struct(program.example_inputs),
    )


def server_message(limits: Limits, *, shows_data: bool) -> pb.GetServerInfoResponse:
    """Facts about this server, as one caller finds it."""
    return pb.GetServerInfoResponse(
        version=version("headrace"),
        features=(*FEATURES, *([DATA] if shows_data else ())),
        limits=pb.Limits(
            max_message_bytes=limits.max_message_bytes,
            max_run_bytes=limits.max_run_bytes,
            max_running_count=limits.max_running_count,
            max_queued_count=limits.max_queued_count,
            default_linger=duration(limits.default_linger),
            max_linger=duration(limits.max_linger),
            max_timeout=duration(limits.max_timeout),
            retention=duration(limits.retention),
            heartbeat_interval=duration(limits.heartbeat_interval),
            max_input_bytes=limits.max_input_bytes,
            max_input_depth=limits.max_input_depth,
            max_token_bytes=limits.max_token_bytes,
            max_prediction_bytes=limits.max_prediction_bytes,
            max_labels=limits.max_labels,
            max_open_input_count=limits.max_open_inputs,
            max_starts_per_second=limits.max_starts_per_second,
            max_running_count_per_principal=limits.max_running_count_per_principal,
            max_custom_event_bytes=limits.max_custom_event_bytes,
        ),
    )


def _input(field: FieldInfo) -> pb.Field:
    message = pb.Field(
        name=field.name,
        description=sound(field.description),
        type=field.type,
        required=field.required,
    )

    if field.default is not ...:
        message.default_value.CopyFrom(to_value(field.default))

    return message


def _output(field: FieldInfo) -> pb.Field:
    return pb.Field(
        name=field.name,
        description=sound(field.description),
        type=field.type,
        streamable=field.streams_text,
    )


def _predictor(predictor: PredictorInfo) -> pb.Predictor:
    return pb.Predictor(
        name=wire_name(predictor.address),
        signature=predictor.signature,
        module=predictor.module,
        outputs=[_output(field) for field in predictor.outputs],
    )


def _tool(tool: ToolInfo) -> pb.Tool:
    return pb.Tool(
        name=tool.name,
        description=sound(tool.description),
        parameters_schema_json=json_text(tool.parameters_schema),
        idempotent=tool.idempotent,
        approval=tool.approval,
    )
