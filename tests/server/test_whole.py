"""Whole fields, over the wire: each field's text once, when it is complete, for whoever joins whenever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import pytest
from google.protobuf.duration_pb2 import Duration
from headrace.runs.limits import Limits
from headrace_proto.v1 import headrace_pb2 as pb
from server.recordings import Texts
from server.scripted import Gate, soon, write
from server.serving import asking, heard, program, served

Play: TypeAlias = Callable[[str], Awaitable[object]]
STAYS = Duration(seconds=60)


def options(detail: pb.TokenDetail.ValueType, **more: Any) -> pb.StreamOptions:
    return pb.StreamOptions(token_detail=detail, heartbeat_interval=Duration(), **more)


def texts_of(messages: Sequence[pb.StreamEvent]) -> Texts:
    texts: Texts = {}

    for token in (one.token for one in messages if one.HasField("token")):
        key = token.call_id, token.field
        texts[key] = texts.get(key, "")[: token.offset] + token.chunk

    return texts


async def fails(question: str) -> object:
    write("answer", "so", " far")
    write("answer", "and no", " further", last=False)
    raise ValueError(question)


async def repeats(question: str) -> object:
    for turn in "abc":
        write("answer", turn, turn, turn)

    return question


async def in_parallel(question: str) -> object:
    async def one(name: str) -> None:
        write("answer", name, predictor="branch")
        await asyncio.sleep(0)
        write("answer", name, name, predictor="branch")

    await asyncio.gather(*map(one, "abcd"))

    return question


async def nothing(question: str) -> object:
    write("answer")
    write("answer", "", last=True)

    return question


@pytest.mark.parametrize("play", [fails, repeats, in_parallel, nothing])
async def test_whole_fields_are_what_all_tokens_make_from_every_position(play: Play) -> None:
    async with served(program(play)) as service:
        live = asking(run_id="r1", linger=STAYS, options=options(pb.TOKEN_DETAIL_WHOLE))
        first = (await soon(heard(service.stub.Run(live)))).events

        async def read(after: int, detail: pb.TokenDetail.ValueType) -> list[pb.StreamEvent]:
            request = pb.AttachRequest(run_id="r1", after_sequence=after, options=options(detail))

            return (await soon(heard(service.stub.Attach(request)))).events

        everything = texts_of(await read(0, pb.TOKEN_DETAIL_ALL))
        last = first[-1].sequence
        assert texts_of(first) == everything

        for after in range(last + 1):
            messages = await read(after, pb.TOKEN_DETAIL_WHOLE)
            whole = [one.token for one in messages if one.HasField("token")]
            ending = [one for one in first if one.HasField("token") and one.sequence > after]

            assert all((one.offset, one.is_last) == (0, True) for one in whole)
            assert texts_of(messages).items() <= everything.items()
            assert texts_of(messages).items() >= texts_of(ending).items()
            assert sum(one.event_count for one in messages) == max(last - after, 0)


async def test_a_reader_gets_nothing_of_a_field_before_it_is_complete() -> None:
    gate = Gate()

    async with served(program(gate.play)) as service:
        request = asking(
            run_id="r1",
            linger=STAYS,
            options=pb.StreamOptions(token_detail=pb.TOKEN_DETAIL_WHOLE),
        )
        call = service.stub.Run(request)
        kinds: list[str | None] = []

        async for event in call:
            kinds.append(event.WhichOneof("event"))

            if kinds[-1] == "heartbeat":
                gate.opened.set()

        assert kinds.count("token") == 1


async def test_text_longer_than_a_token_may_be_comes_in_several_with_one_last() -> None:
    async def play(question: str) -> object:
        write("answer", *["é" * 10] * 10)
        return question

    async with served(program(play), limits=Limits(max_token_bytes=64)) as service:
        request = asking(options=options(pb.TOKEN_DETAIL_WHOLE))
        messages = (await soon(heard(service.stub.Run(request)))).events

    tokens = [one.token for one in messages if one.HasField("token")]
    assert [(token.offset, len(token.chunk), token.is_last) for token in tokens] == [
        *[(start, 16, False) for start in range(0, 96, 16)],
        (96, 4, True),
    ]
