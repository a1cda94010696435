"""Serving programs inside a test: a real server on a free port of this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from headrace.module import Module
from headrace.program import Program
from headrace.server.app import Server, Setup


@asynccontextmanager
async def serve_programs(
    *programs: Program | Module, setup: Setup | None = None
) -> AsyncGenerator[str, None]:
    """Serves programs inside an `async with` block; gives the address to connect to.

    Settings in force where the block is entered (the LM above all) hold in the runs. `setup` may set
    limits; where it listens is chosen here.
    """
    hosted = [one if isinstance(one, Program) else Program(one) for one in programs]
    server = Server(hosted, replace(setup or Setup(), listen="127.0.0.1:0"))
    address = await server.start()

    try:
        yield address
    finally:
        await server.stop()
