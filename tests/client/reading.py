"""Reading a run in one call."""

from __future__ import annotations

from headrace_client import Event, RunStream


async def read_all(run: RunStream) -> list[Event]:
    """Opens a run and reads it to its end."""
    async with run:
        return [event async for event in run]
