"""The channel: who the caller is, over what, and what its options do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from client.events import composer_run, log, token
from client.road import road_to
from client.scripted_service import FOREVER, ScriptedService, serving
from headrace_client import Client, ServerUnreachable, tls_credentials
from headrace_client._channel import CHANNEL_OPTIONS, is_loopback
from headrace_proto.v1 import headrace_pb2 as pb

CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = CERTIFICATES / "authority.pem"


def server_credentials(*, mutual: bool) -> grpc.ServerCredentials:
    key = (CERTIFICATES / "server.key").read_bytes()
    chain = (CERTIFICATES / "server.pem").read_bytes()

    return grpc.ssl_server_credentials([(key, chain)], AUTHORITY.read_bytes(), mutual)


@pytest.mark.parametrize("address", ["example.org:443", "10.0.0.1:50051", "dns:///example.org:1"])
def test_a_token_never_crosses_the_network_in_clear_text(address: str) -> None:
    with pytest.raises(ValueError, match="clear text") as caught:
        Client(address, token="secret")

    assert "secret" not in str(caught.value)
    Client(address, token="secret", credentials=tls_credentials())


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost:50051", True),
        ("127.0.0.1:1", True),
        ("127.8.8.8:1", True),
        ("[::1]:50051", True),
        ("ipv4:127.0.0.1:1", True),
        ("ipv6:[::1]:1", True),
        ("dns:///localhost:1", True),
        ("unix:/run/headrace.sock", True),
        ("localhost.example.org:1", False),
        ("0.0.0.0:1", False),
        ("[2001:db8::1]:1", False),
    ],
)
def test_loopback_is_known_by_its_address(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


async def test_every_call_carries_the_current_token(service: ScriptedService) -> None:
    tokens = iter(["one", "two", "three", "four"])

    async with Client(service.address, token=lambda: next(tokens)) as client:
        async with client.run("composer", question="why?") as run:
            await run.prediction()

        await client.programs()
        await client.predict("composer", question="why?")

    sent = [metadata["authorization"] for metadata in service.metadata]
    assert sent == ["Bearer one", "Bearer two", "Bearer three"]


async def test_calls_without_a_token_carry_none(client: Client, service: ScriptedService) -> None:
    await client.programs()

    assert "authorization" not in service.metadata[0]
    assert str(service.metadata[0]["user-agent"]).startswith("headrace-python/")


async def test_tls_checks_the_server() -> None:
    service = ScriptedService(log(*composer_run()))

    async with serving(service, credentials=server_credentials(mutual=False)):
        trusting = tls_credentials(AUTHORITY)

        async with Client(service.address, credentials=trusting, token="t") as client:
            await client.predict("composer", question="why?")

        async with Client(service.address, credentials=tls_credentials(), retries=0) as client:
            with pytest.raises(ServerUnreachable, match=r"(?i)certificate|handshake|ssl"):
                await client.predict("composer", question="why?")

    assert service.metadata[0]["authorization"] == "Bearer t"


async def test_mutual_tls_shows_the_clients_certificate() -> None:
    service = ScriptedService(log(*composer_run()))
    credentials = tls_credentials(
        AUTHORITY,
        certificate_file=CERTIFICATES / "client.pem",
        key_file=CERTIFICATES / "client.key",
    )

    async with serving(service, credentials=server_credentials(mutual=True)):
        async with Client(service.address, credentials=credentials) as client:
            await client.predict("composer", question="why?")

        anonymous = tls_credentials(AUTHORITY)

        async with Client(service.address, credentials=anonymous, retries=0) as client:
            with pytest.raises(ServerUnreachable):
                await client.predict("composer", question="why?")


def test_mutual_tls_needs_certificate_and_key() -> None:
    with pytest.raises(ValueError, match="both"):
        tls_credentials(certificate_file="client.pem")


# Options are proved by what they do: an unknown one is ignored in silence


async def test_a_reader_that_stops_reading_soon_holds_the_server_back() -> None:
    """Without bdp_probe=0 the window grows to megabytes, and the server never merges for it."""
    service = ScriptedService(log(*[token("a.x", "x" * 1000)] * 4000), [FOREVER])

    async with serving(service), Client(service.address) as client, client.attach("r") as run:
        await anext(aiter(run))
        sent = -1

        while sent != service.sent:
            sent = service.sent

            for _ in range(20):  # a server that can write, writes more than once a round trip
                await client.server_info()

    assert sent < 500


async def test_a_frozen_connection_is_noticed_by_keepalive_however_long_it_was_quiet() -> None:
    """The same options with shorter times, through a road on which everything stops."""
    names = {"grpc.keepalive_time_ms", "grpc.keepalive_timeout_ms", "grpc.http2.ping_timeout_ms"}
    assert names < CHANNEL_OPTIONS.keys()
    shorter = dict.fromkeys(names, 300)
    service = ScriptedService(log(*composer_run())[:3], [FOREVER])

    async with (
        serving(service),
        road_to(service.address) as road,
        Client(road.address, channel_options=shorter, retries=0) as client,
        client.attach("r") as run,
    ):
        asyncio.get_running_loop().call_later(3.5, road.freeze)  # more than two pings, one a second

        async with asyncio.timeout(15):
            with pytest.raises(ServerUnreachable, match="read up to event 3"):
                await run.prediction()


async def test_a_prediction_of_the_largest_size_arrives(
    client: Client, service: ScriptedService
) -> None:
    """2 MiB of text come twice: as Struct and as JSON."""
    text = "x" * 2 * 1024 * 1024
    answer = pb.Prediction(outputs_json=f'{{"answer": "{text}"}}')
    answer.outputs.update({"answer": text})
    service.events = log(answer)

    async with client.run("composer") as run:
        assert await run.result() == {"answer": text}
