"""What an LM call costs beside the network: `python bench/lm.py`.

One process asks a scripted provider, which runs in another, by five paths in turn: bytes and orjson
alone, the direct engine, the openai SDK, the litellm engine, and litellm alone. CPU is this process's
own, so compare the lines of one run only. Times are microseconds where nothing else is said.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import orjson
from headrace.lm import LM, Delta, preload
from headrace.lm.litellm.loading import litellm

Ask: TypeAlias = Callable[[str, Callable[[], None]], Awaitable[int]]
"""Asks a model; calls back at the first text; gives the characters of the answer."""

MESSAGES = [
    {"role": "system", "content": "You are a careful assistant. " * 20},
    {"role": "user", "content": "Tell me about water."},
]


@contextmanager
def provider() -> Generator[str, None, None]:
    """The provider's base URL, while it runs."""
    script = Path(__file__).with_name("lm_provider.py")
    child = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)

    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
    finally:
        child.terminate()
        child.wait(5)


def raw(session: aiohttp.ClientSession, url: str) -> Ask:
    async def ask(model: str, first: Callable[[], None]) -> int:
        body = orjson.dumps({"model": model, "messages": MESSAGES, "stream": True})
        headers = {"Authorization": "Bearer sk-bench", "Content-Type": "application/json"}
        parts: list[str] = []
        rest = b""

        async with session.post(f"{url}/chat/completions", data=body, headers=headers) as response:
            async for data in response.content.iter_any():
                *events, rest = (rest + data).split(b"\n\n")

                for event in events:
                    if event == b"data: [DONE]":
                        continue

                    for choice in orjson.loads(event[6:])["choices"]:
                        if text := choice["delta"].get("content"):
                            if not parts:
                                first()

                            parts.append(text)

        return len("".join(parts))

    return ask


def headrace(url: str, engine: Any) -> Ask:
    lms: dict[str, LM] = {}

    async def ask(model: str, first: Callable[[], None]) -> int:
        lm = lms.get(model)

        if lm is None:
            lm = lms[model] = LM(
                f"openai/{model}", engine=engine, api_base=url, api_key="sk-bench", cache=False
            )

        begun = False

        def receive(delta: Delta) -> None:
            nonlocal begun

            if not begun:
                begun = True
                first()

        return len((await lm.complete(MESSAGES, receive)).text)

    return ask


def openai_sdk(url: str) -> Ask:
    import openai

    client = openai.AsyncOpenAI(base_url=url, api_key="sk-bench", max_retries=0)

    async def ask(model: str, first: Callable[[], None]) -> int:
        messages: Any = MESSAGES
        stream = await client.chat.completions.create(model=model, messages=messages, stream=True)

        return await _length(stream, first)

    return ask


def litellm_alone(url: str) -> Ask:
    module = litellm()

    async def ask(model: str, first: Callable[[], None]) -> int:
        stream = await module.acompletion(
            model=f"openai/{model}",
            api_base=url,
            api_key="sk-bench",
            messages=MESSAGES,
            stream=True,
            num_retries=0,
            max_retries=0,
        )

        return await _length(stream, first)

    return ask


async def _length(stream: Any, first: Callable[[], None]) -> int:
    parts: list[str] = []

    async for chunk in stream:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            if not parts:
                first()

            parts.append(text)

    return len("".join(parts))


def nothing() -> None:
    pass


async def cpu(ask: Ask, model: str, times: int) -> float:
    """CPU seconds per call, the median of single calls."""
    spent: list[float] = []

    for _ in range(times):
        before = time.process_time()
        assert await ask(model, nothing)
        spent.append(time.process_time() - before)

    return statistics.median(spent)


async def first_token(ask: Ask, model: str, times: int) -> float:
    """Seconds from the call to its first text, the median."""
    waits: list[float] = []

    for _ in range(times):
        heard: list[float] = []
        began = time.perf_counter()
        await ask(model, lambda: heard.append(time.perf_counter()))  # noqa: B023 - called before it ends
        waits.append(heard[0] - began)

    return statistics.median(waits)


async def cancel_to_close(url: str, engine: Any, times: int) -> list[float]:
    """Seconds from cancelling a call in the middle of its answer to the provider's seeing it."""
    lm = LM("openai/fault-hang-mid-stream", engine=engine, api_base=url, api_key="k", cache=False)
    cancelled: list[float] = []

    for _ in range(times):
        started = asyncio.Event()

        def receive(delta: Delta, started: asyncio.Event = started) -> None:
            started.set()

        call = asyncio.create_task(lm.complete(MESSAGES, receive))
        await started.wait()
        cancelled.append(time.monotonic())
        call.cancel()
        await asyncio.wait({call})

    await asyncio.sleep(0.5)

    async with aiohttp.ClientSession() as session, session.get(f"{url}/requests") as response:
        records = (await response.json())["requests"]

    closed = [one["left"] for one in records if one["model"] == "fault-hang-mid-stream"][-times:]
    assert None not in closed, "a cancelled call's connection stayed open"

    return sorted(left - at for left, at in zip(closed, cancelled, strict=True))


def say(name: str, *cells: str) -> None:
    print(name.ljust(22), *(cell.rjust(13) for cell in cells))  # noqa: T201 - it is what it is for


async def main(url: str, quick: bool) -> None:
    preload().join()
    long, short, cancels = (4, 40, 100) if quick else (12, 200, 1000)

    async with aiohttp.ClientSession() as session:
        paths = {
            "raw aiohttp + orjson": raw(session, url),
            "headrace direct": headrace(url, "direct"),
            "openai SDK": openai_sdk(url),
            "headrace litellm": headrace(url, "litellm"),
            "litellm alone": litellm_alone(url),
        }

        for ask in paths.values():
            await ask("flood-2000", nothing)
            await ask("flood-1", nothing)

        gc.collect()
        gc.freeze()
        await compare(paths, long, short)

    await cancellation(url, cancels)


async def compare(paths: dict[str, Ask], long: int, short: int) -> None:
    say("", "CPU/chunk", "x raw", "CPU/request", "first token", "over raw")
    base: tuple[float, float] | None = None

    for name, ask in paths.items():
        request = await cpu(ask, "flood-1", short)
        per_chunk = (await cpu(ask, "flood-2000", long) - request) / 2000
        first = await first_token(ask, "flood-1", short)
        base = base or (per_chunk, first)
        say(
            name,
            f"{per_chunk * 1e6:.1f}",
            f"{per_chunk / base[0]:.2f}",
            f"{request * 1e6:.0f}",
            f"{first * 1e6:.0f}",
            f"{(first - base[1]) * 1e6:+.0f}",
        )


async def cancellation(url: str, times: int) -> None:
    say("")
    say("cancel to close, ms", "p50", "p99", "max", "missed")

    for engine in ("direct", "litellm"):
        waits = [wait * 1e3 for wait in await cancel_to_close(url, engine, times)]
        p99 = waits[int(len(waits) * 0.99)]
        say(engine, f"{statistics.median(waits):.2f}", f"{p99:.2f}", f"{waits[-1]:.2f}", "0")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    arguments = parser.parse_args()

    with provider() as url:
        asyncio.run(main(url, arguments.quick))
