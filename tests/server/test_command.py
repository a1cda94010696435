"""`headrace serve` as a process: what it says, its signals, its exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from headrace_proto.v1 import headrace_pb2 as pb
from server.process import serving
from server.scripted import BOUND, soon
from server.serving import Heard, heard, stub_of

ECHO = "server.hosted:echo"
SLEEPER = "server.hosted:sleeper"
WAITER = "server.hosted:waiter"


def sleeping(seconds: float) -> pb.RunRequest:
    return pb.RunRequest(program="sleeper", inputs_json=f'{{"seconds": {seconds}}}')


async def run(channel: grpc.aio.Channel, request: pb.RunRequest) -> Heard:
    return await soon(heard(stub_of(channel).Run(request)))


async def begun(call: Any) -> asyncio.Task[Heard]:
    """Reads a stream in a task, once its run has been accepted."""
    reading = asyncio.ensure_future(heard(call))
    await soon(call.initial_metadata())

    return reading


async def test_it_serves_what_it_is_told_and_says_where() -> None:
    async with serving(ECHO, f"renamed={ECHO}", SLEEPER) as process:
        address = await soon(process.address())

        async with grpc.aio.insecure_channel(address) as channel:
            request = pb.RunRequest(program="renamed", inputs_json='{"question": "why?"}')
            assert (await run(channel, request)).text == "why?"

    assert f"serving echo, renamed, sleeper on {address}" in process.said


async def test_it_says_of_which_programs_nobody_can_know_the_outputs() -> None:
    async with serving(ECHO, "server.hosted:varying") as process:
        await soon(process.says("does not declare its outputs"))

    [line] = [line for line in process.said if "does not declare its outputs" in line]
    assert "program varying " in line
    assert "add some: Program(..., outputs='answer, score: int')" in line


async def test_each_line_of_its_log_says_which_run_it_is_about() -> None:
    async with serving(ECHO, "--log-format", "json") as process:
        async with grpc.aio.insecure_channel(await soon(process.address())) as channel:
            request = pb.RunRequest(program="echo", run_id="r1", inputs_json='{"question": "why?"}')
            await run(channel, request)

        await soon(process.says("run succeeded"))

    [line] = [line for line in process.said if "run succeeded" in line]
    told = json.loads(line)
    assert told.pop("peer").startswith("127.0.0.1:")
    assert 0 <= told.pop("first_token") <= told.pop("duration") < BOUND
    assert told.pop("time") < "9"
    assert told == {
        "level": "info",
        "logger": "headrace.runs",
        "message": "run succeeded",
        "run_id": "r1",
        "program": "echo",
        "attempt": "1",
        "state": "SUCCEEDED",
        "lm_calls": 0,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    assert not any("why?" in line for line in process.said)


async def test_refused_calls_leave_a_line() -> None:
    async with serving(ECHO, HEADRACE_TOKENS="ann=a-token-of-ann") as process:
        async with grpc.aio.insecure_channel(await soon(process.address())) as channel:
            stub = stub_of(channel)
            known = (("authorization", "Bearer a-token-of-ann"),)
            await soon(heard(stub.Run(pb.RunRequest(program="echo"))))
            await soon(heard(stub.Run(pb.RunRequest(program="echo"), metadata=known)))
            await soon(heard(stub.Run(pb.RunRequest(program="no\x1b"), metadata=known)))

        await soon(process.says("PROGRAM_NOT_FOUND"))

    lines = [json.loads(line) for line in process.said if '"headrace.refusals"' in line]
    assert all(line["peer"].startswith("127.0.0.1:") for line in lines)
    assert [
        tuple(line.get(name) for name in ("reason", "method", "principal", "program"))
        for line in lines
    ] == [
        ("UNAUTHENTICATED", "Run", None, None),
        ("INPUT_INVALID", "Run", "ann", "echo"),
        ("PROGRAM_NOT_FOUND", "Run", "ann", "no\x1b"),
    ]


async def test_the_first_line_says_where_it_serves_and_the_log_how_long_it_took() -> None:
    async with serving(ECHO, "--log-level", "debug", "--log-format", "json") as process:
        address = await soon(process.address())
        await soon(process.says('"started"'))

    steps = [line for line in process.said if "loading program" in line]
    assert f"serving echo on {address}" in process.said
    assert [json.loads(line)["level"] for line in steps] == ["debug"]
    assert json.loads(next(line for line in process.said if '"started"' in line))["duration"] >= 0


@pytest.mark.timeout(90)
async def test_to_people_each_step_is_said_as_it_begins() -> None:
    async with serving(ECHO, "server.hosted:asks", "--dev", OPENAI_API_KEY="k") as process:
        address = await soon(process.address(), within=60)

    loud, *steps = process.said[: process.said.index(f"serving echo, asks on {address}")]
    assert loud.startswith("DEVELOPMENT MODE (dev): ")
    assert steps == [
        f"loading program {ECHO}",
        "loading program server.hosted:asks",
        "loading the LM library, which takes a few seconds",
        "checking openai/any of asks, predictor self",
    ]


async def test_told_to_end_it_is_gone_at_once_when_nothing_runs() -> None:
    async with serving(ECHO) as process:
        await soon(process.address())
        process.signal(signal.SIGTERM)

        assert await soon(process.ended()) == 0


async def test_told_to_end_it_lets_runs_end_and_takes_no_new_ones(tmp_path: Path) -> None:
    file = tmp_path / "there"
    waiting = pb.RunRequest(program="waiter", inputs_json=json.dumps({"path": str(file)}))

    async with serving(WAITER) as process:
        async with grpc.aio.insecure_channel(await soon(process.address())) as channel:
            running = await begun(stub_of(channel).Run(waiting))
            health = cast("Any", health_pb2_grpc).HealthStub(channel)
            watch = health.Watch(health_pb2.HealthCheckRequest())
            assert (await soon(watch.read())).status == health_pb2.HealthCheckResponse.SERVING

            process.signal(signal.SIGTERM)
            status = (await soon(watch.read())).status
            assert status == health_pb2.HealthCheckResponse.NOT_SERVING

            refused = await run(channel, waiting)
            assert refused.trailers["headrace-error-reason"] == "DRAINING"

            file.touch()
            assert (await soon(running)).code is StatusCode.OK

        assert await soon(process.ended()) == 0


async def test_what_still_runs_at_the_drain_timeout_is_stopped() -> None:
    async with serving(SLEEPER, "--drain-timeout", "0.2") as process:
        async with grpc.aio.insecure_channel(await soon(process.address())) as channel:
            running = await begun(stub_of(channel).Run(sleeping(60)))
            process.signal(signal.SIGINT)
            ended = await soon(running)

        assert ended.code is StatusCode.CANCELLED
        assert ended.trailers["headrace-run-state"] == "CANCELLED"
        assert await soon(process.ended()) == 0


async def test_sync_code_that_does_not_return_cannot_hold_it_up() -> None:
    async with serving("server.hosted:stuck", "--drain-timeout", "0.2") as process:
        async with grpc.aio.insecure_channel(await soon(process.address())) as channel:
            request = pb.RunRequest(program="stuck", inputs_json='{"question": "why?"}')
            running = await begun(stub_of(channel).Run(request))
            process.signal(signal.SIGTERM)
            ended = await soon(running)

        assert ended.trailers["headrace-run-state"] == "CANCELLED"
        assert await soon(process.ended()) == 0


async def test_told_twice_it_ends_at_once() -> None:
    async with (
        serving(SLEEPER, "--drain-timeout", "60") as process,
        grpc.aio.insecure_channel(await soon(process.address())) as channel,
    ):
        await begun(stub_of(channel).Run(sleeping(60)))
        process.signal(signal.SIGTERM)
        await soon(process.says("draining"))
        process.signal(signal.SIGTERM)

        assert await soon(process.ended()) == 128 + signal.SIGTERM


async def test_told_to_reload_it_reads_the_principals_again(tmp_path: Path) -> None:
    file = tmp_path / "principals.toml"
    file.write_text("principals = []\n")

    async with (
        serving(ECHO, "--principals-file", str(file)) as process,
        grpc.aio.insecure_channel(await soon(process.address())) as channel,
    ):
        request = pb.RunRequest(program="echo", inputs_json='{"question": "why?"}')
        assert (await run(channel, request)).code is StatusCode.OK

        file.write_text(f'[[principals]]\nname = "a"\ntokens = ["sha256:{"0" * 64}"]\n')
        process.signal(signal.SIGHUP)
        await soon(process.says("principals reloaded"))
        assert (await run(channel, request)).code is StatusCode.UNAUTHENTICATED


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no programs to serve; name one as module:attribute"),
        (["server.hosted"], "expected module:attribute"),
        (["server.absent:echo"], "no module 'server.absent'"),
        (["server.hosted:absent"], "has no attribute 'absent'"),
        (["server.hosted:nothing"], "is a int, not a Program or a Module"),
        ([ECHO, ECHO], "two programs are named 'echo'"),
        (["server.hosted:asks"], "program asks: no key for openai: set OPENAI_API_KEY"),
        ([ECHO, "--set", "limits.nothing=1"], "limits.nothing (from flags): unknown key"),
        ([ECHO, "--listen", "0.0.0.0:0"], "set tls.certificate and tls.key, or insecure"),
        (
            [ECHO, "--tls-key", "absent.pem", "--tls-certificate", "absent.pem"],
            "tls.certificate absent.pem: No such",
        ),
        ([ECHO, "--dev", "--listen", "0.0.0.0:0"], "dev: 0.0.0.0:0 can be reached from elsewhere"),
        ([ECHO, "--config", "absent.toml"], "config file absent.toml: No such file"),
    ],
)
async def test_what_is_wrong_is_said_in_one_line_before_it_serves(
    arguments: list[str], words: str
) -> None:
    listen = "" if "--listen" in arguments else "127.0.0.1:0"

    async with serving(*arguments, listen=listen, OPENAI_API_KEY="") as process:
        assert await soon(process.ended(), within=100) == 2  # one of them imports litellm first

    [error] = [line for line in process.said if line.startswith("Error: ")]
    assert words in error
    assert not any("Traceback" in line or "serving" in line for line in process.said)


async def test_a_port_in_use_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async with serving(ECHO, listen=f"127.0.0.1:{port}") as process:
            assert await soon(process.ended()) == 2

    assert process.said[-1] == f"Error: cannot listen on 127.0.0.1:{port}: is the port in use?"


async def test_two_servers_cannot_share_a_port() -> None:
    async with serving(ECHO) as first:
        address = await soon(first.address())

        async with serving(ECHO, listen=address) as second:
            assert await soon(second.ended()) == 2


async def test_secrets_of_the_environment_stay_out_of_sight() -> None:
    async with serving(ECHO, HEADRACE_TOKENS="ann=sk-secret-token") as process:
        await soon(process.address())
        process.signal(signal.SIGTERM)
        await soon(process.ended())

    assert "sk-secret" not in "\n".join(process.said)
