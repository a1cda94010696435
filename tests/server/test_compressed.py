"""Compressed requests: what they unpack to is bounded, however small they are."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc import Compression, StatusCode
from headrace_proto.v1 import headrace_pb2 as pb
from server.process import serving
from server.scripted import soon
from server.serving import refusal, served

METHOD = "/headrace.v1.HeadraceService/GetServerInfo"
MIB = 2**20


def sent(channel: grpc.aio.Channel, message: bytes, compression: Compression) -> Any:
    """A call with any bytes for its request."""
    return cast("Any", channel).unary_unary(METHOD)(message, compression=compression)


def most_memory(pid: int) -> int:
    """Bytes that a process has ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")

    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024


@pytest.mark.timeout(90)
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("compression", [Compression.Gzip, Compression.Deflate])
async def test_a_small_request_that_unpacks_to_a_large_one_takes_no_memory(
    compression: Compression,
) -> None:
    async with (
        serving("server.hosted:echo") as process,
        grpc.aio.insecure_channel(await soon(process.address())) as channel,
    ):
        await soon(sent(channel, b"", Compression.NoCompression))
        before = most_memory(process.pid)
        refused = await soon(refusal(sent(channel, bytes(128 * MIB), compression)), within=60)

        assert refused.code is StatusCode.RESOURCE_EXHAUSTED
        assert most_memory(process.pid) - before < 32 * MIB


@pytest.mark.parametrize("compression", [Compression.Gzip, Compression.Deflate])
async def test_an_ordinary_request_may_be_compressed(
    compression: Compression,
) -> None:
    unknown = pb.GetServerInfoRequest.FromString(b"\xa2\x06\x80\x08" + bytes(1024))

    async with served() as service:
        call = sent(service.channel, unknown.SerializeToString(), compression)

        assert pb.GetServerInfoResponse.FromString(await soon(call)).version
