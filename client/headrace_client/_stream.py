"""One run's events in order, across as many gRPC streams as it takes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeAlias

import grpc
from grpc import aio
from headrace_proto.v1.headrace_pb2 import AttachRequest, RunRequest, StreamEvent

from headrace_client._connection import Connection
from headrace_client._errors import StreamClosed
from headrace_client._requests import HEARTBEAT_SECONDS
from headrace_client._resume import Resumption
from headrace_client._status import CallStatus, status_of

EventCall: TypeAlias = (
    aio.UnaryStreamCall[RunRequest, StreamEvent] | aio.UnaryStreamCall[AttachRequest, StreamEvent]
)
OpenCall: TypeAlias = Callable[[int, float | None], EventCall]
"""Asks for the events after a cursor, with the seconds that are left."""

LONGEST_SILENCE = 3 * HEARTBEAT_SECONDS
LONGEST_FAREWELL = 2.0
"""Seconds to wait for the OK behind a prediction."""

SILENCE = CallStatus(grpc.StatusCode.UNAVAILABLE, f"not even a heartbeat in {LONGEST_SILENCE:g} s")


class EventStream:
    """Events of one run, for one task at a time."""

    def __init__(self, connection: Connection, open_call: OpenCall, resumption: Resumption) -> None:
        self._connection = connection
        self._open_call = open_call
        self._resumption = resumption
        self._call: EventCall | None = None
        self._has_prediction = False
        self._is_closed = False

    @property
    def cursor(self) -> int:
        """The last position seen: what is recorded after it is still to come."""
        return self._resumption.cursor

    def open(self) -> EventCall:
        """Sends the request; `read` waits for what comes of it."""
        self._call = self._open_call(self.cursor, self._resumption.seconds_left())

        return self._call

    async def read(self) -> StreamEvent | None:
        """The next event that was recorded; None behind the last one of a run that succeeded.

        Raises RunFailed when the run is over without a prediction, RequestRefused when the server
        refuses, ServerUnreachable when nothing new came for too long.
        """
        while not self._has_prediction:
            try:
                event = await self._receive(LONGEST_SILENCE)
            except aio.AioRpcError as error:
                await self._resumption.wait_after(status_of(error), error)
            except TimeoutError as error:
                await self._resumption.wait_after(SILENCE, error)
            else:
                if event is None or self._accepts(event):
                    return event

        return None

    async def close(self) -> None:
        """Ends the stream; whoever still reads gets StreamClosed."""
        call, self._is_closed = self._call, True

        if call is None:
            return

        if self._has_prediction:  # its OK follows: a reader who stays for it has not left early
            with contextlib.suppress(aio.AioRpcError, TimeoutError):
                async with asyncio.timeout(LONGEST_FAREWELL):
                    await call.read()

        call.cancel()

    async def _receive(self, seconds: float) -> StreamEvent | None:
        if self._is_closed:
            raise _closed()

        call = self._call or self.open()

        try:
            async with asyncio.timeout(seconds):
                event = await call.read()
        except (aio.AioRpcError, TimeoutError, asyncio.CancelledError) as error:
            self._call = None  # whatever ended it, the next reader asks again after the cursor
            raise self._meaning_of(error) from None

        return event if isinstance(event, StreamEvent) else None

    def _accepts(self, event: StreamEvent) -> bool:
        self._resumption.answered(event.sequence)
        self._has_prediction = event.HasField("prediction")

        return not event.HasField("heartbeat")

    def _meaning_of(self, error: BaseException) -> BaseException:
        """grpc.aio reports a call that we closed as if the reading task had been cancelled."""
        task = asyncio.current_task()
        is_wanted = task is not None and task.cancelling() > 0
        is_closed = self._is_closed or self._connection.is_closed

        if isinstance(error, asyncio.CancelledError) and is_closed and not is_wanted:
            return _closed()

        return error


def _closed() -> StreamClosed:
    return StreamClosed("the run is closed: read it inside its `with` block")
