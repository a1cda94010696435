from __future__ import annotations

from client.events import S, composer_run, log, prediction, start, tokens
from client.scripted_service import ScriptedService, serving
from headrace_client import Client, Event


async def test_a_run_gives_the_arms_of_its_events_and_keeps_heartbeats_inside() -> None:
    arms = composer_run()

    async with serving(ScriptedService(log(*arms))) as service:
        async with (
            Client(service.address) as client,
            client.run("composer", question="why?") as run,
        ):
            events = [event async for event in run]

    assert events == arms
