"""Serving programs inside a test: a real server on a free port of this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from headrace.hosting import HostedProgram, Program
from headrace.module import Module
from headrace.server.app import Server
from headrace.server.config import Config


@asynccontextmanager
async def serve_programs(
    *programs: HostedProgram | Module, config: Config | None = None
) -> AsyncGenerator[str, None]:
    """Serves programs inside an `async with` block; gives the address to connect to.

    Settings in force where the block is entered (the LM above all) hold in the runs. `config` may set
    limits and what else there is; where it listens is chosen here.
    """
    hosted = [Program(one) if isinstance(one, Module) else one for one in programs]
    here = (config or Config()).model_copy(update={"listen": "127.0.0.1:0"})
    server = Server(hosted, here)
    address = server.bind()
    await server.start()

    try:
        yield address
    finally:
        await server.stop()
