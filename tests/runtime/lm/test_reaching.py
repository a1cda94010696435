"""Reaching a provider: TLS, proxies, kept connections; over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import struct
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from headrace.errors import LMNotConfiguredError, LMTransportError
from headrace.lm import LM
from headrace.lm.http import Broken, ConnectTimeout, Pool, connect, http_pool
from headrace_mock import MockLM

CERTIFICATES = Path(__file__).parents[2] / "client" / "certificates"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
BOUND = 10.0


class Provider:
    """Answers every request with the same bytes; counts connections, keeps requests."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self.answer = answer
        self.requests: list[str] = []
        self.peers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer)

        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(head)
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
                await reader.readexactly(length)
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def listening(
    provider: Provider | Proxy, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[int, None]:
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, ssl=tls)

    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()

        for peer in provider.peers:
            peer.transport.abort()

        await asyncio.wait_for(server.wait_closed(), BOUND)


class Proxy:
    """Connects its clients with whatever they name; or refuses."""

    def __init__(self, reply: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.reply = reply
        self.requests: list[str] = []
        self.peers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer)
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.reply)

        if b" 200 " not in self.reply:
            writer.close()
            return

        _, _, port = self.requests[-1].split()[1].rpartition(":")
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", int(port))
        self.peers.append(inner_writer)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def post(url: str, proxy: str | None = None) -> bytes:
    """The body of an answer."""
    pool = await http_pool()
    response = await pool.post(url, {}, b"hello", proxy=proxy, connect=BOUND)
    pieces: list[bytes] = []

    def take(piece: bytes) -> bool:
        pieces.append(piece)
        return False

    try:
        await response.stream(take)
    finally:
        response.leave()

    return b"".join(pieces)


def certified(name: str = "server") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem", CERTIFICATES / f"{name}.key")

    return context


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' own authority is trusted, as one that SSL_CERT_FILE names."""
    context = ssl.create_default_context(cafile=CERTIFICATES / "authority.pem")
    monkeypatch.setattr(connect, "TLS", context)


@pytest.mark.usefixtures("trusting")
async def test_a_provider_is_asked_over_tls() -> None:
    provider = Provider()

    async with listening(provider, certified()) as port:
        answers = [await post(f"https://localhost:{port}/v1") for _ in range(2)]

    assert answers == [b"ok", b"ok"]
    assert len(provider.peers) == 1


@pytest.mark.parametrize("engine", ["direct", "litellm"])
async def test_a_certificate_that_nobody_vouches_for_is_refused(engine: Any) -> None:
    async with listening(Provider(), certified()) as port:
        base = f"https://localhost:{port}/v1"
        lm = LM("openai/any", engine=engine, api_base=base, api_key="k", num_retries=0, cache=False)

        with pytest.raises(LMTransportError) as refused:
            await asyncio.wait_for(lm.acall("hi"), BOUND)

    assert refused.value.message == (
        "the LM's provider did not answer: its certificate is not trusted "
        "(unable to get local issuer certificate)"
    )


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("elsewhere", "Hostname mismatch"),
        ("expired", "certificate has expired"),
        ("client", "unsuitable certificate purpose"),
    ],
)
async def test_a_certificate_that_does_not_hold_says_why(name: str, why: str) -> None:
    async with listening(Provider(), certified(name)) as port:
        with pytest.raises(Broken) as refused:
            await post(f"https://localhost:{port}/v1")

    assert str(refused.value) == f"its certificate is not trusted ({why})"


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("secure", [False, True], ids=["http proxy", "https proxy"])
async def test_a_proxy_digs_a_tunnel_to_a_provider_with_tls(secure: bool) -> None:
    provider, proxy = Provider(), Proxy()

    async with (
        listening(provider, certified()) as port,
        listening(proxy, certified() if secure else None) as by,
    ):
        scheme = "https" if secure else "http"
        answer = await post(f"https://localhost:{port}/v1", f"{scheme}://ann:pw@localhost:{by}")

    assert answer == b"ok"
    [line, *fields, _, _] = proxy.requests[0].split("\r\n")
    asked = {name.lower(): value for name, _, value in (one.partition(": ") for one in fields)}
    assert line == f"CONNECT localhost:{port} HTTP/1.1"
    assert asked["host"] == f"localhost:{port}"
    assert asked["proxy-authorization"] == "Basic YW5uOnB3"
    assert asked["user-agent"] == "headrace"
    assert "proxy-authorization" not in provider.requests[0]


async def test_a_proxy_of_plain_http_is_asked_itself() -> None:
    proxy = Provider()

    async with listening(proxy) as port:
        url = "http://bob:pw@provider.example:8000/v1/a b?x=%20"
        answer = await post(url, f"http://ann:pw@localhost:{port}")

    assert answer == b"ok"
    assert proxy.requests[0].split("\r\n") == [
        "POST http://provider.example:8000/v1/a%20b?x=%20 HTTP/1.1",
        "host: provider.example:8000",
        "user-agent: headrace",
        "authorization: Basic Ym9iOnB3",
        "accept-encoding: identity",
        "content-length: 5",
        "proxy-authorization: Basic YW5uOnB3",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("reply", "how"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "its proxy refuses"),
        (b"HTTP/1.1 502", "its proxy hung up"),
    ],
)
async def test_a_proxy_may_refuse(reply: bytes, how: str) -> None:
    async with listening(Proxy(reply)) as port:
        with pytest.raises(Broken, match=how):
            await post("https://provider.example/v1", f"http://localhost:{port}")


