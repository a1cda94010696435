"""`headrace gateway` as a process: what it refuses, what it says, how it ends."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from gateway.faucet import Faucet
from gateway.programs import QUESTION
from gateway.serving import BOUND, Events
from headrace_gateway.command import gateway as command

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--listen", "0.0.0.0:0"], "can be reached from other machines"),
        (["--listen", "[::]:0"], "can be reached from other machines"),
        (["--listen", ":0", "--server-token-file", "{token}"], "can be reached"),
        (["--listen", "8080"], "no host:port"),
        (["--server", "somewhere"], "no host:port"),
        (["--tls-cert", "{token}"], "--tls-cert and --tls-key go together"),
        (["--server-key", "{token}"], "--server-cert and --server-key go together"),
        (["--server", "10.0.0.1:1", "--server-token-file", "{token}"], "in clear text"),
        (["--listen", "192.0.2.1:0", "--insecure"], "cannot listen on 192.0.2.1:0"),
    ],
)
def test_what_cannot_or_should_not_be_served_is_refused_in_a_line(
    options: list[str], said: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token = tmp_path_factory.mktemp("secrets") / "token"
    token.write_text("sesame\n")
    done = CliRunner().invoke(command, [option.format(token=token) for option in options])

    assert done.exit_code in (1, 2)
    assert said in done.output
    assert "Traceback" not in done.output


def shown(*options: str) -> list[str]:
    """The settings that a gateway would have, with origins."""
    printed = CliRunner().invoke(command, [*options, "--show-config"])

    assert printed.exit_code == 0, printed.output
    return [" ".join(line.split()) for line in printed.output.splitlines()]


def test_settings_come_from_a_file_the_environment_and_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('origins = ["https://a.example"]\nlog_level = "debug"\nbody_timeout = 5\n')
    monkeypatch.setenv("HEADRACE_ADDRESS", "headrace.internal:50051")
    monkeypatch.setenv("HEADRACE_TOKEN", "sesame")
    monkeypatch.setenv("HEADRACE_GATEWAY_TOKEN", "sesame")
    monkeypatch.setenv("HEADRACE_GATEWAY_LOG_LEVEL", "error")
    monkeypatch.setenv("HEADRACE_GATEWAY_LOG_FORMAT", "json")
    lines = shown("--config", str(file), "--log-format", "console", "--set", "listen=:8443")

    assert [line for line in lines if not line.endswith("# default")] == [
        'listen = ":8443" # flags',
        'server = "headrace.internal:50051" # HEADRACE_ADDRESS',
        'server_token = "********" # HEADRACE_TOKEN',
        'token = "********" # HEADRACE_GATEWAY_TOKEN',
        f'origins = ["https://a.example"] # {file}',
        f"body_timeout = 5.0 # {file}",
        'log_format = "console" # flags',
        'log_level = "error" # HEADRACE_GATEWAY_LOG_LEVEL',
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("insecure = 'sesame'", "insecure (from {file}): must be true or false"),
        ("max_body_bytes = 0", "max_body_bytes (from {file}): must be a whole number above 0"),
        ("tls_key = 'sesame'", "tls_key (from {file}): must be a file that is there"),
        ("log_level = 'sesame'", "must be one of debug, info, warning, error"),
        ("origins = 1", "origins (from {file}): must be a list of texts"),
        ("toke = 'sesame'", "toke (from {file}): unknown key; did you mean token?"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(
    text: str, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    done = CliRunner().invoke(command, ["--config", str(file)])

    assert done.exit_code == 2
    assert told.format(file=file) in done.output
    assert "sesame" not in done.output


@asynccontextmanager
async def process(*options: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str], None]:
    """The command, and where it says that it listens."""
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from headrace_gateway.command import gateway; gateway()",
        "--listen",
        "127.0.0.1:0",
        *options,
        stderr=asyncio.subprocess.PIPE,
    )
    assert running.stderr is not None

    try:
        async with asyncio.timeout(BOUND):
            line = (await running.stderr.readline()).decode()

        yield running, next(word for word in line.split() if word.startswith("http"))
    finally:
        if running.returncode is None:
            running.kill()

        await running.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_well_though_streams_are_open(
    server: str, lm: Faucet, number: signal.Signals
) -> None:
    async with process("--server", server) as (running, url):
        async with (
            httpx.AsyncClient(base_url=url, timeout=BOUND, trust_env=False) as http,
            http.stream(
                "POST", "/v1/programs/composer/stream", json={"question": QUESTION}
            ) as response,
        ):
            reading = asyncio.ensure_future(Events(response).to_the_end())
            await asyncio.wait_for(lm.waiting.wait(), BOUND)
            running.send_signal(number)
            seen = await reading

        async with asyncio.timeout(BOUND):
            code = await running.wait()

        said = (await running.communicate())[1].decode()

    [request] = map(json.loads, said.splitlines())
    assert (code, request["path"]) == (0, "/v1/programs/composer/stream")
    assert seen[-1].data != "[DONE]"


async def test_a_second_signal_ends_it_at_once(server: str) -> None:
    async with process("--server", server) as (running, url):
        async with httpx.AsyncClient(base_url=url, timeout=BOUND, trust_env=False) as http:
            assert (await http.get("/v1/programs")).status_code == 200

        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGINT)

        # 0 where the first was enough; and of two that are pending, either may be heard second.
        async with asyncio.timeout(BOUND):
            assert await running.wait() in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)
