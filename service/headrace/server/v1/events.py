"""Deliveries as StreamEvent messages: the one crossing from what happens in a run to the contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import assert_never

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.events import (
    CustomEvent,
    InputRequest,
    InputResolved,
    Kind,
    LmCall,
    PredictionEvent,
    Status,
    Token,
    ToolCall,
    Usage,
)
from headrace.runs.run import Revisions
from headrace.server.reader import Delivery, Write
from headrace.server.selection import OutputForm, ReaderOptions, selector, wire_name
from headrace.server.v1.outputs import fill_outputs
from headrace.server.v1.status import failure_of
from headrace.server.v1.text import line, sound
from headrace.server.v1.values import BILLION, duration, timestamp, to_struct

MAX_NAME = 200
"""Characters of a name: models and tools come from programs."""

MAX_MODELS = 100
"""Models that usage names: programs may name any number, and a prediction has to fit its message."""

OTHER_MODELS = "(others)"

MAX_INT32 = 2**31 - 1


class EventEncoder:
    """Makes messages for one reader of one run."""

    __slots__ = ("_max_prediction_bytes", "_names", "_options", "_revisions", "_run_id")

    def __init__(
        self,
        run_id: str,
        revisions: Revisions,
        options: ReaderOptions,
        *,
        max_prediction_bytes: int,
    ) -> None:
        self._run_id = run_id
        self._max_prediction_bytes = max_prediction_bytes
        self._revisions = revisions
        self._options = options
        self._names: dict[str, str] = {}  # of predictors, as clients know them

    def writer(self, send: Callable[[bytes], Awaitable[None]]) -> Write:
        """Sends messages by an RPC, whose own task alone may, and never inside a timeout."""

        async def write(delivery: Delivery) -> None:
            await send(self.message(delivery).SerializeToString())

        return write

    def message(self, delivery: Delivery) -> pb.StreamEvent:
        """The message that tells of a delivery. Raises PredictionTooLarge."""
        event = delivery.event
        message = pb.StreamEvent()  # assigning costs less than passing arguments
        message.run_id = self._run_id
        message.sequence = delivery.sequence
        message.event_count = delivery.event_count
        message.attempt = delivery.attempt
        created = message.create_time
        created.seconds = whole = int(delivery.time)
        created.nanos = int((delivery.time - whole) * BILLION)

        match event:
            case Token():
                name = self._names.get(event.predictor) or self._name(event.predictor)
                fill_token(message.token, event, name)
            case Status():
                data = self._options.include_data
                message.status.CopyFrom(status_message(event, include_data=data))
            case PredictionEvent():
                form = self._options.output_form
                most = self._max_prediction_bytes
                message.prediction.CopyFrom(prediction_message(event, self._revisions, form, most))
            case CustomEvent():
                message.custom.CopyFrom(custom_message(event))
            case InputRequest():
                message.input_request.CopyFrom(input_request_message(event))
            case InputResolved():
                data = self._options.include_data
                message.input_resolved.CopyFrom(resolved_message(event, include_data=data))
            case None:
                message.heartbeat.SetInParent()
            case _:
                assert_never(event)

        return message

    def _name(self, address: str) -> str:
        name = self._names[address] = sound(wire_name(address))

        return name


def fill_token(message: pb.Token, token: Token, predictor: str) -> None:
    """Writes a token into its place: half the cost of a message that is then copied there."""
    chunk = token.chunk
    message.predictor = predictor
    message.field = token.field
    message.chunk = chunk if chunk.isascii() else sound(chunk)
    message.offset = token.offset
    message.call_id = token.call_id

    if token.is_last:
        message.is_last = True

    if token.cached:
        message.cached = True


def status_message(status: Status, *, include_data: bool) -> pb.StatusUpdate:
    """A status; its content only where it was asked for and is allowed."""
    name = wire_name(status.name) if status.kind is Kind.MODULE else status.name
    message = pb.StatusUpdate(
        kind=pb.StatusUpdate.Kind.ValueType(status.kind),
        phase=pb.StatusUpdate.Phase.ValueType(status.phase),
        message=sound(status.message),
        call_id=status.call_id,
        parent_call_id=status.parent_call_id,
        name=_name(name),
    )

    if status.outcome is not None:
        message.outcome = pb.StatusUpdate.Outcome.ValueType(status.outcome)
        message.elapsed.CopyFrom(duration(status.elapsed))

    if status.usage is not None:
        message.usage.CopyFrom(usage_message(status.usage))

    if status.failure is not None:
        message.failure.CopyFrom(failure_of(status.failure, status.call_id))

    if status.lm is not None:
        message.lm.CopyFrom(_lm_message(status.lm))

    if include_data and status.data is not None:
        message.data.CopyFrom(to_struct(status.data))

    if include_data and status.tool is not None:
        message.tool.CopyFrom(_tool_message(status.tool))

    return message


def custom_message(event: CustomEvent) -> pb.CustomEvent:
    """What a program told."""
    return pb.CustomEvent(
        name=_name(event.name), call_id=event.call_id, data_json=sound(event.data_json)
    )


def input_request_message(request: InputRequest) -> pb.InputRequest:
    """A question."""
    message = pb.InputRequest(
        input_id=request.input_id,
        call_id=request.call_id,
        kind=pb.InputRequest.Kind.ValueType(request.kind),
        message=sound(request.message),
        answer_schema_json=sound(request.answer_schema_json),
        proposal_json=sound(request.proposal_json),
        tool=_name(request.tool),
    )

    if request.expire_time is not None:
        message.expire_time.CopyFrom(timestamp(request.expire_time))

    return message


def resolved_message(resolved: InputResolved, *, include_data: bool) -> pb.InputResolved:
    """The end of a question; the answer only where it was asked for and is allowed."""
    return pb.InputResolved(
        input_id=resolved.input_id,
        call_id=resolved.call_id,
        outcome=pb.InputResolved.Outcome.ValueType(resolved.outcome),
        answer_json=sound(resolved.answer_json) if include_data else "",
        reason=sound(resolved.reason),
    )


def prediction_message(
    result: PredictionEvent, revisions: Revisions, form: OutputForm, max_bytes: int
) -> pb.Prediction:
    """The result. Raises PredictionTooLarge where its outputs take more than `max_bytes` in this form."""
    message = pb.Prediction(
        usage=usage_message(result.usage),
        elapsed=duration(result.elapsed),
        revision=revisions.revision,
        interface_revision=revisions.interface_revision,
        cut_fields=[sound(selector(name)) for name in result.cut_fields],
        reask_count=_int32(result.reask_count),
    )
    fill_outputs(message, result.outputs, form, max_bytes)

    return message


def usage_message(usage: Usage) -> pb.Usage:
    """LM work; of many models those with the most tokens by name, and the others together."""
    models = sorted(_told_models(usage.models).items())
    message = pb.Usage(models=[_model_usage(model, one) for model, one in models])
    _count(usage, message)

    return message


def _told_models(models: Mapping[str, Usage]) -> Mapping[str, Usage]:
    if len(models) <= MAX_MODELS:
        return models

    by_tokens = sorted(models.items(), key=_tokens, reverse=True)
    told, others = by_tokens[: MAX_MODELS - 1], by_tokens[MAX_MODELS - 1 :]
    together = sum((one for _, one in others), Usage())

    return {**dict(told), OTHER_MODELS: replace(together, models={})}


def _tokens(item: tuple[str, Usage]) -> int:
    _, usage = item

    return usage.input_tokens + usage.output_tokens


def _model_usage(model: str, usage: Usage) -> pb.ModelUsage:
    message = pb.ModelUsage(model=_name(model))
    _count(usage, message)

    return message


def _count(usage: Usage, message: pb.Usage | pb.ModelUsage) -> None:
    message.input_token_count = _int32(usage.input_tokens)
    message.output_token_count = _int32(usage.output_tokens)
    message.cached_input_token_count = _int32(usage.cached_input_tokens)
    message.cache_write_token_count = _int32(usage.cache_write_tokens)
    message.reasoning_token_count = _int32(usage.reasoning_tokens)
    message.lm_call_count = _int32(usage.lm_calls)
    message.cache_hit_count = _int32(usage.cache_hits)

    if usage.cost_usd is not None:
        message.cost_usd = usage.cost_usd


def _tool_message(tool: ToolCall) -> pb.ToolCall:
    return pb.ToolCall(
        provider_call_id=_name(tool.provider_call_id),
        arguments_json=sound(tool.arguments_json),
        result_json=sound(tool.result_json),
    )


def _lm_message(lm: LmCall) -> pb.LmCall:
    message = pb.LmCall(
        model=_name(lm.model),
        engine=_name(lm.engine),
        finish_reason=_name(lm.finish_reason),
        cached=lm.cached,
        attempt=lm.attempt,
    )

    if lm.time_to_first_token is not None:
        message.time_to_first_token.CopyFrom(duration(lm.time_to_first_token))

    return message


def _name(name: object) -> str:
    """A name on one line, whatever a program or a provider calls by it."""
    return line(str(name), MAX_NAME)


def _int32(count: int) -> int:
    return max(0, min(count, MAX_INT32))
