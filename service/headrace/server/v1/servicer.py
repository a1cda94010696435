"""HeadraceService: the methods of the contract. Each decodes, asks the core, and encodes.

Headers mean "accepted": they are sent once a run has been started or joined, and then its events. The
run is never touched by how its readers end, but for its linger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import grpc
from headrace_proto.v1 import headrace_pb2 as pb

from headrace.runs.run import Run
from headrace.server.core import Core, Start
from headrace.server.errors import PredictionTooLarge, RunOver
from headrace.server.selection import ReaderOptions
from headrace.server.v1 import records, requests
from headrace.server.v1.batching import ways_to_write
from headrace.server.v1.events import EventEncoder, prediction_message, resolved_message
from headrace.server.v1.replies import decode_reply
from headrace.server.v1.rpc import RpcBoundary, RpcCall

SERVICE = pb.DESCRIPTOR.services_by_name["HeadraceService"].full_name


class Servicer:
    """Serves what a core has."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def methods(self, boundary: RpcBoundary) -> grpc.GenericRpcHandler:
        """The methods, for a grpc.aio server."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Run": boundary.streaming(pb.RunRequest, self.run),
                "Attach": boundary.streaming(pb.AttachRequest, self.attach),
                "Predict": boundary.unary(pb.PredictRequest, self.predict),
                "GetRun": boundary.unary(pb.GetRunRequest, self.get_run),
                "CancelRun": boundary.unary(pb.CancelRunRequest, self.cancel_run),
                "SendInput": boundary.unary(pb.SendInputRequest, self.send_input),
                "DeleteRun": boundary.unary(pb.DeleteRunRequest, self.delete_run),
                "ListRuns": boundary.unary(pb.ListRunsRequest, self.list_runs),
                "ListPrograms": boundary.unary(pb.ListProgramsRequest, self.list_programs),
                "GetProgram": boundary.unary(pb.GetProgramRequest, self.get_program),
                "GetServerInfo": boundary.unary(pb.GetServerInfoRequest, self.get_server_info),
            },
        )

    async def run(self, call: RpcCall[pb.RunRequest]) -> None:
        """Starts or joins a run and streams it."""
        start, options = self._decode(call)
        program = self._core.authorise(call.caller, start.program, options)
        run = await self._core.start(call.caller, program, start)
        del start  # the stream may take long, and the inputs are large

        if run.record.refused:
            _name(call, run)
            _conclude(call, run)

        await self._stream(call, run, options)

    async def attach(self, call: RpcCall[pb.AttachRequest]) -> None:
        """Streams a run that exists."""
        options = requests.decode_reader(call.request, self._core.limits)
        run = await self._core.find(call.caller, call.request.run_id)
        self._core.authorise(call.caller, run.program, options)
        await self._stream(call, run, options)

    async def predict(self, call: RpcCall[pb.PredictRequest]) -> pb.PredictResponse:
        """Runs a program, or joins its run, and gives the prediction."""
        start, _ = self._decode(call)
        program = self._core.authorise(call.caller, start.program)
        run = await self._core.start(call.caller, program, start)
        _name(call, run)

        with self._core.kept(run):
            if not run.record.refused:
                await _accept(call, run)

            await run.ended()

        _conclude(call, run)
        assert run.result is not None  # or _conclude had raised
        form = requests.output_form(call.request.output_form)
        most = self._core.limits.max_prediction_bytes

        with _giving(call, run):
            prediction = prediction_message(run.result, run.revisions, form, most)

        return pb.PredictResponse(run_id=run.run_id, prediction=prediction)

    async def get_run(self, call: RpcCall[pb.GetRunRequest]) -> pb.GetRunResponse:
        """The record of a run."""
        request = call.request
        full = request.view == pb.RUN_VIEW_FULL
        run = await self._core.find(call.caller, request.run_id, with_inputs=full)
        form = requests.output_form(request.output_form)
        most = self._core.limits.max_prediction_bytes

        with _giving(call, run):
            return pb.GetRunResponse(
                run=records.full_run_message(run, form, most, with_inputs=full)
            )

    async def list_runs(self, call: RpcCall[pb.ListRunsRequest]) -> pb.ListRunsResponse:
        """A page of the caller's runs."""
        request = call.request
        runs, following = await self._core.page(
            call.caller,
            requests.decode_filter(request),
            size=requests.page_size(request.page_size),
            token=requests.page_place(request.page_token),
        )

        return pb.ListRunsResponse(
            runs=[records.run_message(run) for run in runs],
            next_page_token=requests.page_token(following),
        )

    async def cancel_run(self, call: RpcCall[pb.CancelRunRequest]) -> pb.CancelRunResponse:
        """Stops a run, or refuses the one that has not come yet."""
        run = await self._core.cancel(call.caller, call.request.run_id, call.request.reason)

        return records.cancelled_message(run, self._core.limits.max_prediction_bytes)

    async def delete_run(self, call: RpcCall[pb.DeleteRunRequest]) -> pb.DeleteRunResponse:
        """Forgets a run."""
        await self._core.delete(call.caller, call.request.run_id)

        return pb.DeleteRunResponse()

    async def send_input(self, call: RpcCall[pb.SendInputRequest]) -> pb.SendInputResponse:
        """Answers a question of a run, or declines to."""
        request = call.request
        call.facts["run_id"] = request.run_id
        reply = decode_reply(request, self._core.limits)
        resolved = await self._core.reply(call.caller, request.run_id, request.input_id, reply)

        return pb.SendInputResponse(resolved=resolved_message(resolved, include_data=False))

    async def list_programs(self, call: RpcCall[pb.ListProgramsRequest]) -> pb.ListProgramsResponse:
        """A page of the programs."""
        request = call.request
        size = requests.page_size(request.page_size)
        place = requests.page_place(request.page_token)
        catalog = self._core.catalog
        programs, following = catalog.page(call.caller.principal, size, place)

        return pb.ListProgramsResponse(
            programs=[records.program_message(catalog.describe(one)) for one in programs],
            next_page_token=requests.page_token(following),
        )

    async def get_program(self, call: RpcCall[pb.GetProgramRequest]) -> pb.GetProgramResponse:
        """One program."""
        principal = call.caller.principal
        catalog = self._core.catalog
        program = catalog.find(principal, call.request.name, field="name")

        return pb.GetProgramResponse(program=records.program_message(catalog.describe(program)))

    async def get_server_info(
        self, call: RpcCall[pb.GetServerInfoRequest]
    ) -> pb.GetServerInfoResponse:
        """Version, features and limits."""
        shows_data = call.caller.principal.include_data

        return records.server_message(self._core.limits, shows_data=shows_data)

    def _decode(
        self, call: RpcCall[pb.RunRequest] | RpcCall[pb.PredictRequest]
    ) -> tuple[Start, ReaderOptions]:
        if call.request.program:
            call.facts["program"] = call.request.program

        return requests.decode_start(call.request, self._core.limits)

    async def _stream(
        self,
        call: RpcCall[pb.RunRequest] | RpcCall[pb.AttachRequest],
        run: Run,
        options: ReaderOptions,
    ) -> None:
        most = self._core.limits.max_prediction_bytes
        encoder = EventEncoder(run.run_id, run.revisions, options, max_prediction_bytes=most)

        with self._core.follow(run, options) as reader:
            _name(call, run)

            try:
                await asyncio.sleep(0)  # a run that just started asks its LM before this is sent
                await _accept(call, run)
                await reader.stream(*ways_to_write(encoder, options, call.context.write))
            except PredictionTooLarge as error:
                await run.ended()
                _conclude(call, run)
                raise RunOver(error, usage=run.usage) from None
            finally:
                call.trailers["headrace-last-sequence"] = str(reader.position)

        _conclude(call, run)


def _name(call: RpcCall[Any], run: Run) -> None:
    """From here on everything the caller gets names the run."""
    call.facts.update(run_id=run.run_id, program=run.program or call.facts.get("program", ""))
    call.trailers["headrace-run-id"] = run.run_id


async def _accept(call: RpcCall[Any], run: Run) -> None:
    """Tells, by initial metadata, that the call was not refused."""
    await call.context.send_initial_metadata((("headrace-run-id", run.run_id),))


@contextmanager
def _giving(call: RpcCall[Any], run: Run) -> Generator[None, None, None]:
    """Tells that the run is over where its prediction is too large to be given here."""
    try:
        yield
    except PredictionTooLarge as error:
        _name(call, run)
        _conclude(call, run)
        raise RunOver(error, usage=run.usage) from None


def _conclude(call: RpcCall[Any], run: Run) -> None:
    """Tells how a run that is over ended. Raises RunOver unless it succeeded."""
    call.trailers["headrace-run-state"] = run.state.name
    call.trailers["headrace-last-sequence"] = str(run.log.last_sequence)

    if run.failure is not None:
        raise RunOver(run.failure, run.cause, run.usage)
