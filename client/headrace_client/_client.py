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
from headrace_client._calls import Calls
from headrace_client._connection import Connection, TokenSource
from headrace_client._resume import Resumption
from headrace_client._run import RunStream, stop_run
from headrace_client._status import status_of
from headrace_client._stream import EventCall, EventStream, OpenCall
from headrace_client._values import beside_inputs, chosen, duration, text
from headrace_client._values import labels as labels_of

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


class Client(Calls):
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
        super().__init__(
            Connection(
                address,
                token=token,
                credentials=credentials,
                channel_options=channel_options or {},
                call_timeout=call_timeout,
            )
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
        status_detail: requests.StatusDetail = "all",
        include_data: bool = False,
        merge_interval: float | None = None,
        output_form: requests.OutputForm = "json",
        accept: Sequence[requests.Accepted] = ("custom", "input"),
        timeout: float | None = None,
        linger: float | None = None,
        labels: Mapping[str, str] | None = None,
        revision: str | None = None,
        interface_revision: str | None = None,
        run_id: str | None = None,
        **named_inputs: object,
    ) -> RunStream:
        """A run of a program, to be opened with `async with`.

        Keywords that are not options are the program's inputs; `inputs` takes them as a mapping, for
        names that are options here. `fields` are selectors such as `compose.answer`, or `*`; none
        means every field of text. `merge_interval`: seconds for which the server may gather tokens
        before it sends them. `output_form`: how the prediction's outputs are sent; "json" keeps
        integers exact. `accept`: "custom" for what the program tells of itself, "input" for what it
        asks. `timeout`: seconds the run may take. `linger`: seconds it survives without a reader.
        `revision` refuses any other revision of the program, `interface_revision` any with other
        names, types or schemas. `run_id`: a name of your own; a run that has it already is joined
        instead of started.
        """
        with beside_inputs():
            run_id = text("run_id", run_id) or str(uuid.uuid4())
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
                    output_form=output_form,
                    accept=accept,
                ),
                timeout=duration("timeout", timeout),
                linger=duration("linger", self._linger if linger is None else linger),
                revision=text("revision", revision),
                interface_revision=text("interface_revision", interface_revision),
                labels=labels_of(labels),
            )

        def open_call(cursor: int, seconds: float | None) -> EventCall:
            request.after_sequence = cursor
            metadata = self._connection.metadata()

            return self._connection.stub.Run(request, timeout=seconds, metadata=metadata)

        return self._reading(
            open_call, run_id, output_form, timeout=_overtime(timeout), stops_on_leaving=True
        )

    def attach(
        self,
        run_id: str,
        /,
        *,
        after_sequence: int = 0,
        fields: Sequence[str] = (),
        token_detail: requests.TokenDetail = "all",
        status_detail: requests.StatusDetail = "all",
        include_data: bool = False,
        merge_interval: float | None = None,
        output_form: requests.OutputForm = "json",
        accept: Sequence[requests.Accepted] = ("custom", "input"),
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
                output_form=output_form,
                accept=accept,
            ),
        )

        def open_call(cursor: int, seconds: float | None) -> EventCall:
            request.after_sequence = cursor
            metadata = self._connection.metadata()

            return self._connection.stub.Attach(request, timeout=seconds, metadata=metadata)

        return self._reading(
            open_call, run_id, output_form, timeout=timeout, after_sequence=after_sequence
        )

    async def predict(
        self,
        program: str,
        /,
        *,
        inputs: Mapping[str, object] | None = None,
        output_form: requests.OutputForm = "json",
        timeout: float | None = None,
        linger: float | None = None,
        labels: Mapping[str, str] | None = None,
        revision: str | None = None,
        interface_revision: str | None = None,
        run_id: str | None = None,
        **named_inputs: object,
    ) -> pb.Prediction:
        """Runs a program and gives its prediction; inputs and options are as in `run`.

        Cancelling the task that waits stops the run.
        """
        with beside_inputs():
            run_id = text("run_id", run_id) or str(uuid.uuid4())
            request = pb.PredictRequest(
                program=program,
                inputs_json=requests.inputs_json(inputs, named_inputs),
                run_id=run_id,
                timeout=duration("timeout", timeout),
                linger=duration("linger", self._linger if linger is None else linger),
                revision=text("revision", revision),
                interface_revision=text("interface_revision", interface_revision),
                labels=labels_of(labels),
                output_form=chosen("output_form", output_form, requests.OUTPUT_FORMS),
            )

        try:
            return await self._predicted(request, _overtime(timeout))
        except asyncio.CancelledError:
            self._connection.raise_if_closed()
            await stop_run(self._connection, run_id)
            raise

    def _reading(
        self,
        open_call: OpenCall,
        run_id: str,
        output_form: requests.OutputForm,
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

        return RunStream(
            connection,
            start,
            run_id=run_id,
            output_form=output_form,
            stops_on_leaving=stops_on_leaving,
        )

    async def _predicted(self, request: pb.PredictRequest, timeout: float | None) -> pb.Prediction:
        connection = self._connection
        resumption = Resumption(connection, request.run_id, retries=self._retries, timeout=timeout)

        while True:
            resumption.asking()

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
