"""The walk of a token: the files it passes on the server, which docs/architecture.md lists in order."""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import headrace
from headrace import LM, Predict
from headrace_mock import MockLM, Reply
from headrace_proto.v1 import headrace_pb2 as pb
from server.serving import served
from server.stores import over

ROOT = Path(__file__).parents[2]
SERVICE = Path(headrace.__file__).parent
TOKENS = 200

SUSPENDS = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR

MOST = 12
"""Files of the server that a token may pass."""


class Calls:
    """Counts the calls into each file of the runtime. To resume a coroutine is none."""

    def __init__(self) -> None:
        self.by_file = Counter[str]()
        self._begun = set[FrameType]()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename

        if event != "call" or frame in self._begun or not name.startswith(f"{SERVICE}/"):
            return

        self.by_file[str(Path(name).relative_to(SERVICE))] += 1

        if frame.f_code.co_flags & SUSPENDS:
            self._begun.add(frame)


async def files_passed() -> set[str]:
    """Files that were entered for every one of TOKENS tokens, each sent when the one before was read."""
    read = asyncio.Semaphore(0)

    async def one_by_one(reply: Reply) -> None:
        await reply.open()
        await reply.chunk("[[ ## answer ## ]]\n")

        for _ in range(TOKENS):
            await reply.chunk("and so ")
            await read.acquire()

        await reply.finish("stop")
        await reply.end()

    calls = Calls()

    async with MockLM({"one_by_one": one_by_one}) as mock:
        lm = LM("openai/one_by_one", api_base=mock.base_url, api_key="any", cache=False)
        program = headrace.Program(Predict("question -> answer"), name="qa", lm=lm)

        async with served(program) as service:
            request = pb.RunRequest(program="qa", inputs_json='{"question": "why?"}')

            async for event in service.stub.Run(request):
                if event.HasField("token"):
                    sys.setprofile(calls)
                    read.release()

            sys.setprofile(None)

    return {name for name, count in calls.by_file.items() if count >= TOKENS * 0.9}


def listed_files() -> set[str]:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("## The walk of a token")[2].partition("\n## ")[0]

    return set(re.findall(r"^\| `service/headrace/([^`]+)`", section, re.MULTILINE))


async def test_a_token_passes_the_files_that_the_architecture_lists_and_no_more_than_twelve() -> (
    None
):
    with over("memory"):
        passed = await files_passed()

    assert passed == listed_files()
    assert len(passed) <= MOST
