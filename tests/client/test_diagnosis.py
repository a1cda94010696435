"""What a client says where no headrace server answers: who does, and what to do about it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import grpc
import pytest
from client.scripted_service import ScriptedService, serving
from client.test_connection import AUTHORITY, CERTIFICATES, server_credentials
from headrace_client import Client, HeadraceError, ServerUnreachable, SyncClient, tls_credentials
from headrace_client._channel import host_and_port

Listener = AbstractAsyncContextManager[str]


@asynccontextmanager
async def listening(
    reply: bytes | None, context: ssl.SSLContext | None = None
) -> AsyncGenerator[str, None]:
    """Somebody who answers whatever is said with the same bytes; None: with silence."""
    open_now: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        await reader.read(1)

        if reply is not None:
            writer.write(reply)
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)

    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()

        for writer in open_now:
            writer.transport.abort()


@asynccontextmanager
async def headrace(credentials: grpc.ServerCredentials | None = None) -> AsyncGenerator[str, None]:
    async with serving(ScriptedService([]), credentials=credentials) as service:
        yield service.address


def https() -> ssl.SSLContext:
    """Of a web server that knows no HTTP/2."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    context.set_alpn_protocols(["http/1.1"])

    return context


HTTP1 = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


def trusting() -> grpc.ChannelCredentials:
    return tls_credentials(AUTHORITY)


def trusting_another() -> grpc.ChannelCredentials:
    return tls_credentials(CERTIFICATES / "client.pem")


def of_grpc() -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(b"-----BEGIN ")


CASES: list[
    tuple[Callable[[], Listener], Callable[[], grpc.ChannelCredentials | None], str, str]
] = [
    (
        lambda: headrace(server_credentials(mutual=False)),
        lambda: None,
        "TLS_WANTED",
        "TLS is spoken there, not plain text; give credentials=tls_credentials",
    ),
    (
        lambda: headrace(server_credentials(mutual=True)),
        lambda: None,
        "TLS_WANTED",
        "TLS is spoken there, not plain text; give credentials=tls_credentials",
    ),
    (
        lambda: listening(b"", https()),
        lambda: None,
        "TLS_WANTED",
        "TLS is spoken there, not plain text",
    ),
    (headrace, trusting, "TLS_UNWANTED", "plain text is spoken there, not TLS; leave"),
    (
        lambda: headrace(server_credentials(mutual=False)),
        trusting_another,
        "CERTIFICATE_UNTRUSTED",
        r"is not trusted \(unable to get local issuer certificate\); give .* the ca_file",
    ),
    (
        lambda: headrace(server_credentials(mutual=False)),
        tls_credentials,
        "CERTIFICATE_UNTRUSTED",
        "is not trusted",
    ),
    (
        lambda: headrace(server_credentials(mutual=True)),
        trusting,
        "CERTIFICATE_WANTED",
        "hangs up on a client without a certificate; give .* certificate_file and key_file",
    ),
    (lambda: listening(HTTP1), lambda: None, "NOT_GRPC", "HTTP/1 is spoken there"),
    (lambda: listening(HTTP1), trusting, "NOT_GRPC", "HTTP/1 is spoken there"),
    (lambda: listening(HTTP1, https()), trusting, "NOT_GRPC", "HTTP/1 is spoken there"),
    (lambda: listening(b"SSH-2.0-OpenSSH"), lambda: None, "NOT_GRPC", "does not speak gRPC"),
    (lambda: listening(b""), lambda: None, "", "no server answers"),
    (lambda: headrace(server_credentials(mutual=False)), of_grpc, "", "no server answers"),
]


@pytest.mark.parametrize(("listener", "credentials", "reason", "words"), CASES)
async def test_who_answers_instead_is_said_with_what_to_do(
    listener: Callable[[], Listener],
    credentials: Callable[[], grpc.ChannelCredentials | None],
    reason: str,
    words: str,
) -> None:
    async with (
        listener() as address,
        Client(address, credentials=credentials(), retries=0, call_timeout=3) as client,
    ):
        asking: list[Callable[[], Awaitable[object]]] = [
            client.server_info,
            lambda: client.predict("composer"),
            lambda: client.run("composer").__aenter__(),
            lambda: client.ready(1.0),
        ]

        for ask in asking:
            with pytest.raises(ServerUnreachable, match=words) as caught:
                await ask()

            assert caught.value.reason == reason
            assert str(caught.value).startswith(f"no server answers at {address}: ")


async def test_a_peer_that_says_nothing_costs_a_bounded_time_and_is_not_guessed_about() -> None:
    async with (
        listening(None) as address,
        Client(address, retries=0, call_timeout=0.5) as client,
        asyncio.timeout(20),
    ):
        with pytest.raises(HeadraceError, match=f"no server answers at {address}") as caught:
            await client.server_info()

        assert caught.value.reason == ""


async def test_the_synchronous_client_says_the_same() -> None:
    def ask(address: str) -> None:
        with (
            SyncClient(address, retries=0) as client,
            pytest.raises(ServerUnreachable, match="TLS is spoken there") as caught,
        ):
            client.predict("composer")

        assert caught.value.reason == "TLS_WANTED"

    async with headrace(server_credentials(mutual=False)) as address:
        await asyncio.to_thread(ask, address)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "http://127.0.0.1:50051",
            "address: http://127.0.0.1:50051 is a URL; give 127.0.0.1:50051",
        ),
        ("https://a.example/x", "give a.example and TLS credentials instead"),
        ("grpc://a.example:1", "give a.example:1 instead"),
        ("", "address: it is empty; give host:port"),
        ("localhost:99999", "has no port that can be"),
    ],
)
def test_what_is_no_address_is_refused_at_once(address: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Client(address)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost:1", ("localhost", 1)),
        ("dns:///a.example:1", ("a.example", 1)),
        ("ipv6:[::1]:1", ("::1", 1)),
        ("[::1]:1", ("::1", 1)),
        ("[::1]", ("::1", 443)),
        ("::1", ("::1", 443)),
        ("a.example", ("a.example", 443)),
        ("unix:/run/headrace.sock", None),
        ("localhost:http", None),
    ],
)
def test_where_an_address_leads(address: str, expected: object) -> None:
    assert host_and_port(address) == expected


async def test_an_address_without_a_port_is_said_to_mean_443() -> None:
    async with Client("127.0.0.1", retries=0) as client:
        with pytest.raises(ServerUnreachable, match=r"127.0.0.1 \(port 443, as it names none\): "):
            await client.server_info()


@pytest.mark.parametrize("token", ["é", "a\nb", "\x01"])
async def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="token: it is to be printable ASCII"):
        Client("127.0.0.1:1", token=token)

    async with Client("127.0.0.1:1", token=lambda: token) as client:
        with pytest.raises(ValueError, match="token: it is to be printable ASCII"):
            await client.server_info()


def test_a_file_without_pem_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")

    with pytest.raises(ValueError, match=f"ca_file: there is no PEM in {tmp_path}/ca.pem"):
        tls_credentials(tmp_path / "ca.pem")