@pytest.mark.usefixtures("trusting")
async def test_a_certificate_is_checked_inside_a_tunnel_too() -> None:
    proxy = Proxy()

    async with listening(Provider(), certified("expired")) as port, listening(proxy) as by:
        with pytest.raises(Broken) as refused:
            await post(f"https://localhost:{port}/v1", f"http://localhost:{by}")

    assert str(refused.value) == "its certificate is not trusted (certificate has expired)"


@pytest.mark.parametrize(
    ("proxy", "how"),
    [
        ("http://127.0.0.1:9", "it cannot be reached"),
        ("http://" + "x" * 70 + ".example", "its host name is unknown"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_is_told_apart(scheme: str, proxy: str, how: str) -> None:
    with pytest.raises(Broken, match=how):
        await post(f"{scheme}://provider.example/v1", proxy)


async def test_a_proxy_that_is_silent_is_not_waited_for_longer_than_for_a_connection() -> None:
    async with listening(Silent()) as port:
        pool = await http_pool()

        with pytest.raises(ConnectTimeout, match=r"no connection in 0\.2 s"):
            await pool.post(
                "https://provider.example/", {}, b"", proxy=f"http://localhost:{port}", connect=0.2
            )


async def test_the_secrets_of_a_proxy_are_in_no_error_and_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("http_proxy", "http://ann:sk-canary@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    lm = LM("openai/any", api_base="http://provider.example/v1", api_key="k", num_retries=0)

    with pytest.raises(LMTransportError) as failed:
        await lm.acall("hi")

    shown = [*traceback.format_exception(failed.value), repr(failed.value.__dict__), caplog.text]
    assert [text for text in shown if "sk-canary" in text] == []


class Silent(Provider):
    """Takes one request, and notes when its peer has left."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.left = asyncio.Event(), asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(1)
        writer.write(self.answer)
        self.asked.set()

        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass

        self.left.set()


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("answer", [b"", ANSWER[:-1]], ids=["before its head", "in its body"])
async def test_a_request_in_a_tunnel_that_is_cancelled_closes_its_connection(answer: bytes) -> None:
    provider = Silent()
    provider.answer = answer

    async with listening(provider, certified()) as port, listening(Proxy()) as by:
        asking = asyncio.create_task(post(f"https://localhost:{port}/", f"http://localhost:{by}"))
        await asyncio.wait_for(provider.asked.wait(), BOUND)
        asking.cancel()
        await asyncio.wait({asking})

        assert asking.cancelled()
        await asyncio.wait_for(provider.left.wait(), BOUND)


async def test_a_body_without_length_has_no_end_where_a_proxy_resets_it() -> None:
    class Resetting(Provider):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.peers.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(5)
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nhalf")
            await writer.drain()
            peer = writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async with listening(Resetting()) as port:
        with pytest.raises(Broken, match="the connection broke"):
            await post("http://provider.example/", f"http://localhost:{port}")


async def test_the_environment_names_the_proxy_of_an_lm(monkeypatch: pytest.MonkeyPatch) -> None:
    async with MockLM() as mock:
        proxy = mock.base_url.removesuffix("/v1")
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        lm = LM("openai/any", api_base="http://provider.example/v1", api_key="k", cache=False)

        [answer] = await asyncio.wait_for(lm.acall("hi"), BOUND)

    assert answer.startswith("This is canned prose")


async def test_an_idle_connection_that_its_provider_closed_is_not_used() -> None:
    provider = Provider()

    async with listening(provider) as port:
        await post(f"http://localhost:{port}/")
        provider.peers[0].close()
        await provider.peers[0].wait_closed()

        async with listening(Provider()) as other:
            await post(f"http://localhost:{other}/")  # by then the end of the first was seen

        answer = await post(f"http://localhost:{port}/")

    assert (answer, len(provider.peers)) == (b"ok", 2)


async def test_a_connection_that_will_close_is_not_kept() -> None:
    provider = Provider(CLOSING)

    async with listening(provider) as port:
        answers = [await post(f"http://localhost:{port}/") for _ in range(2)]

    assert (answers, len(provider.peers)) == ([b"ok", b"ok"], 2)


async def test_connections_are_kept_apart_by_where_they_lead() -> None:
    one, other = Provider(), Provider()

    async with listening(one) as port, listening(other) as second:
        for _ in range(2):
            await post(f"http://localhost:{port}/")
            await post(f"http://localhost:{second}/")

    assert (len(one.peers), len(other.peers)) == (1, 1)


async def test_a_closed_pool_keeps_nothing_open() -> None:
    provider = Provider()

    async with listening(provider) as port:
        pool = Pool()
        response = await pool.post(f"http://localhost:{port}/", {}, b"", connect=BOUND)
        await response.stream(lambda _: False)
        response.leave()

        await pool.close()
        await asyncio.wait_for(provider.peers[0].wait_closed(), BOUND)


@pytest.mark.parametrize(
    ("host", "how"),
    [("x" * 70 + ".example", "its host name is unknown"), ("127.0.0.1:9", "it cannot be reached")],
)
async def test_a_host_that_is_not_there_is_told_apart(host: str, how: str) -> None:
    lm = LM("openai/any", api_base=f"http://{host}/v1", api_key="k", cache=False, num_retries=0)

    with pytest.raises(LMTransportError, match=how):
        await asyncio.wait_for(lm.acall("hi"), BOUND)


async def test_a_header_that_http_cannot_carry_names_its_option() -> None:
    lm = LM("openai/any", api_base="http://localhost/v1", api_key="k", cache=False)

    with pytest.raises(
        LMNotConfiguredError, match="extra_headers: header 'x-team' has a line break"
    ):
        await lm.acall("hi", extra_headers={"X-Team": "a\nb"})
