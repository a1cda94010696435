"""A reader that resumes: the client loop of the contract, by hand, with a journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict
from grpc.aio import EOF, AioRpcError, Channel
from headrace_proto.v1 import headrace_pb2 as pb
from headrace_proto.v1 import headrace_pb2_grpc as rpc

from conformance.journal import End, Journal, Stream, messages_of

OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 5000),  # which is what an attempt may take
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),  # connections of its own
]
OF_THE_ROAD = {"UNAVAILABLE", "UNKNOWN", "INTERNAL", "CANCELLED"}
PATIENCE = 200
"""Streams in a row that may bring nothing new."""

Cut = Callable[[int], bool]
"""Whether to break the stream off, given how many messages it has brought."""


@asynccontextmanager
async def connected(address: str) -> AsyncGenerator[Channel, None]:
    """A channel that shares no connection with others, and comes back soon."""
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        yield channel


async def read(
    channel: Channel,
    request: pb.RunRequest,
    *,
    reader: str = "",
    cut: Cut = lambda messages: False,
    on_cut: Callable[[], None] | None = None,
) -> Journal:
    """Follows a run to its end, through whatever breaks its streams.

    Where `cut` says so the reader breaks off by itself, by cancelling or by `on_cut`.
    """
    options = request.options
    accepts = [pb.EventKind.Name(kind).removeprefix("EVENT_KIND_") for kind in options.accept]
    detail = pb.TokenDetail.Name(options.token_detail).removeprefix("TOKEN_DETAIL_")
    journal = Journal(request.run_id, reader, accepts=accepts, detail=detail)
    position = fruitless = 0

    while fruitless < PATIENCE:
        stream = Stream(position)
        journal.streams.append(stream)
        asked = pb.RunRequest()
        asked.CopyFrom(request)
        asked.after_sequence = position
        await _follow(channel, asked, stream, cut, on_cut)
        reached = max((one.sequence for one in stream.messages), default=0)
        fruitless = 0 if reached > position else fruitless + 1
        position = max(reached, position)

        if stream.end is not None and (stream.end.state or stream.end.code not in OF_THE_ROAD):
            break

    return journal


async def _follow(
    channel: Channel,
    request: pb.RunRequest,
    stream: Stream,
    cut: Cut,
    on_cut: Callable[[], None] | None,
) -> None:
    stub = rpc.HeadraceServiceStub(channel)
    call = stub.Run(request, wait_for_ready=True)

    try:
        while not cut(len(stream.messages)):
            event = await call.read()

            if event is EOF:
                stream.end = End(
                    "OK", _trailer(await call.trailing_metadata(), "headrace-run-state")
                )
                return

            assert isinstance(event, pb.StreamEvent)
            stream.messages += messages_of(event)
            await _answer(stub, event)
    except AioRpcError as error:
        trailers = error.trailing_metadata()
        stream.end = End(
            error.code().name,
            _trailer(trailers, "headrace-run-state"),
            _trailer(trailers, "headrace-error-reason"),
            error.details() or "",
            _usage(trailers),
        )
        return

    if on_cut is not None:
        on_cut()
        await asyncio.sleep(0)

    call.cancel()


async def _answer(stub: rpc.HeadraceServiceAsyncStub, event: pb.StreamEvent) -> None:
    """Answers what the run asks by its own message. Every reader does: the same counts once."""
    for one in [event, *event.batch.events]:
        if one.HasField("input_request"):
            answer = pb.SendInputRequest(
                run_id=one.run_id,
                input_id=one.input_request.input_id,
                answer_json=json.dumps(one.input_request.message),
            )

            try:
                await stub.SendInput(answer)
            except AioRpcError as error:
                if error.code() is not grpc.StatusCode.ALREADY_EXISTS:  # withdrawn
                    raise


def _usage(trailers: Iterable[tuple[str, str | bytes]] | None) -> dict[str, Any] | None:
    sent = [value for key, value in trailers or () if key == "headrace-usage-bin"]
    usages = [MessageToDict(pb.Usage.FromString(one)) for one in sent if isinstance(one, bytes)]

    return usages[0] if usages else None


def _trailer(trailers: Iterable[tuple[str, str | bytes]] | None, name: str) -> str:
    return next((str(value) for key, value in trailers or () if key == name), "")
