"""A headrace server that plays a script: real gRPC on loopback, and no runtime behind it.

It keeps one log of events and serves it from any cursor, as the contract wants. A test says how each
stream in turn ends: `endings` holds one entry per stream, and once they are used up streams end OK. The
resolution of a question, and what follows it in the log, is sent once somebody has answered.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from client.events import duration
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import (  # type: ignore[import-untyped]  # it ships stubs, but no py.typed
    error_details_pb2,
    status_pb2,
)
from grpc import aio
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1.headrace_pb2_grpc import (
    HeadraceServiceServicer,
    add_HeadraceServiceServicer_to_server,
)

Context = aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Ending:
    """How a call ends, mostly other than OK."""

    code: grpc.StatusCode
    message: str = "scripted"
    reason: str = ""
    run_state: str = ""
    retry_delay: float | None = None
    violations: Mapping[str, str] = field(default_factory=dict[str, str])
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    cause: str = ""
    """What a server for developers tells of what led to it."""
    usage: pb.Usage | None = None
    """Work of a run that failed."""
    with_details: bool = True
    """Whether the rich details are sent, beside the plain trailers."""
    is_accepted: bool = False
    """For calls with one answer: whether headers are sent first."""
    after: int | None = None
    """For streams: how many events are sent before it; None = all."""

    async def abort(self, context: Context) -> NoReturn:
        await context.abort(self.code, self.message, self.trailers())
        raise AssertionError("abort returned")

    def trailers(self) -> tuple[tuple[str, str | bytes], ...]:
        """What is told behind the status."""
        plain = {
            "headrace-run-state": self.run_state,
            "headrace-error-reason": self.reason,
            "headrace-retry-delay-ms": (
                "" if self.retry_delay is None else str(int(self.retry_delay * 1000))
            ),
        }
        trailers: list[tuple[str, str | bytes]] = [(k, v) for k, v in plain.items() if v]

        if self.usage is not None:
            trailers.append(("headrace-usage-bin", self.usage.SerializeToString()))

        if self.with_details and self.reason:
            trailers.append(("grpc-status-details-bin", self._details().SerializeToString()))

        return tuple(trailers)

    def _details(self) -> status_pb2.Status:
        parts: list[Any] = [
            error_details_pb2.ErrorInfo(
                domain="headrace.dev", reason=self.reason, metadata=self.metadata
            )
        ]

        if self.retry_delay is not None:
            delay = duration(self.retry_delay)
            parts.append(error_details_pb2.RetryInfo(retry_delay=delay))

        if self.violations:
            parts.append(
                error_details_pb2.BadRequest(
                    field_violations=[
                        error_details_pb2.BadRequest.FieldViolation(field=f, description=d)
                        for f, d in self.violations.items()
                    ]
                )
            )

        if self.cause:
            parts.append(error_details_pb2.DebugInfo(detail=self.cause))

        packed = [AnyMessage() for _ in parts]

        for holder, part in zip(packed, parts, strict=True):
            holder.Pack(part)

        return status_pb2.Status(code=self.code.value[0], message=self.message, details=packed)


NOT_FOUND = grpc.StatusCode.NOT_FOUND
LARGEST_PAGE = 1000
FOREVER = Ending(grpc.StatusCode.OK, after=None)
"""A stream that stays open after its last event, until the reader leaves."""


class ScriptedService(HeadraceServiceServicer):
    """One log, served from any cursor; every request is kept."""

    def __init__(
        self, events: Sequence[pb.StreamEvent] = (), endings: Sequence[Ending] = ()
    ) -> None:
        self.events = list(events)
        self.endings = list(endings)
        self.batch_size = 1
        """Most events in one message, to readers that accept batches."""
        self.sent = 0
        """Events written."""
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.programs: list[pb.Program] = []
        self.run = pb.Run(state=pb.Run.STATE_RUNNING)
        self.runs: list[pb.Run] = []
        """What is listed, if not that run alone."""
        self.refused_until: Timestamp | None = None
        """What CancelRun tells where there is no run."""
        self.resolved: dict[str, pb.InputResolved] = {}
        """Questions that were answered, by id."""
        self.waits = asyncio.Event()
        """Set when a stream has come to a question that nobody has answered."""
        self._answers: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.cancelled = asyncio.Event()
        """Set by CancelRun."""
        self.left = asyncio.Event()
        """Set when a reader leaves a stream before its end."""
        self.ended = asyncio.Event()
        """Set when a stream has got all it will."""
        self.unanswered: type[Any] | None = None
        """A type of request that never gets an answer."""
        self.asked = asyncio.Event()
        """Set by such a request."""
        self.address = ""

    async def Run(self, request: pb.RunRequest, context: Context) -> None:  # type: ignore[override]  # it writes to its context
        await self._stream(request, context)

    async def Attach(self, request: pb.AttachRequest, context: Context) -> None:  # type: ignore[override]  # it writes to its context
        await self._stream(request, context)

    async def Predict(self, request: pb.PredictRequest, context: Context) -> pb.PredictResponse:
        await self._answered(request, context)
        await context.send_initial_metadata((("headrace-run-id", request.run_id),))

        return pb.PredictResponse(run_id=request.run_id, prediction=self.events[-1].prediction)

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> pb.GetRunResponse:
        self._keep(request, context)

        return pb.GetRunResponse(run=self.run)

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        await self._answered(request, context)
        first = int(request.page_token or 0)
        last = first + min(request.page_size, LARGEST_PAGE)
        runs = self.runs or [self.run]

        return pb.ListRunsResponse(
            runs=runs[first:last], next_page_token=str(last) if last < len(runs) else ""
        )

    async def CancelRun(
        self, request: pb.CancelRunRequest, context: Context
    ) -> pb.CancelRunResponse:
        self._keep(request, context)
        await self._maybe_hang(request)
        self.cancelled.set()

        if self.refused_until is not None:
            return pb.CancelRunResponse(refused_until=self.refused_until)

        if self.run.state == pb.Run.STATE_RUNNING:
            self.run.state = pb.Run.STATE_CANCELLED

        return pb.CancelRunResponse(run=self.run)

    async def DeleteRun(
        self, request: pb.DeleteRunRequest, context: Context
    ) -> pb.DeleteRunResponse:
        await self._answered(request, context)

        return pb.DeleteRunResponse()

    async def SendInput(
        self, request: pb.SendInputRequest, context: Context
    ) -> pb.SendInputResponse:
        await self._answered(request, context)
        asked = {event.input_request.input_id for event in self.events}

        if request.input_id not in asked:
            await Ending(NOT_FOUND, "no such question", "INPUT_NOT_FOUND").abort(context)

        said = resolution(request)
        resolved = self.resolved.setdefault(request.input_id, said)
        self._answers[request.input_id].set()

        if resolved != said:
            outcome = pb.InputResolved.Outcome.Name(resolved.outcome).removeprefix("OUTCOME_")
            await Ending(
                grpc.StatusCode.ALREADY_EXISTS,
                "the question was answered otherwise",
                "INPUT_RESOLVED",
                metadata={"outcome": outcome},
            ).abort(context)

        return pb.SendInputResponse(resolved=resolved)

    async def ListPrograms(
        self, request: pb.ListProgramsRequest, context: Context
    ) -> pb.ListProgramsResponse:
        await self._answered(request, context)
        first = int(request.page_token or 0)
        more = first + 1 < len(self.programs)

        return pb.ListProgramsResponse(
            programs=self.programs[first : first + 1],
            next_page_token=str(first + 1) if more else "",
        )

    async def GetProgram(
        self, request: pb.GetProgramRequest, context: Context
    ) -> pb.GetProgramResponse:
        await self._answered(request, context)

        programs = {program.name: program for program in self.programs}

        if request.name not in programs:
            message = f"no program {request.name!r}; there are: {', '.join(programs)}"
            await Ending(NOT_FOUND, message, "PROGRAM_NOT_FOUND").abort(context)

        return pb.GetProgramResponse(program=programs[request.name])

    async def GetServerInfo(
        self, request: pb.GetServerInfoRequest, context: Context
    ) -> pb.GetServerInfoResponse:
        await self._answered(request, context)

        return pb.GetServerInfoResponse(version="0.0", features=["attach"])

    def requests_of(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]

    async def _stream(self, request: pb.RunRequest | pb.AttachRequest, context: Context) -> None:
        self._keep(request, context)
        await self._maybe_hang(request)
        ending = self.endings.pop(0) if self.endings else None

        try:
            await self._play(request, ending, context)
        except (asyncio.CancelledError, aio.InternalError):
            self.left.set()
            raise

    async def _play(
        self, request: pb.RunRequest | pb.AttachRequest, ending: Ending | None, context: Context
    ) -> None:
        limit = len(self.events) if ending is None or ending.after is None else ending.after

        if limit or ending is None or ending.code is grpc.StatusCode.OK:
            await context.send_initial_metadata((("headrace-run-id", request.run_id),))

        takes_batches = pb.EVENT_KIND_BATCH in request.options.accept
        pending: list[pb.StreamEvent] = []

        for event in self._after(request.after_sequence)[:limit]:
            event.run_id = request.run_id

            if event.HasField("input_resolved"):
                await self._write(pending, context)
                await self._answer_to(event.input_resolved.input_id)

            pending.append(event)

            if not takes_batches or len(pending) >= self.batch_size:
                await self._write(pending, context)

        await self._write(pending, context)

        if ending is FOREVER:
            await asyncio.Event().wait()

        self.ended.set()

        if ending is not None and ending.code is grpc.StatusCode.OK:
            context.set_trailing_metadata(ending.trailers())
        elif ending is not None:
            await ending.abort(context)

    async def _answer_to(self, input_id: str) -> None:
        if input_id not in self.resolved:
            self.waits.set()
            await self._answers[input_id].wait()

    async def _write(self, pending: list[pb.StreamEvent], context: Context) -> None:
        if len(pending) > 1:
            batch = pb.EventBatch(events=pending)
            await context.write(pb.StreamEvent(run_id=pending[0].run_id, batch=batch))
        elif pending:
            await context.write(pending[0])

        self.sent += len(pending)
        pending.clear()

    def _after(self, sequence: int) -> list[pb.StreamEvent]:
        positions = [event.sequence for event in self.events]
        first = positions.index(sequence) + 1 if sequence else 0

        return self.events[first:]

    async def _answered(self, request: object, context: Context) -> None:
        self._keep(request, context)

        await self._maybe_hang(request)

        if self.endings:
            ending = self.endings.pop(0)

            if ending.is_accepted:
                await context.send_initial_metadata((("headrace-run-id", "r"),))

            await ending.abort(context)

    async def _maybe_hang(self, request: object) -> None:
        if self.unanswered is not None and isinstance(request, self.unanswered):
            self.asked.set()
            await asyncio.Event().wait()

    def _keep(self, request: Any, context: Context) -> None:
        kept = type(request)()
        kept.CopyFrom(request)
        self.requests.append(kept)
        self.metadata.append(dict(context.invocation_metadata() or ()))


def resolution(request: pb.SendInputRequest) -> pb.InputResolved:
    """How a question ends that is answered like this."""
    outcomes = pb.InputResolved

    return pb.InputResolved(
        input_id=request.input_id,
        outcome=outcomes.OUTCOME_DECLINED if request.decline else outcomes.OUTCOME_ANSWERED,
        answer_json=request.answer_json,
        reason=request.reason,
    )


@asynccontextmanager
async def serving(
    service: ScriptedService,
    *,
    port: int = 0,
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncGenerator[ScriptedService, None]:
    """Serves on loopback until the block ends; `service.address` says where."""
    often = (
        "grpc.http2.min_ping_interval_without_data_ms",
        10,
    )  # else frequent pings end all calls
    server = aio.server(options=[("grpc.so_reuseport", 0), often])
    add_HeadraceServiceServicer_to_server(service, server)

    if credentials is None:
        port = server.add_insecure_port(f"127.0.0.1:{port}")
    else:
        port = server.add_secure_port(f"127.0.0.1:{port}", credentials)

    service.address = f"127.0.0.1:{port}"
    await server.start()

    try:
        yield service
    finally:
        await server.stop(None)
