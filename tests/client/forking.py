"""A process that forks while it has a client, for `test_fork`: `python forking.py CASE ADDRESS`.

It prints what its children say and how they end, and what the parent can still do, as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from headrace_client import (
    Client,
    HeadraceError,
    StreamMisused,
    SyncClient,
    outputs,
    tls_credentials,
)

BOUND = 20
"""Seconds; against hangs."""

ADDRESS = sys.argv[2]
AUTHORITY = Path(__file__).parent / "certificates" / "authority.pem"


def in_child(work: Callable[[], object]) -> str:
    """What a child says of its work; the child then ends as programs do, out of every block."""
    reading, writing = os.pipe()
    child = os.fork()

    if not child:
        signal.alarm(BOUND)
        os.write(writing, told(work).encode())
        sys.exit(0)

    os.close(writing)

    with open(reading) as said:
        text = said.read()

    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return text if code == 0 else f"{text}, then exit code {code}"


def told(work: Callable[[], object]) -> str:
    """What the work gives, or the name of what it raises."""
    try:
        return str(work())
    except (HeadraceError, StreamMisused) as error:
        return type(error).__name__


def answer(client: SyncClient) -> str:
    return str(outputs(client.predict("composer", question="why?"))["answer"])


async def awaited_answer(client: Client) -> str:
    return str(outputs(await client.predict("composer", question="why?"))["answer"])


def new_answer() -> str:
    with SyncClient(ADDRESS) as client:
        return answer(client)


def new_awaited_answer() -> str:
    async def ask() -> str:
        async with Client(ADDRESS) as client:
            return await awaited_answer(client)

    return asyncio.run(ask())


# The cases


def made_and_not_used() -> list[str]:
    client = SyncClient(ADDRESS, call_timeout=5)
    version = in_child(lambda: client.server_info().version)

    return [in_child(lambda: answer(client)), version, answer(client)]


def made_with_tls_and_not_used() -> list[str]:
    client = SyncClient(ADDRESS, credentials=tls_credentials(AUTHORITY))

    return [in_child(lambda: answer(client)), answer(client)]


def used() -> list[str]:
    with SyncClient(ADDRESS) as client:
        answer(client)
        said = [
            in_child(lambda: answer(client)),
            in_child(client.server_info),
            in_child(new_answer),
            in_child(new_awaited_answer),
            in_child(lambda: in_child(new_answer)),
        ]

        return [*said, answer(client)]


def used_and_closed() -> list[str]:
    with SyncClient(ADDRESS) as client:
        answer(client)

    return [
        in_child(new_answer),
        in_child(new_awaited_answer),
        in_child(client.server_info),
        new_answer(),
    ]


def closed_in_the_child() -> list[str]:
    client = SyncClient(ADDRESS)
    answer(client)

    def leave() -> None:
        with client:
            pass

    return [in_child(client.close), in_child(leave), answer(client)]


def freed_in_the_child() -> list[str]:
    kept = [SyncClient(ADDRESS)]
    answer(kept[0])

    def free() -> int:
        kept.clear()
        gc.collect()

        return len(kept)

    return [in_child(free), answer(kept[0])]


def reading_a_run() -> list[str]:
    with SyncClient(ADDRESS) as client, client.run("composer", question="why?") as run:
        events = iter(run)
        next(events)
        said = [
            in_child(lambda: next(events)),
            in_child(run.prediction),
            in_child(run.cancel),
            in_child(lambda: run.__exit__(None, None, None)),
            in_child(lambda: run.cursor),
        ]

        return [*said, str(1 + len(list(events)))]


def waiting_in_another_thread() -> list[str]:
    client = SyncClient(ADDRESS)
    client.ready()
    answers: list[str] = []
    waiting = threading.Thread(target=lambda: answers.append(answer(client)))
    waiting.start()
    said = in_child(client.runs)
    waiting.join()

    return [said, *answers]


def async_client() -> list[str]:
    async def go() -> list[str]:
        async with Client(ADDRESS) as client:
            await awaited_answer(client)
            said = [
                in_child(lambda: asyncio.run(awaited_answer(client))),
                in_child(lambda: asyncio.run(client.close())),
                in_child(new_awaited_answer),
            ]

            return [*said, await awaited_answer(client)]

    return asyncio.run(go())


worker_client = SyncClient(ADDRESS)


def first_call() -> None:
    worker_client.ready()


def worker_answer(_: int) -> str:
    return told(lambda: answer(worker_client))


def in_pools() -> list[str]:
    context = multiprocessing.get_context("fork")

    with ProcessPoolExecutor(1, mp_context=context, initializer=first_call) as executor:
        said = list(executor.map(worker_answer, range(2)))

    answer(worker_client)

    with context.Pool(1) as pool:
        said += pool.map(worker_answer, range(2))

    return [*said, answer(worker_client)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]]()))
