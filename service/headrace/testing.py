"""For tests of programs: a real server on a free port of this process, and answers in the place of people."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from headrace.errors import CannotAsk
from headrace.events import InputRequest
from headrace.hosting import HostedProgram, Program
from headrace.module import Module
from headrace.questions import stand_in
from headrace.server.app import Server
from headrace.server.config import Config


@asynccontextmanager
async def serve_programs(
    *programs: HostedProgram | Module, config: Config | None = None
) -> AsyncGenerator[str, None]:
    """Serves programs inside an `async with` block; gives the address to connect to.

    Settings in force where the block is entered (the LM above all), and an `answering` around it, hold in
    the runs. `config` may set limits and what else there is; where it listens is chosen here.
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


@contextmanager
def answering(
    answers: Mapping[str, Any] | Callable[[InputRequest], Any],
) -> Generator[list[InputRequest], None, None]:
    """Answers what programs ask inside a `with` block; gives the list of what they have asked.

    answers: by question, or by name of the tool that asks for leave; or a function of the InputRequest,
    sync or async. An answer is checked as one that comes from a caller. `InputDeclined("why")` as an answer
    declines, `InputExpired()` lets the time pass; a function raises them. What is asked and has no answer
    here raises CannotAsk where it is asked.
    """
    asked: list[InputRequest] = []

    def answer(request: InputRequest) -> Any:
        asked.append(request)

        if callable(answers):
            return answers(request)

        given = _given(answers, request)

        if isinstance(given, BaseException):
            raise given

        return given

    token = stand_in.set(answer)

    try:
        yield asked
    finally:
        stand_in.reset(token)


def _given(answers: Mapping[str, Any], request: InputRequest) -> Any:
    for name in (request.message, request.tool):
        if name and name in answers:
            return answers[name]

    known = ", ".join(map(repr, answers)) or "none"
    named = f"{request.message!r} or {request.tool!r}" if request.tool else repr(request.message)

    raise CannotAsk(f"the test has no answer to {named}; there are {known}")
