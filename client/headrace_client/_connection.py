"""One gRPC channel to one server: how it is opened, who the caller is, and the calls with one answer.

Everything here turns a gRPC status into this package's errors; nobody above sees an `AioRpcError`,
except the two rooms that resume.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import grpc
from grpc import aio
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1.headrace_pb2_grpc import HeadraceServiceStub

from headrace_client._errors import (
    DeadlineExceeded,
    HeadraceError,
    RunFailed,
    RunLost,
    StreamClosed,
)
from headrace_client._status import CallStatus, status_of

if TYPE_CHECKING:
    from headrace_proto.v1.headrace_pb2_grpc import HeadraceServiceAsyncStub

Request = TypeVar("Request")
Answer = TypeVar("Answer")
TokenSource: TypeAlias = str | Callable[[], str]

USAGE_SECONDS = 2.0

REPEATABLE = ("ListPrograms", "GetProgram", "GetRun", "CancelRun", "GetServerInfo")
"""Repeated by the channel itself. Run, Attach and Predict are repeated by the client loop."""

SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": "headrace.v1.HeadraceService", "method": m} for m in REPEATABLE],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

CHANNEL_OPTIONS: dict[str, int | str] = {
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
    "grpc.http2.ping_timeout_ms": 5_000,  # the option above does not bound a frozen peer
    "grpc.http2.max_pings_without_data": 0,  # a reader sends no data, and would soon ping no more
    "grpc.http2.bdp_probe": 0,  # a small window lets the server merge for a slow reader
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,  # else a restarted server is found minutes later
    "grpc.max_receive_message_length": 16 * 1024 * 1024,  # a prediction comes as Struct and JSON
    "grpc.service_config": json.dumps(SERVICE_CONFIG),
    "grpc.primary_user_agent": f"headrace-python/{version('headrace')}",
}


AROUND_THE_CAUSE = re.compile(
    r"^failed to connect to all addresses; last error: \w+: \S+: |: OK$"  # what gRPC wraps it in
)


def tls_credentials(
    ca_file: str | Path | None = None,
    *,
    certificate_file: str | Path | None = None,
    key_file: str | Path | None = None,
) -> grpc.ChannelCredentials:
    """Credentials for TLS, or for mutual TLS with a certificate and its key (PEM files).

    Without `ca_file` the server's certificate is checked against the usual public roots.
    """
    if (certificate_file is None) != (key_file is None):
        raise ValueError("mutual TLS needs both certificate_file and key_file")

    return grpc.ssl_channel_credentials(
        root_certificates=Path(ca_file).read_bytes() if ca_file else None,
        private_key=Path(key_file).read_bytes() if key_file else None,
        certificate_chain=Path(certificate_file).read_bytes() if certificate_file else None,
    )


def is_loopback(address: str) -> bool:
    """Whether an address cannot leave this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True

    target = address.removeprefix("dns:///").removeprefix("ipv4:").removeprefix("ipv6:")
    host = target.rpartition(":")[0] or target

    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


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
        if token is not None and credentials is None and not is_loopback(address):
            raise ValueError(
                f"a token would cross the network to {address} in clear text: "
                "give TLS credentials too"
            )

        self.address = address
        self.call_timeout = call_timeout
        """Seconds for a call with one answer."""
        self._token = token
        self._credentials = credentials
        self._options = tuple({**CHANNEL_OPTIONS, **channel_options}.items())
        self._channel: aio.Channel | None = None
        self.is_closed = False

    @property
    def stub(self) -> HeadraceServiceAsyncStub:
        """The generated stub over this channel."""
        return HeadraceServiceStub(self._open())

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Who calls; to be sent with every call."""
        token = self._token() if callable(self._token) else self._token

        return () if token is None else (("authorization", f"Bearer {token}"),)

    async def ask(
        self,
        method: aio.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        *,
        timeout: float | None = None,
    ) -> Answer:
        """One call with one answer, within `timeout` seconds (the connection's own if unset)."""
        seconds = self.call_timeout if timeout is None else timeout

        try:
            return await method(request, timeout=seconds, metadata=self.metadata())
        except aio.AioRpcError as error:
            raise self.error(status_of(error)) from error

    async def get_run(self, run_id: str, *, timeout: float | None = None) -> pb.Run:
        """The record of a run."""
        answer = await self.ask(self.stub.GetRun, pb.GetRunRequest(run_id=run_id), timeout=timeout)

        return answer.run

    async def cancel_run(
        self, run_id: str, reason: str = "", *, timeout: float | None = None
    ) -> pb.Run:
        """Stops a run and gives its record; one that had ended comes back unchanged."""
        request = pb.CancelRunRequest(run_id=run_id, reason=reason)
        answer = await self.ask(self.stub.CancelRun, request, timeout=timeout)

        return answer.run

    async def add_usage(self, error: HeadraceError) -> None:
        """Completes the error of a failed run with the work it had done, if the server tells."""
        if isinstance(error, RunFailed) and not isinstance(error, RunLost):
            with contextlib.suppress(HeadraceError):
                run = await self.get_run(error.run_id, timeout=USAGE_SECONDS)
                error.usage = run.usage if run.HasField("usage") else None

    def error(self, status: CallStatus, run_id: str = "") -> HeadraceError:
        """The error for a status, naming the server where the status is about reaching it."""
        if status.code is grpc.StatusCode.UNAVAILABLE and not status.reason:
            cause = AROUND_THE_CAUSE.sub("", status.message)

            return status.error(run_id, f"no server answers at {self.address}: {cause}")

        if status.code is grpc.StatusCode.UNIMPLEMENTED:
            return status.error(run_id, f"{self.address} does not serve this call of headrace.v1")

        return status.error(run_id)

    async def ready(self, timeout: float) -> None:
        """Waits until the server can be reached; raises DeadlineExceeded after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._open().channel_ready()
        except TimeoutError:
            raise DeadlineExceeded(
                f"no server answered at {self.address} within {timeout:g} s",
                code=grpc.StatusCode.DEADLINE_EXCEEDED,
            ) from None

    async def close(self) -> None:
        """Closes the channel; calls under way end. Closing again does nothing."""
        self.is_closed = True

        if self._channel is not None:
            await self._channel.close()

    def _open(self) -> aio.Channel:
        if self.is_closed:
            raise StreamClosed("the client is closed; open another")

        if self._channel is None:
            self._channel = self._new_channel()

        return self._channel

    def _new_channel(self) -> aio.Channel:
        if self._credentials is None:
            return aio.insecure_channel(self.address, self._options)

        return aio.secure_channel(self.address, self._credentials, self._options)
