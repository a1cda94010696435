"""The calls, one each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial

import grpc
from headrace_client import CursorAhead, RunStream
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from headrace_gateway import requests
from headrace_gateway.access import Upstream
from headrace_gateway.config import Setup
from headrace_gateway.disconnect import OpenRequests, left
from headrace_gateway.payloads import input_resolved_object, prediction_object, run_payload
from headrace_gateway.records import program_object, run_object, server_object
from headrace_gateway.stream import ENDING, HEADERS, RunResponse


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of the HTTP edge, each a client of the server's."""

    setup: Setup
    upstream: Upstream
    waiting: OpenRequests

    def routes(self) -> list[BaseRoute]:
        """The routes below /v1."""
        return [
            Route("/programs", self.list_programs),
            Route("/programs/{name}", self.get_program),
            Route("/programs/{name}/stream", self.stream, methods=["POST"]),
            Route("/programs/{name}/predict", self.predict, methods=["POST"]),
            Route("/runs", self.list_runs),
            Route("/runs/{run_id}", self.record, methods=["GET", "DELETE"]),
            Route("/runs/{run_id}/events", self.events),
            Route("/runs/{run_id}/cancel", self.cancel, methods=["POST"]),
            Route("/runs/{run_id}/inputs/{input_id}", self.answer, methods=["POST"]),
            Route("/server", self.get_server),
        ]

    async def list_programs(self, request: Request) -> Response:
        """The programs, by name."""
        requests.refuse_unknown(request.query_params)
        programs = await self.upstream.client().programs()

        return JSONResponse({"programs": [program_object(program) for program in programs]})

    async def get_program(self, request: Request) -> Response:
        """One program."""
        requests.refuse_unknown(request.query_params)
        program = await self.upstream.client().describe(request.path_params["name"])

        return JSONResponse(program_object(program))

    async def get_server(self, request: Request) -> Response:
        """Version, features and limits of the server."""
        requests.refuse_unknown(request.query_params)
        return JSONResponse(server_object(await self.upstream.client().server_info()))

    async def stream(self, request: Request) -> Response:
        """Starts or joins a run, and streams it."""
        query = request.query_params
        requests.refuse_unknown(query, *requests.READ, *requests.START, "status_detail")
        detail = requests.status_detail(query)
        program: str = request.path_params["name"]
        run = self.upstream.client().run(
            program,
            inputs=await self._body(request),
            **requests.read_options(query),
            **_named(requests.start_options(query)),
        )

        return self._streamed(run, program, detail)

    async def events(self, request: Request) -> Response:
        """Streams a run that exists, from where its reader left; 204 where nothing is left to read."""
        query = request.query_params
        requests.refuse_unknown(query, *requests.READ, "status_detail", "after_sequence")
        detail = requests.status_detail(query)
        options = requests.read_options(query)
        run_id: str = request.path_params["run_id"]
        after = requests.position(request, run_id)

        if after is None:
            return Response(status_code=204)  # which tells a browser not to connect again

        if request.method == "HEAD":
            return Response(headers=HEADERS)

        client = self.upstream.client()
        record = await client.get_run(run_id)

        if after > record.last_sequence:
            raise CursorAhead(
                f"run {run_id} is at event {record.last_sequence}, before {after}",
                code=grpc.StatusCode.OUT_OF_RANGE,
                reason="CURSOR_AHEAD",
                run_id=run_id,
            )

        run = client.attach(run_id, after_sequence=after, **options)

        return self._streamed(run, record.program, detail, is_accepted=True)

    async def predict(self, request: Request) -> Response:
        """Runs a program and gives its prediction; who leaves may ask again with the same run_id."""
        requests.refuse_unknown(request.query_params, *requests.START)
        run = self.upstream.client().run(
            request.path_params["name"],
            inputs=await self._body(request),
            token_detail="none",
            status_detail="none",
            **_named(requests.start_options(request.query_params)),
        )

        async with run:
            run.detach()
            gone = partial(left, request.receive)
            prediction = await self.waiting.while_there(run.prediction(), gone)

        if prediction is None:
            raise ENDING

        return JSONResponse({"run_id": run.run_id, **prediction_object(prediction)})

    async def record(self, request: Request) -> Response:
        """The record of a run, to see or to delete."""
        return await (self.delete if request.method == "DELETE" else self.get_run)(request)

    async def get_run(self, request: Request) -> Response:
        """The record of a run."""
        requests.refuse_unknown(request.query_params, *requests.VIEW)
        view = requests.view(request.query_params)
        run = await self.upstream.client().get_run(request.path_params["run_id"], view=view)

        return JSONResponse(run_object(run))

    async def list_runs(self, request: Request) -> Response:
        """The caller's runs, newest first."""
        requests.refuse_unknown(request.query_params, *requests.LIST)
        filters = requests.run_filters(request.query_params)
        runs = await self.upstream.client().runs(**filters)

        return JSONResponse({"runs": [run_object(run) for run in runs]})

    async def cancel(self, request: Request) -> Response:
        """Stops a run; one that does not exist yet is refused for a while."""
        requests.refuse_unknown(request.query_params)
        body = await self._body(request)
        reason = requests.reason(body)
        requests.refuse_members(body, "a reason")
        run_id: str = request.path_params["run_id"]
        answer = await self.upstream.client().cancel(run_id, reason=reason)

        if not answer.HasField("run"):
            until = answer.refused_until.ToJsonString()
            return JSONResponse({"run_id": run_id, "refused_until": until})

        return JSONResponse(run_object(answer.run))

    async def delete(self, request: Request) -> Response:
        """Ends a run if need be, and forgets it."""
        requests.refuse_unknown(request.query_params)
        await self.upstream.client().delete(request.path_params["run_id"])

        return Response(status_code=204)

    async def answer(self, request: Request) -> Response:
        """Answers a question of a run, or declines to."""
        requests.refuse_unknown(request.query_params)
        body = await self._body(request)
        reason = requests.reason(body)
        has_answer, answer = "answer" in body, body.pop("answer", None)
        declines = body.pop("decline", False)
        requests.refuse_members(body, "an answer or decline, and a reason")

        if not isinstance(declines, bool) or has_answer == declines:
            raise requests.invalid("answer", 'or "decline": true is required, and not both')

        client, path = self.upstream.client(), request.path_params
        run_id, input_id = path["run_id"], path["input_id"]

        if declines:
            resolved = await client.decline(run_id, input_id, reason=reason)
        else:
            resolved = await client.answer(run_id, input_id, answer, reason=reason)

        return JSONResponse({"run_id": run_id, **input_resolved_object(resolved)})

    def _streamed(
        self, run: RunStream, program: str, detail: requests.Detail, *, is_accepted: bool = False
    ) -> Response:
        return RunResponse(
            run,
            run_payload(run.run_id, program),
            detail=detail,
            requests=self.waiting,
            heartbeat_interval=self.setup.heartbeat_interval,
            local=self.setup.local,
            is_accepted=is_accepted,
        )

    async def _body(self, request: Request) -> dict[str, object]:
        setup = self.setup

        return await requests.json_object(
            request, most=setup.max_body_bytes, seconds=setup.body_timeout
        )


def _named(options: requests.StartOptions) -> requests.StartOptions:
    """Gives the run a name where the caller gave none."""
    return {**options, "run_id": options.get("run_id") or str(uuid.uuid4())}
