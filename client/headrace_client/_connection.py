"""One server: the channel to it, the caller's token, and the calls with one answer.

Everything here turns a gRPC status into this package's errors; nobody above sees an `AioRpcError`,
except the two rooms that resume.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import grpc
from grpc import aio
from headrace_proto.v1.headrace_pb2_grpc import HeadraceServiceStub

from headrace_client._affinity import Affinity, track
from headrace_client._channel import (
    ClearTextToken,
    check_address,
    host_and_port,
    is_loopback,
    open_channel,
    tls_of,
)
from headrace_client._diagnosis import Diagnosis, diagnose
from headrace_client._errors import HeadraceError, StreamClosed
from headrace_client._status import CallStatus, status_of

if TYPE_CHECKING:
    from headrace_proto.v1.headrace_pb2_grpc import HeadraceServiceAsyncStub

Request = TypeVar("Request")
Answer = TypeVar("Answer")
TokenSource: TypeAlias = str | Callable[[], str]

OVERDUE_SECONDS = 2.0
"""After a deadline that gRPC itself should have kept."""

OVERDUE = CallStatus(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

UNANSWERED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

LARGER = "message larger than max"
"""What gRPC says where a message passes a channel's limit."""

AROUND_THE_CAUSE = re.compile(
    r"^failed to connect to all addresses; last error: \w+: \S+: |: OK$"  # what gRPC wraps it in
)


class Connection:
    """A channel, opened at its first use, on the event loop of that use."""

    def __init__(
        self,
        address: str,
        *,
        token: TokenSource | None,
        credentials: grpc.ChannelCredentials | None,
        channel_options: Mapping[str, int | str],
        call_timeout: float,
    ) -> None:
        check_address(address)

        if isinstance(token, str):
            _check_token(token)

        if token is not None and credentials is None and not is_loopback(address):
            raise ClearTextToken(
                f"a token would cross the network to {address} in clear text: "
                "give TLS credentials too"
            )

        self.address = address
        self.call_timeout = call_timeout
        """Seconds for a call with one answer."""
        self._token = token
        self._credentials = credentials
        self._options = channel_options
        self._channel: aio.Channel | None = None
        self._affinity: Affinity | None = None
        self.is_closed = False

    @property
    def stub(self) -> HeadraceServiceAsyncStub:
        """The generated stub over this channel."""
        return HeadraceServiceStub(self._open())

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The caller's token, to be sent with every call."""
        token = self._token() if callable(self._token) else self._token

        if token is None:
            return ()

        _check_token(token)

        return (("authorization", f"Bearer {token}"),)

    async def ask(
        self,
        method: aio.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        *,
        timeout: float | None = None,
        run_id: str = "",
    ) -> Answer:
        """One call with one answer, within `timeout` seconds (the connection's own if unset).

        `run_id` names the run whose record is asked for.
        """
        seconds = self.call_timeout if timeout is None else timeout

        try:
            async with asyncio.timeout(seconds + OVERDUE_SECONDS):
                return await track(method(request, timeout=seconds, metadata=self.metadata()))
        except aio.AioRpcError as error:
            status = status_of(error)
            is_record = run_id and LARGER in status.message  # the request is small
            raise await self.error(
                status.of_an_answer() if is_record else status, run_id
            ) from error
        except TimeoutError as error:
            raise await self.error(OVERDUE) from error
        except asyncio.CancelledError:
            self.raise_if_closed()
            raise

    async def error(self, status: CallStatus, run_id: str = "") -> HeadraceError:
        """The error for a status, with what stands in the way where it is about reaching the server."""
        is_late = status.code is grpc.StatusCode.DEADLINE_EXCEEDED

        is_silence = not status.is_told and (status.is_cut or is_late)

        if is_silence and (found := await self._diagnose()):
            code = status.code if is_late else grpc.StatusCode.UNAVAILABLE
            named = replace(status, code=code, reason=found.reason)
            error = named.error(run_id, self._silence(found.cause))
            error.advice = found.advice

            return error

        if status.code in UNANSWERED and not status.is_told:
            cause = AROUND_THE_CAUSE.sub("", status.message)

            return status.error(run_id, self._silence(cause))

        if status.code is grpc.StatusCode.UNIMPLEMENTED:
            return status.error(run_id, f"{self.address} does not serve this call of headrace.v1")

        return status.error(run_id)

    async def ready(self, timeout: float) -> None:
        """Waits until the server can be reached; raises DeadlineExceeded after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._open().channel_ready()
        except TimeoutError:
            late = CallStatus(grpc.StatusCode.DEADLINE_EXCEEDED, f"none within {timeout:g} s")
            raise await self.error(late) from None

    @property
    def is_inherited(self) -> bool:
        """Open in a process that this one was forked from, which alone may touch it."""
        return self._affinity is not None and self._affinity.is_inherited

    def check_affinity(self) -> None:
        """Raises ClientMisplaced where this is not the process and the event loop it is open in."""
        if self._affinity is not None:
            self._affinity.check()

    async def close(self) -> None:
        """Closes the channel; calls under way end. Closing again, or one of a parent process, does nothing."""
        if self._channel is None or self.is_inherited:
            self.is_closed = True
            return

        self.check_affinity()
        self.is_closed = True
        channel, self._channel = self._channel, None  # gRPC's threads end as the last one is freed
        await channel.close()

    def raise_if_closed(self) -> None:
        """Raises StreamClosed where a call ended because the channel was closed.

        grpc.aio reports that as if the waiting task had been cancelled.
        """
        task = asyncio.current_task()

        if self.is_closed and not (task and task.cancelling()):
            raise closed() from None

    async def _diagnose(self) -> Diagnosis | None:
        place = host_and_port(self.address)

        return None if place is None else await diagnose(*place, tls_of(self._credentials))

    def _silence(self, cause: str) -> str:
        place = host_and_port(self.address)
        unnamed = place is not None and not self.address.endswith(f":{place[1]}")
        port = f" (port {place[1]}, as it names none)" if place and unnamed else ""

        return f"no server answers at {self.address}{port}: {cause}"

    def _open(self) -> aio.Channel:
        if self.is_closed:
            raise closed()

        if self._channel is None:
            self._affinity = Affinity()
            self._channel = track(open_channel(self.address, self._credentials, self._options))

        self.check_affinity()

        return self._channel


def _check_token(token: str) -> None:
    if not token.isascii() or not token.isprintable():
        raise ValueError("token: it is to be printable ASCII")


def closed() -> StreamClosed:
    """The error of using a client that is closed."""
    return StreamClosed("the client is closed; open another")
