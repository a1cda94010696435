"""The methods of HeadraceService.

A start: decode, check, join or admit; only then headers, which therefore mean "accepted",
and then the run's events. The run is never touched by how its readers end, but for its linger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from headrace_proto.v1 import headrace_pb2 as pb

from headrace.errors import (
    FieldViolation,
    InputInvalid,
    PermissionDenied,
    RequestInvalid,
    RevisionMismatch,
)
from headrace.hosting import Program
from headrace.hosting.port import StartRequest
from headrace.runs.registry import Registry
from headrace.runs.run import Run
from headrace.server.catalog import Catalog
from headrace.server.errors import StreamAged
from headrace.server.reader import Reader
from headrace.server.rpc import RpcBoundary, RpcCall, RunOver
from headrace.server.wire import records, requests
from headrace.server.wire.delivery import Delivery
from headrace.server.wire.events import prediction_message
from headrace.server.wire.options import ReaderOptions, check_selectors, reader_options

SERVICE = pb.DESCRIPTOR.services_by_name["HeadraceService"].full_name

MAX_STREAM_AGE = 1800.0
"""Seconds after which a stream is ended so that its reader may be moved."""

NO_DATA = (
    "options.include_data: this server does not show call data to you; serve --dev shows it on "
    "loopback, include_data = true to a principal"
)


class Servicer:
    """Serves programs from a registry."""

    def __init__(
        self,
        programs: Iterable[Program],
        registry: Registry,
        *,
        max_stream_age: float = MAX_STREAM_AGE,
    ) -> None:
        self._catalog = Catalog(programs)
        self._registry = registry
        self._limits = registry.limits
        self._max_stream_age = max_stream_age

    def methods(self, gate: RpcBoundary) -> grpc.GenericRpcHandler:
        """The methods, for a grpc.aio server."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Run": gate.streaming(pb.RunRequest, self.run),
                "Attach": gate.streaming(pb.AttachRequest, self.attach),
                "Predict": gate.unary(pb.PredictRequest, self.predict),
                "GetRun": gate.unary(pb.GetRunRequest, self.get_run),
                "CancelRun": gate.unary(pb.CancelRunRequest, self.cancel_run),
                "ListRuns": gate.unary(pb.ListRunsRequest, self.list_runs),
                "ListPrograms": gate.unary(pb.ListProgramsRequest, self.list_programs),
                "GetProgram": gate.unary(pb.GetProgramRequest, self.get_program),
                "GetServerInfo": gate.unary(pb.GetServerInfoRequest, self.get_server_info),
            },
        )

    async def run(self, call: RpcCall[pb.RunRequest]) -> None:
        """Starts or joins a run and streams it."""
        request = call.request
        options = self._options(call, request.options)
        program = self._catalog.find(call.principal, request.program)
        _check_fields(options, program)
        requests.check_not_negative(request.after_sequence)
        resumes = request.after_sequence > 0
        run = await self._registry.start(self._order(call, program, resumes=resumes))
        await self._stream(call, run, request.after_sequence, options)

    async def attach(self, call: RpcCall[pb.AttachRequest]) -> None:
        """Streams a run that exists."""
        request = call.request
        options = self._options(call, request.options)
        requests.check_not_negative(request.after_sequence)
        run = await self._find(call, request.run_id)
        _check_fields(options, self._catalog.find(call.principal, run.program))
        await self._stream(call, run, request.after_sequence, options)

    async def predict(self, call: RpcCall[pb.PredictRequest]) -> pb.PredictResponse:
        """Runs a program, or joins its run, and gives the prediction."""
        program = self._catalog.find(call.principal, call.request.program)
        run = await self._registry.start(self._order(call, program))
        _name(call, run)
        cursor = run.join()

        try:
            await run.ended()
        finally:
            run.leave(cursor)

        _conclude(call, run)
        assert run.result is not None  # or _conclude had raised
        text = call.request.outputs_json

        return pb.PredictResponse(
            run_id=run.run_id,
            prediction=prediction_message(run.result, run.revision, outputs_json=text),
        )

    async def get_run(self, call: RpcCall[pb.GetRunRequest]) -> pb.GetRunResponse:
        """The record of a run."""
        run = await self._find(call, call.request.run_id)

        return pb.GetRunResponse(run=records.full_run_message(run))

    async def list_runs(self, call: RpcCall[pb.ListRunsRequest]) -> pb.ListRunsResponse:
        """A page of the caller's runs."""
        request = call.request
        runs, token = await self._registry.page(
            call.principal.name,
            request.program,
            size=requests.page_size(request.page_size),
            token=request.page_token,
        )

        return pb.ListRunsResponse(
            runs=[records.run_message(run) for run in runs], next_page_token=token
        )

    async def cancel_run(self, call: RpcCall[pb.CancelRunRequest]) -> pb.CancelRunResponse:
        """Stops a run."""
        _require_run_id(call.request.run_id)
        run = await self._registry.cancel(
            call.principal.name, call.request.run_id, call.request.reason[:200]
        )

        return pb.CancelRunResponse(run=records.full_run_message(run))

    async def list_programs(self, call: RpcCall[pb.ListProgramsRequest]) -> pb.ListProgramsResponse:
        """A page of the programs."""
        request = call.request
        size = requests.page_size(request.page_size)
        programs, token = self._catalog.page(call.principal, size, request.page_token)

        return pb.ListProgramsResponse(
            programs=[records.program_message(program) for program in programs],
            next_page_token=token,
        )

    async def get_program(self, call: RpcCall[pb.GetProgramRequest]) -> pb.GetProgramResponse:
        """One program."""
        program = self._catalog.find(call.principal, call.request.name, field="name")

        return pb.GetProgramResponse(program=records.program_message(program))

    async def get_server_info(
        self, call: RpcCall[pb.GetServerInfoRequest]
    ) -> pb.GetServerInfoResponse:
        """Version, features and limits."""
        return records.server_message(self._limits, shows_data=call.principal.include_data)

    def _order(
        self,
        call: RpcCall[pb.RunRequest] | RpcCall[pb.PredictRequest],
        program: Program,
        *,
        resumes: bool = False,
    ) -> StartRequest:
        request = call.request
        call.facts["program"] = program.name

        if request.revision and request.revision != program.revision:
            raise RevisionMismatch(
                f"program {program.name!r} is at revision {program.revision}",
                metadata={"revision": program.revision},
            )

        return StartRequest(
            program,
            self._inputs(request, program),
            principal=call.principal.name,
            peer=call.peer,
            run_id=request.run_id,
            timeout=requests.start_timeout(request, self._limits),
            linger=requests.start_linger(request, self._limits),
            labels=requests.check_labels(request.labels, self._limits),
            resumes=resumes,
            caller_context=requests.caller_context(call.context.invocation_metadata() or ()),
        )

    def _inputs(self, request: requests.StartMessage, program: Program) -> Mapping[str, object]:
        inputs = requests.decode_inputs(request, self._limits)

        try:
            return program.check(inputs)
        except InputInvalid as error:
            raise requests.explain_empty(request, error) from None

    def _options(self, call: RpcCall[Any], options: pb.StreamOptions) -> ReaderOptions:
        if options.include_data and not call.principal.include_data:
            raise PermissionDenied(NO_DATA)

        return reader_options(options, self._limits)

    async def _find(
        self, call: RpcCall[pb.AttachRequest] | RpcCall[pb.GetRunRequest], run_id: str
    ) -> Run:
        _require_run_id(run_id)

        return await self._registry.find(call.principal.name, run_id)

    async def _stream(
        self,
        call: RpcCall[pb.RunRequest] | RpcCall[pb.AttachRequest],
        run: Run,
        after: int,
        options: ReaderOptions,
    ) -> None:
        requests.check_not_ahead(after, run.log.last_sequence)
        _name(call, run)
        cursor = run.join(after)
        delivery = Delivery(
            run.run_id,
            run.revision,
            options,
            position=after,
            attempt=run.attempt,
            max_token_bytes=self._limits.max_token_bytes,
        )
        reader = Reader(run.log, cursor, delivery, options, max_age=self._max_stream_age)
        counts = True

        try:
            await asyncio.sleep(0)  # a run that has just started asks its LM before this is sent
            await call.context.send_initial_metadata((("headrace-run-id", run.run_id),))
            await reader.stream(call.write)
        except StreamAged:
            counts = False
            raise
        finally:
            run.leave(cursor, counts=counts)
            call.trailers["headrace-last-sequence"] = str(delivery.position)

        _conclude(call, run)


def _check_fields(options: ReaderOptions, program: Program) -> None:
    if options.fields:
        check_selectors(options, records.streamable_fields(program))


def _require_run_id(run_id: str) -> None:
    if not run_id:
        raise RequestInvalid([FieldViolation("run_id", "is required")])


def _name(call: RpcCall[Any], run: Run) -> None:
    """From here on everything the caller gets names the run."""
    call.facts.update(run_id=run.run_id, program=run.program)
    call.trailers["headrace-run-id"] = run.run_id


def _conclude(call: RpcCall[Any], run: Run) -> None:
    """Tells how a run that is over ended. Raises RunOver unless it succeeded."""
    call.trailers["headrace-run-state"] = run.state.name
    call.trailers["headrace-last-sequence"] = str(run.log.last_sequence)

    if run.failure is not None:
        raise RunOver(run.failure, run.cause)
