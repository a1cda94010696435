"""The events of a run as Server-Sent Events: one task writes them, another watches the reader.

A write waits until the socket takes it, and meanwhile nothing is read from the server: for a slow
browser the server merges, and nothing queues up here. A reader that leaves does not stop the run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from functools import partial

from anyio import move_on_after
from headrace_client import (
    Event,
    HeadraceError,
    RunStream,
    RunSuspended,
    ServerUnreachable,
    StatusUpdate,
    StreamEvent,
)
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headrace_gateway.disconnect import OpenRequests
from headrace_gateway.errors import error_object, error_response, refusal
from headrace_gateway.payloads import event_payload
from headrace_gateway.plain import Payload
from headrace_gateway.requests import END, Detail

COMMENT = b":\n\n"
"""Says that the stream is alive; readers ignore it."""

HEADERS = {
    "cache-control": "no-store",
    "content-type": "text/event-stream",
    "x-accel-buffering": "no",  # nginx would keep events back
}

RECONNECT_AFTER = 1000
"""Milliseconds that a browser waits before it connects anew."""

PATIENCE = 1.0
"""Seconds for which a refusal may still come as a status; then the response begins without an event."""

ENDING = refusal("DRAINING", "the gateway is ending; ask again, with the same run_id")


class Reader:
    """The other end of a stream: takes bytes, and is kept awake by comments while there are none."""

    def __init__(self, receive: Receive, send: Send, headers: Payload, opening: bytes) -> None:
        self._receive = receive
        self._send = send
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._opening = opening
        self._loop = asyncio.get_running_loop()
        self._turn = asyncio.Lock()
        self._written = self._loop.time()
        self.has_begun = False

    async def begin(self) -> None:
        """Sends status 200 and the opening; does nothing the second time."""
        async with self._turn:
            await self._begin()

    async def write(self, data: bytes) -> None:
        """Returns when the socket has taken it."""
        async with self._turn:
            await self._begin()
            await self._send_body(data)
            self._written = self._loop.time()

    async def end(self) -> None:
        """Ends the response, so that the connection can serve another."""
        await self._send_body(b"", more=False)

    async def gone(self, heartbeat_interval: float) -> None:
        """Returns once the reader has left."""
        while True:
            with move_on_after(heartbeat_interval if self.has_begun else PATIENCE) as waiting:
                if (await self._receive())["type"] == "http.disconnect":
                    return

            if waiting.cancelled_caught:
                await self._keep_awake(heartbeat_interval)

    async def _keep_awake(self, heartbeat_interval: float) -> None:
        if not self.has_begun:
            await self.begin()
        elif not self._turn.locked() and self._loop.time() - self._written >= heartbeat_interval:
            await self.write(COMMENT)

    async def _begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            start = {"type": "http.response.start", "status": 200, "headers": self._headers}
            await self._send(start)
            await self._send_body(self._opening)

    async def _send_body(self, data: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


class RunResponse(Response):
    """Server-Sent Events of a run."""

    def __init__(
        self,
        run: RunStream,
        opening: Payload,
        *,
        detail: Detail,
        requests: OpenRequests,
        heartbeat_interval: float,
        local: bool,
        is_accepted: bool = False,
    ) -> None:
        """`run` is still to be opened; `opening` is sent before its events.

        `is_accepted`: nothing is to be refused any more, so the response begins at once.
        """
        super().__init__()
        self._run = run
        self._opening = opening
        self._detail: Detail = detail
        self._requests = requests
        self._heartbeat_interval = heartbeat_interval
        self._local = local
        self._is_accepted = is_accepted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {**HEADERS, "headrace-run-id": self._run.run_id}
        reader = Reader(receive, send, headers, opening_bytes(self._opening))

        try:
            async with self._run as run:
                run.detach()
                gone = partial(reader.gone, self._heartbeat_interval)
                await self._requests.while_there(self._tell(run, reader), gone)
        except HeadraceError as error:
            await error_response(error, local=self._local)(scope, receive, send)
        else:
            await self._finish(reader, scope, receive, send)

    async def _tell(self, run: RunStream, reader: Reader) -> None:
        if self._is_accepted:
            await reader.begin()

        try:
            async for event in run:
                if payload := self._payload(event, run.last_event):
                    await reader.write(event_bytes(payload, self._position(run)))
        except HeadraceError as error:
            if not reader.has_begun:
                raise

            told = error_object(error, local=self._local)
            await reader.write(event_bytes(told, self._end_of(error)))
        else:
            await reader.write(done_bytes(f"{self._run.run_id}:{END}"))

    def _payload(self, event: Event, envelope: StreamEvent | None) -> Payload | None:
        assert envelope is not None  # each event came in one

        if not isinstance(event, StatusUpdate) or self._detail == "all":
            return event_payload(envelope)

        return event_payload(envelope) if self._detail == "messages" and event.message else None

    def _position(self, run: RunStream) -> str:
        sequence = 0 if run.last_event is None else run.last_event.sequence

        return f"{run.run_id}:{sequence}" if sequence else ""

    def _end_of(self, error: HeadraceError) -> str:
        """A run out of reach, or one that is not over, may be asked for again; other errors stay."""
        again = isinstance(error, ServerUnreachable | RunSuspended)

        return "" if again else f"{self._run.run_id}:{END}"

    async def _finish(self, reader: Reader, scope: Scope, receive: Receive, send: Send) -> None:
        if reader.has_begun:
            await reader.end()
        else:
            await error_response(ENDING)(scope, receive, send)


def event_bytes(payload: Mapping[str, object], event_id: str = "") -> bytes:
    """An event. Its id is what a browser sends back as `Last-Event-ID`; empty: the one before counts."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))

    return f"{_id_line(event_id)}data: {text}\n\n".encode()


def opening_bytes(payload: Mapping[str, object]) -> bytes:
    """The first event."""
    return b"retry: %d\n" % RECONNECT_AFTER + event_bytes(payload)


def done_bytes(event_id: str) -> bytes:
    """The last event of a stream that ended well."""
    return f"{_id_line(event_id)}data: [DONE]\n\n".encode()


def _id_line(event_id: str) -> str:
    return f"id: {event_id}\n" if event_id else ""
