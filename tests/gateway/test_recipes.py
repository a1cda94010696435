"""The configurations in docs/recipes: they parse, they are accepted, and Envoy's carries streams."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from gateway.faucet import Faucet
from gateway.programs import ANSWER, QUESTION
from gateway.serving import BOUND, Events, Gateway, texts_of
from headrace_client import Client, DeadlineExceeded, outputs
from headrace_gateway.serving import listen
from pages.blocks import blocks_of

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
INPUTS = {"question": QUESTION}

pytestmark = pytest.mark.timeout(90)


def documents_of(page: str) -> list[dict[str, Any]]:
    """The YAML documents of a page."""
    blocks = [block for block in blocks_of(RECIPES / page) if block.language == "yaml"]

    return [document for block in blocks for document in yaml.safe_load_all(block.text)]


def found(program: str) -> str:
    """The path of a program; skips where it is not installed."""
    path = shutil.which(program)

    return path or pytest.skip(f"{program} is not installed; .ci/run shows how to install it")


def test_kubernetes_accepts_its_recipe(tmp_path: Path) -> None:
    checker = found("kubernetes-validate")
    manifest = tmp_path / "headrace.yaml"
    manifest.write_text("\n---\n".join(map(json.dumps, documents_of("kubernetes.md"))))

    asyncio.run(succeeds(checker, "--strict", str(manifest)))


def test_a_pod_has_the_time_that_its_drain_takes() -> None:
    (pod,) = [
        one["spec"]["template"]["spec"]
        for one in documents_of("kubernetes.md")
        if one["kind"] == "StatefulSet"
    ]
    (container,) = pod["containers"]
    options = dict(arg[2:].split("=") for arg in container["args"] if "=" in arg)
    sleeps = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] > sleeps + int(options["drain-timeout"])


def test_probes_and_services_agree_on_ports_and_names() -> None:
    services = {one["metadata"]["name"] for one in documents_of("kubernetes.md")}

    for one in documents_of("kubernetes.md"):
        if one["kind"] != "Service":
            (container,) = one["spec"]["template"]["spec"]["containers"]
            (port,) = [port["containerPort"] for port in container["ports"]]
            options = dict(arg[2:].split("=") for arg in container["args"] if "=" in arg)
            probes = [container[name] for name in container if name.endswith("Probe")]

            assert one["metadata"]["name"] in services
            assert options["listen"] == f":{port}"
            assert {probe["grpc"]["port"] for probe in probes if "grpc" in probe} <= {port}


@asynccontextmanager
async def envoy(server: str, edge: Gateway, folder: Path) -> AsyncGenerator[str, None]:
    """The recipe's Envoy before a server and a gateway; gives its address."""
    (config,) = documents_of("envoy.md")
    resources = config["static_resources"]

    with listen("127.0.0.1", 0) as free:
        port: int = free.getsockname()[1]

    resources["listeners"][0]["address"]["socket_address"] = place(port)

    for cluster, target in zip(
        resources["clusters"], (server, edge.url.removeprefix("http://")), strict=True
    ):
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"]["socket_address"] = place(int(target.split(":")[1]))

    file = folder / "envoy.yaml"
    file.write_text(json.dumps(config))
    running = await asyncio.create_subprocess_exec(
        found("envoy"),
        *("-c", str(file), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"),
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )

    try:
        async with Client(f"127.0.0.1:{port}") as client:
            await client.ready(BOUND)

        yield f"127.0.0.1:{port}"
    finally:
        running.terminate()
        await running.wait()


def place(port: int) -> dict[str, Any]:
    return {"address": "127.0.0.1", "port_value": port}


async def succeeds(*command: str) -> None:
    running = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await running.communicate()

    assert running.returncode == 0, said.decode()


async def test_both_faces_go_through_envoy(
    server: str, edge: Gateway, lm: Faucet, tmp_path: Path
) -> None:
    async with (
        envoy(server, edge, tmp_path) as front,
        Client(front) as client,
        httpx.AsyncClient(base_url=f"http://{front}", timeout=BOUND, trust_env=False) as http,
        http.stream("POST", "/v1/programs/composer/stream", json=INPUTS) as response,
    ):
        reading = asyncio.ensure_future(Events(response).to_the_end())
        prediction = asyncio.ensure_future(client.predict("composer", question=QUESTION))
        await asyncio.wait_for(lm.waiting.wait(), BOUND)
        lm.open()

        assert texts_of(await reading)["compose.answer"] == ANSWER
        assert outputs(await prediction)["answer"] == ANSWER


async def test_a_caller_s_deadline_reaches_the_server_through_envoy(
    server: str, edge: Gateway, lm: Faucet, tmp_path: Path
) -> None:
    async with envoy(server, edge, tmp_path) as front, Client(front) as client:
        with pytest.raises(DeadlineExceeded):
            async with client.attach(await started(client), timeout=0.5) as run:
                await run.prediction()


@pytest.mark.slow
async def test_a_stream_outlives_the_timeout_that_envoy_has_by_itself(
    server: str, edge: Gateway, lm: Faucet, tmp_path: Path
) -> None:
    async with (
        envoy(server, edge, tmp_path) as front,
        Client(front, retries=0) as client,
        httpx.AsyncClient(base_url=f"http://{front}", timeout=60, trust_env=False) as http,
        http.stream("POST", "/v1/programs/composer/stream", json=INPUTS) as response,
    ):
        reading = asyncio.ensure_future(collected(Events(response)))
        prediction = asyncio.ensure_future(client.predict("composer", question=QUESTION))
        await asyncio.sleep(17)  # Envoy's own is 15 s
        lm.open()

        assert texts_of(await reading)["compose.answer"] == ANSWER
        assert outputs(await prediction)["answer"] == ANSWER


async def started(client: Client) -> str:
    async with client.run("composer", question=QUESTION) as run:
        await anext(aiter(run))
        run.detach()

        return run.run_id


async def collected(events: Events) -> list[Any]:
    return [event async for event in events]
