"""A client belongs to the event loop on which it was first used, and says so on any other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from client.scripted_service import FOREVER, ScriptedService
from headrace_client import Client, ClientMisplaced, RunStream


async def elsewhere(use: Callable[[], Awaitable[object]]) -> object:
    """What a use gives on another loop, in a thread of its own."""

    async def used() -> object:
        return await use()

    return await asyncio.to_thread(asyncio.run, used())


def ways(client: Client) -> list[Callable[[], Awaitable[object]]]:
    return [
        client.server_info,
        client.ready,
        client.close,
        lambda: client.predict("composer", question="why?"),
        lambda: client.run("composer", question="why?").__aenter__(),
        lambda: client.attach("r").__aenter__(),
    ]


@pytest.mark.parametrize("way", range(6))
async def test_a_client_in_use_on_another_loop_is_told_and_works_on_where_it_was(
    client: Client, way: int
) -> None:
    await client.server_info()

    with pytest.raises(ClientMisplaced, match="on another event loop: make one on each loop"):
        await elsewhere(ways(client)[way])

    assert (await client.server_info()).version == "0.0"


async def first_event(run: RunStream) -> object:
    return await anext(aiter(run))


@pytest.mark.parametrize("way", [RunStream.prediction, RunStream.cancel, first_event])
async def test_so_is_a_reader_of_a_run(
    client: Client, service: ScriptedService, way: Callable[[RunStream], Awaitable[object]]
) -> None:
    service.events = service.events[:3]
    service.endings = [FOREVER]

    async with client.run("composer", question="why?") as run:
        with pytest.raises(ClientMisplaced):
            await elsewhere(lambda: way(run))

        with pytest.raises(ClientMisplaced):
            await elsewhere(lambda: run.__aexit__(None, None, None))

        assert not service.cancelled.is_set()


async def test_a_client_that_is_not_in_use_is_at_home_on_any_loop(
    service: ScriptedService,
) -> None:
    client = Client(service.address)
    await elsewhere(client.close)

    client = Client(service.address)
    assert await elsewhere(lambda: used_and_closed(client)) == "0.0"


async def used_and_closed(client: Client) -> str:
    async with client:
        return (await client.server_info()).version
