"""The servers of the comparison by name: how each is started, and how it is asked."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.children import Child, child
from bench.places import OWN_PYTHON, PEER_PYTHON
from bench.streams import Client, GrpcClient, SseClient

PROGRAMS = ("bench.servers.programs:answer", "bench.servers.programs:branches")


@dataclass(frozen=True, slots=True)
class Target:
    """A server to compare."""

    name: str
    command: Sequence[str]
    sse: bool = False
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @contextmanager
    def running(self, upstream: str) -> Generator[Child, None, None]:
        """The server, asking this provider."""
        environment = {"BENCH_UPSTREAM": upstream, **self.environment}

        with child(self.name, self.command, environment) as server:
            yield server

    def client(self, address: str) -> Client:
        """Someone who asks it."""
        return SseClient(address) if self.sse else GrpcClient(address)


def _headrace(loop: str) -> Sequence[str]:
    serve = [str(OWN_PYTHON), "-m", "headrace_client.cli", "serve", *PROGRAMS]

    return [
        *serve,
        "--listen",
        "127.0.0.1:0",
        "--log-level",
        "warning",
        "--set",
        f"event_loop={loop}",
        "--set",
        "limits.max_running_count=10000",  # what a process bears is what is asked
    ]


def _own(script: str, *arguments: str) -> Sequence[str]:
    return [str(OWN_PYTHON), "-m", f"bench.servers.{script}", *arguments]


def _peer(script: str, *arguments: str) -> Sequence[str]:
    return [str(PEER_PYTHON), "-m", f"bench.servers.{script}", *arguments]


LITELLM = {"BENCH_ENGINE": "litellm"}

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("headrace", _headrace("asyncio")),
        Target("headrace-uvloop", _headrace("uvloop")),
        Target("headrace-litellm", _headrace("asyncio"), environment=LITELLM),
        Target("dspy-sse", _peer("dspy_sse", "asyncio"), sse=True),
        Target("dspy-sse-uvloop", _peer("dspy_sse", "uvloop"), sse=True),
        Target("dspy-sse-litellm", _peer("dspy_sse", "asyncio"), sse=True, environment=LITELLM),
        Target("dspy-grpc", _peer("dspy_grpc", "asyncio")),
        Target("dspy-grpc-litellm", _peer("dspy_grpc", "asyncio"), environment=LITELLM),
        Target("limit", _own("limit", "asyncio")),
        Target("limit-uvloop", _own("limit", "uvloop")),
        Target("limit-each", _own("limit", "asyncio", "--each")),
        Target("limit-each-uvloop", _own("limit", "uvloop", "--each")),
        Target("bare", _own("limit", "asyncio", "--bare")),
        Target("bare-uvloop", _own("limit", "uvloop", "--bare")),
        Target("bare-each", _own("limit", "asyncio", "--bare", "--each")),
        Target("bare-each-uvloop", _own("limit", "uvloop", "--bare", "--each")),
        Target("bare-merged", _own("limit", "asyncio", "--bare", "--merged")),
        Target("bare-merged-uvloop", _own("limit", "uvloop", "--bare", "--merged")),
        Target("grpc-alone", _own("alone", "asyncio")),
        Target("grpc-alone-uvloop", _own("alone", "uvloop")),
    )
}
"""`limit`: grpc.aio with the provider's bytes read by hand, over aiohttp; `bare`: without it; `-each`: one
message per token; `-merged`: what comes in 50 ms."""
