"""One run's events in order, across as many gRPC streams as it takes.

The rule: the cursor moves with what was handed out, never with what merely came. A message may hold many
events; a reader that leaves between two of them finds the rest by asking again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import grpc
from grpc import aio
from headrace_proto.v1.headrace_pb2 import AttachRequest, RunRequest, StreamEvent

from headrace_client._affinity import track
from headrace_client._connection import Connection
from headrace_client._errors import StreamClosed
from headrace_client._requests import HEARTBEAT_SECONDS
from headrace_client._resume import Resumption
from headrace_client._status import CallStatus, status_of, suspended

T = TypeVar("T")

EventCall: TypeAlias = (
    aio.UnaryStreamCall[RunRequest, StreamEvent] | aio.UnaryStreamCall[AttachRequest, StreamEvent]
)
OpenCall: TypeAlias = Callable[[int, float | None], EventCall]
"""Asks for the events after a cursor, with the seconds that are left."""

RUN_ID = "headrace-run-id"
"""Stands in the initial metadata of a stream that the server has accepted."""

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
        self._unread: deque[StreamEvent] = deque()
        """Those of the last message that nobody has taken yet."""
        self._has_prediction = False
        self._is_closed = False

    @property
    def cursor(self) -> int:
        """The last position seen: what is recorded after it is still to come."""
        return self._resumption.cursor

    async def accepted(self) -> None:
        """Sends the request and waits until the server has taken it; raises what `read` raises."""
        await self._persist(self._take)
        self._resumption.answered()

    async def read(self) -> StreamEvent | None:
        """The next event that was recorded; None behind the last one of a run that succeeded.

        Raises RunFailed when the run is over without a prediction, RunSuspended when it is not over and
        cannot be read on, RequestRefused when the server refuses, ServerUnreachable when nothing new
        came for too long.
        """
        while not self._has_prediction and await self._has_more():
            event = self._unread.popleft()

            if self._accepts(event):
                return event

        return None

    async def close(self) -> None:
        """Ends the stream; whoever still reads gets StreamClosed."""
        call, self._is_closed = self._call, True

        if call is None or self._connection.is_inherited:
            return

        self._connection.check_affinity()

        if self._has_prediction:  # its OK follows: a reader who stays for it has not left early
            with contextlib.suppress(aio.AioRpcError, TimeoutError):
                async with asyncio.timeout(LONGEST_FAREWELL):
                    await call.read()

        call.cancel()

    async def _has_more(self) -> bool:
        """Waits for a message, unless there is something unread; False behind the last event."""
        while self._is_closed or not self._unread:
            message = await self._persist(self._receive)

            if message is None:
                return False

            self._unpack(message)

        return True

    async def _take(self, call: EventCall) -> None:
        await call.wait_for_connection()

        if RUN_ID not in dict(iter(await call.initial_metadata())):
            self._unpack(await self._receive(call))  # or rather raise: a refusal is on its way

    def _unpack(self, message: StreamEvent | None) -> None:
        if message is not None:
            self._unread.extend(message.batch.events if message.HasField("batch") else (message,))

    async def _receive(self, call: EventCall) -> StreamEvent | None:
        message = await call.read()

        if isinstance(message, StreamEvent):
            return message

        if error := suspended(await call.trailing_metadata(), self._resumption.run_id):
            raise error

        return None

    async def _persist(self, step: Callable[[EventCall], Awaitable[T]]) -> T:
        """Does a step on the stream, and again on another one while that may help."""
        while not self._is_closed:
            self._connection.check_affinity()
            call = self._call = self._call or self._reopened()

            try:
                async with asyncio.timeout(LONGEST_SILENCE):
                    return await step(call)
            except (aio.AioRpcError, TimeoutError) as error:
                self._call = None
                await self._resumption.wait_after(_status_of(error), error)
            except asyncio.CancelledError:
                self._call = None  # the next reader asks again after the cursor
                self._connection.raise_if_closed()
                raise

        raise _closed()

    def _reopened(self) -> EventCall:
        self._resumption.asking()

        return track(self._open_call(self.cursor, self._resumption.seconds_left()))

    def _accepts(self, event: StreamEvent) -> bool:
        self._resumption.answered(event.sequence)
        self._has_prediction = event.HasField("prediction")

        return not event.HasField("heartbeat")


def _status_of(error: aio.AioRpcError | TimeoutError) -> CallStatus:
    return status_of(error) if isinstance(error, aio.AioRpcError) else SILENCE


def _closed() -> StreamClosed:
    return StreamClosed("the run is closed: read it inside its `with` block")
