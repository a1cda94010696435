"""The client: one address, one channel, any number of runs at a time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, TypedDict

import grpc
from grpc import aio
from headrace_proto.v1 import headrace_pb2 as pb

from headrace_client import _requests as requests
from headrace_client._affinity import track
from headrace_client._connection import Connection, TokenSource
from headrace_client._errors import HeadraceError
from headrace_client._resume import Resumption
from headrace_client._run import RunStream, stop_run
from headrace_client._status import status_of
from headrace_client._stream import EventCall, EventStream, OpenCall

DEFAULT_ADDRESS = "127.0.0.1:50051"

OVERTIME_SECONDS = 5.0
"""A run's own timeout is kept by the server; this much later the client stops waiting for it."""


class ClientOptions(TypedDict, total=False):
    """The options of `Client`, for who passes them on."""

    token: TokenSource | None
    credentials: grpc.ChannelCredentials | None
    linger: float
    retries: int
    call_timeout: float
    channel_options: Mapping[str, int | str] | None


class Client:
    """Runs programs of a headrace server. Use it on one event loop; `async with` closes it.

    ```python
    import asyncio

    from headrace_client import Client, outputs


    async def main() -> None:
        async with Client("127.0.0.1:50051") as client:
            prediction = await client.predict("composer", question="why?")
            print(outputs(prediction)["answer"])


    asyncio.run(main())
    ```
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: TokenSource | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        linger: float = 30.0,
        retries: int = 10,
        call_timeout: float = 10.0,
        channel_options: Mapping[str, int | str] | None = None,
    ) -> None:
        """Connects at the first call.

        `token` is a bearer token, or a function that gives the current one; over the network it
        needs `credentials`, for which see `tls_credentials`. `linger` is how many seconds a run
        survives a broken connection, `retries` how often in a row reading may fail without anything
        new, with growing delays of up to 5 s between. `call_timeout` bounds, in seconds, every call
        with one answer except `predict`. `channel_options` are gRPC's own, and win over those here.
        """
        self._connection = Connection(
            address,
            token=token,
            credentials=credentials,
            channel_options=channel_options or {},
            call_timeout=call_timeout,
        )
        self._linger = linger
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection. Runs still being read end for their readers with StreamClosed."""
        await self._connection.close()

    async def ready(self, timeout: float = 10.0) -> None:
        """Waits until the server can be reached; DeadlineExceeded after `timeout` seconds."""
        await self._connection.ready(timeout)

    # Runs

    def run(
        self,
        program: str,
        /,
        *,
        inputs: Mapping[str, object] | None = None,
        fields: Sequence[str] = (),
        token_detail: requests.TokenDetail = "all",
        status_detail: requests.Detail = "all",
        include_data: bool = False,
        merge_interval: float | None = None,
        timeout: float | None = None,
        linger: float | None = None,
        labels: Mapping[str, str] | None = None,
        revision: str | None = None,
        run_id: str | None = None,
        **named_inputs: object,
    ) -> RunStream:
        """A run of a program, to be opened with `async with`.

        Keywords that are not options are the program's inputs; `inputs` takes them as a mapping, for
        names that are options here. `fields` are selectors such as `compose.answer`, or `*`; none
        means every field of text. `merge_interval`: seconds for which the server may gather tokens
        before it sends them. `timeout`: seconds the run may take. `linger`: seconds it survives
        without a reader. `revision` refuses any other revision of the program. `run_id`: a name of
        your own; a run that has it already is joined instead of started.
        """
        run_id = requests.text("run_id", run_id) or str(uuid.uuid4())
        request = pb.RunRequest(
            program=program,
            inputs_json=requests.inputs_json(inputs, named_inputs),
            run_id=run_id,
            options=requests.stream_options(
                fields=fields,
                token_detail=token_detail,
                status_detail=status_detail,
                include_data=include_data,
                merge_interval=merge_interval,
            ),
            timeout=requests.duration("timeout", timeout),
            linger=requests.duration("linger", self._linger if linger is None else linger),
            revision=requests.text("revision", revision),
            labels=requests.labels(labels),
        )

        def open_call(cursor: int, seconds: float | None) -> EventCall:
            request.after_sequence = cursor
            metadata = self._connection.metadata()

            return self._connection.stub.Run(request, timeout=seconds, metadata=metadata)

        return self._reading(open_call, run_id, timeout=_overtime(timeout), stops_on_leaving=True)

    def attach(
        self,
        run_id: str,
        /,
        *,
        after_sequence: int = 0,
        fields: Sequence[str] = (),
        token_detail: requests.TokenDetail = "all",
        status_detail: requests.Detail = "all",
        include_data: bool = False,
        merge_interval: float | None = None,
        timeout: float | None = None,
    ) -> RunStream:
        """A run that exists, live or ended, from its start or after a position; open with `async with`.

        The options are as in `run`; `timeout`: seconds to read for. Leaving the block does not stop
        the run.
        """
        request = pb.AttachRequest(
            run_id=run_id,
            options=requests.stream_options(
                fields=fields,
                token_detail=token_detail,
                status_detail=status_detail,
                include_data=include_data,
                merge_interval=merge_interval,
            ),
        )

        def open_call(cursor: int, seconds: float | None) -> EventCall:
            request.after_sequence = cursor
            metadata = self._connection.metadata()

            return self._connection.stub.Attach(request, timeout=seconds, metadata=metadata)

        return self._reading(open_call, run_id, timeout=timeout, after_sequence=after_sequence)

    async def predict(
        self,
        program: str,
        /,
        *,
        inputs: Mapping[str, object] | None = None,
        timeout: float | None = None,
        linger: float | None = None,
        labels: Mapping[str, str] | None = None,
        revision: str | None = None,
        run_id: str | None = None,
        **named_inputs: object,
    ) -> pb.Prediction:
        """Runs a program and gives its prediction; inputs and options are as in `run`.

        Cancelling the task that waits stops the run.
        """
        run_id = requests.text("run_id", run_id) or str(uuid.uuid4())
        request = pb.PredictRequest(
            program=program,
            inputs_json=requests.inputs_json(inputs, named_inputs),
            run_id=run_id,
            timeout=requests.duration("timeout", timeout),
            revision=requests.text("revision", revision),
            labels=requests.labels(labels),
            output_form=pb.OUTPUT_FORM_JSON,
            linger=requests.duration("linger", self._linger if linger is None else linger),
        )

        try:
            return await self._predicted(request, _overtime(timeout))
        except HeadraceError as error:
            await self._connection.add_usage(error)
            raise
        except asyncio.CancelledError:
            self._connection.raise_if_closed()
            await stop_run(self._connection, run_id)
            raise

    async def get_run(self, run_id: str, /) -> pb.Run:
        """A run's record: its state, and its prediction or failure once it has ended."""
        return await self._connection.get_run(run_id)

    async def runs(self, *, program: str = "", limit: int = 100) -> list[pb.Run]:
        """The runs you may still read, newest first, at most `limit` (up to 1000).

        They come without predictions and failures, which `get_run` has. `program` names the one whose
        runs are wanted.
        """
        ask, stub = self._connection.ask, self._connection.stub
        request = pb.ListRunsRequest(page_size=limit, program=program)

        return list((await ask(stub.ListRuns, request)).runs)

    async def cancel(self, run_id: str, /, *, reason: str = "") -> pb.Run:
        """Stops a run and gives its record; one that had ended comes back unchanged."""
        return await self._connection.cancel_run(run_id, reason)

    # Programs and the server

    async def programs(self) -> list[pb.Program]:
        """The programs hosted, by name."""
        ask, stub = self._connection.ask, self._connection.stub
        programs: list[pb.Program] = []
        page_token = ""

        while True:
            page = await ask(stub.ListPrograms, pb.ListProgramsRequest(page_token=page_token))
            programs.extend(page.programs)
            page_token = page.next_page_token

            if not page_token:
                return programs

    async def describe(self, program: str, /) -> pb.Program:
        """One program: its fields, schemas, predictors, tools and inputs to try."""
        ask, stub = self._connection.ask, self._connection.stub

        return (await ask(stub.GetProgram, pb.GetProgramRequest(name=program))).program

    async def server_info(self) -> pb.GetServerInfoResponse:
        """The server's version, features and limits."""
        ask, stub = self._connection.ask, self._connection.stub

        return await ask(stub.GetServerInfo, pb.GetServerInfoRequest())

    def _reading(
        self,
        open_call: OpenCall,
        run_id: str,
        *,
        timeout: float | None,
        after_sequence: int = 0,
        stops_on_leaving: bool = False,
    ) -> RunStream:
        connection = self._connection

        def start() -> EventStream:
            resumption = Resumption(connection, run_id, retries=self._retries, timeout=timeout)
            resumption.cursor = after_sequence

            return EventStream(connection, open_call, resumption)

        return RunStream(connection, start, run_id=run_id, stops_on_leaving=stops_on_leaving)

    async def _predicted(self, request: pb.PredictRequest, timeout: float | None) -> pb.Prediction:
        connection = self._connection
        resumption = Resumption(connection, request.run_id, retries=self._retries, timeout=timeout)

        while True:
            try:
                call = connection.stub.Predict(
                    request, timeout=resumption.seconds_left(), metadata=connection.metadata()
                )
                answer = await track(call)
            except aio.AioRpcError as error:
                if error.initial_metadata():
                    resumption.answered()  # accepted, then cut: worth more tries

                await resumption.wait_after(status_of(error), error)
            else:
                return answer.prediction


def _overtime(timeout: float | None) -> float | None:
    return None if timeout is None else timeout + OVERTIME_SECONDS
