"""A run as its reader sees it: events, the text of fields, and the prediction.

Nothing is queued: readers of events take them one by one, readers of fields are cursors over the
text so far, and whoever finds nothing new fetches the next event for all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from headrace_proto.v1.headrace_pb2 import (
    CancelRunRequest,
    CancelRunResponse,
    CustomEvent,
    InputRequest,
    InputResolved,
    Prediction,
    StatusUpdate,
    StreamEvent,
    Token,
)

from headrace_client._calls import Calls
from headrace_client._connection import Connection
from headrace_client._errors import (
    HeadraceError,
    ServerFault,
    StreamConsumed,
    StreamMisused,
    StreamNotOpen,
)
from headrace_client._outputs import outputs
from headrace_client._requests import OutputForm
from headrace_client._stream import EventStream
from headrace_client._transcript import FieldKey, Transcript

Event: TypeAlias = Token | StatusUpdate | Prediction | CustomEvent | InputRequest | InputResolved
"""An event of a run's iteration: an arm of the wire's StreamEvent, as it is."""

GOODBYE_SECONDS = 3.0
"""Most that stopping the run may take when a block is left."""


async def stop_run(connection: Connection, run_id: str) -> None:
    """Stops a run whose reader leaves, within a bound; where this fails, linger ends the run."""
    request = CancelRunRequest(run_id=run_id, reason="the reader left")

    with contextlib.suppress(HeadraceError, StreamMisused):
        await connection.ask(connection.stub.CancelRun, request, timeout=GOODBYE_SECONDS)


class RunStream:
    """One run, read from its first event to its prediction. Made by `Client.run` and `Client.attach`.

    Open it with `async with`, which waits until the server has accepted it. Then either iterate over
    it once, for events, or over any number of `field(...)` at the same time, for text;
    `prediction()` and `result()` read to the end. A broken connection is mended underneath without
    loss. Leaving the block of `Client.run` early stops the run; leaving that of `Client.attach` does
    not.

    ```python
    import asyncio

    from headrace_client import Client, Prediction, StatusUpdate, Token, outputs


    async def main() -> None:
        async with Client() as client, client.run("composer", question="why?") as run:
            async for event in run:
                match event:
                    case Token(predictor=predictor, field=field, chunk=chunk):
                        print(f"[{predictor}.{field}] {chunk}")
                    case StatusUpdate(message=message) if message:
                        print(message)
                    case Prediction() as prediction:
                        print(outputs(prediction)["answer"])


    asyncio.run(main())
    ```
    """

    def __init__(
        self,
        connection: Connection,
        start: Callable[[], EventStream],
        *,
        run_id: str,
        output_form: OutputForm,
        stops_on_leaving: bool,
    ) -> None:
        self.run_id = run_id
        self.last_event: StreamEvent | None = None
        """The envelope of the last event read: its sequence, attempt and time."""
        self._connection = connection
        self._calls = Calls(connection)
        self._start = start
        self._output_form: OutputForm = output_form
        self._stops_on_leaving = stops_on_leaving
        self._stream: EventStream | None = None
        self._transcript = Transcript()
        self._prediction: Prediction | None = None
        self._failure: HeadraceError | None = None
        self._is_over = False
        self._event_count = 0
        self._read_by: Literal["", "events", "fields"] = ""
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        if self._stream is not None:
            raise StreamConsumed("this run was opened before; ask the client for another")

        self._stream = self._start()

        try:
            await self._stream.accepted()
        except asyncio.CancelledError:
            await self._leave(self._stream)  # it may have been accepted all the same
            raise

        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave(self._opened())

    @property
    def cursor(self) -> int:
        """The last position read: `Client.attach(run_id, after_sequence=cursor)` goes on from it."""
        return 0 if self._stream is None else self._stream.cursor

    def __aiter__(self) -> AsyncIterator[Event]:
        """The events as they come; raises RunFailed, RunSuspended, RequestRefused or ServerUnreachable."""
        self._read_as("events")

        return self._events()

    async def prediction(self) -> Prediction:
        """Reads to the end and gives the prediction; raises what iterating raises."""
        while self._prediction is None:
            if await self._next() is None:
                self._prediction = self._prediction or await self._recorded_prediction()

        return self._prediction

    async def result(self) -> dict[str, Any]:
        """Reads to the end and gives the outputs as plain values; raises what iterating raises."""
        return outputs(await self.prediction())

    def text(self, selector: str, *, call_id: int | None = None) -> str:
        """The text of a field as read so far, such as `answer` or `compose.answer`.

        That of its latest call, unless one is named; empty before it began.
        """
        return self._transcript.latest(selector, call_id)

    def field(self, selector: str) -> AsyncIterator[str]:
        """New text of a field as it comes, until the run ends; raises what iterating raises.

        `selector` is `answer` or `compose.answer`. Fields may be read side by side; each reader gets
        all of its text. Calls of one predictor follow each other.

        ```python
        import asyncio

        from headrace_client import Client


        async def main() -> None:
            async with Client() as client, client.run("composer", question="why?") as run:
                async for text in run.field("answer"):
                    print(text, end="", flush=True)


        asyncio.run(main())
        ```
        """
        self._read_as("fields")

        return self._follow(selector)

    async def answer(self, input_id: str, /, value: object, *, reason: str = "") -> InputResolved:
        """Answers an open question of the run; all else is as in `Client.answer`."""
        return await self._calls.answer(self.run_id, input_id, value, reason=reason)

    async def decline(self, input_id: str, /, *, reason: str = "") -> InputResolved:
        """Says that there will be no answer, or that the tool must not be called."""
        return await self._calls.decline(self.run_id, input_id, reason=reason)

    async def cancel(self, reason: str = "") -> CancelRunResponse:
        """Stops the run, whoever else reads it, and gives its record as `run`."""
        return await self._calls.cancel(self.run_id, reason=reason)

    def detach(self) -> None:
        """Lets the run go on after this block, for as long as its `linger` without a reader."""
        self._stops_on_leaving = False

    async def _events(self) -> AsyncIterator[Event]:
        while (event := await self._next()) is not None:
            yield event

    async def _follow(self, selector: str) -> AsyncIterator[str]:
        read: dict[FieldKey, int] = {}

        while True:
            seen, is_last_look = self._event_count, self._is_over

            for key, text in list(self._transcript.matching(selector)):
                if piece := text.since(read.get(key, 0)):
                    read[key] = len(text)
                    yield piece

            if not is_last_look:
                await self._wait_for_more(seen)
            elif self._failure is not None:
                raise self._failure
            else:
                return

    async def _wait_for_more(self, seen: int) -> None:
        async with self._turn:
            if self._event_count == seen and not self._is_over:
                await self._take()

    async def _next(self) -> Event | None:
        async with self._turn:
            return await self._take()

    async def _take(self) -> Event | None:
        stream = self._opened()

        if self._failure is not None:
            raise self._failure

        while not self._is_over:
            try:
                event = await stream.read()
            except HeadraceError as error:
                self._failure = error
                self._is_over = True
                raise

            if event is None:
                self._is_over = True
            elif (arm := self._apply(event)) is not None:
                return arm

        return None

    def _apply(self, event: StreamEvent) -> Event | None:
        self.last_event = event
        self._event_count += 1

        match event.WhichOneof("event"):
            case "token":
                self._transcript.apply(event.token)
                return event.token
            case "status":
                return event.status
            case "prediction":
                self._prediction = event.prediction
                self._is_over = True
                return event.prediction
            case "custom":
                return event.custom
            case "input_request":
                return event.input_request
            case "input_resolved":
                return event.input_resolved
            case "batch" | "heartbeat" | None:  # None: of a later version; only its position counts
                return None

    async def _recorded_prediction(self) -> Prediction:
        run = await self._calls.get_run(self.run_id, output_form=self._output_form)

        if not run.HasField("prediction"):
            raise ServerFault(
                f"run {self.run_id} ended well without a prediction", run_id=self.run_id
            )

        return run.prediction

    async def _leave(self, stream: EventStream) -> None:
        try:
            if self._stops_on_leaving and not self._is_over:
                await stop_run(self._connection, self.run_id)
        finally:
            await stream.close()

    def _opened(self) -> EventStream:
        if self._stream is None:
            raise StreamNotOpen("open the run first: `async with client.run(...) as run:`")

        return self._stream

    def _read_as(self, way: Literal["events", "fields"]) -> None:
        if self._read_by and (self._read_by, way) != ("fields", "fields"):
            raise StreamConsumed(
                "a run is iterated once, by its events or by its fields; text() and prediction() "
                "remain, and client.attach(run_id) reads it again"
            )

        self._read_by = way
