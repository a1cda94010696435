"""HTTP as the direct engine speaks it: any answer, cut anywhere, and what becomes of its connection."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from anyio import wait_all_tasks_blocked
from headrace.errors import LMAuthError, LMError, LMTransportError
from headrace.lm import LM
from headrace.lm.http import Broken, InvalidRequest
from headrace.lm.http.connection import HEAD_LIMIT, Connection, PushedResponse
from headrace.lm.http.request import fields_of, parse_url, request_bytes
from headrace.lm.http.response import FREE, RATIO, STEP, Take
from headrace_mock import MockLM, Reply
from hypothesis import given
from hypothesis import strategies as st
from runtime.lm.ways import way_to

BODY = b"data: one\n\ndata: two\n\n"
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\n" + BODY
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"b\r\ndata: one\n\n\r\nB\r\ndata: two\n\n\r\n0\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + PLAIN
ANSWERS = {"plain": PLAIN, "chunked": CHUNKED, "after interim answers": INTERIM}


class FakeTransport(asyncio.Transport):
    """Keeps what is written; says when it is aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


class Line:
    """A connection without a network, one request under way."""

    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.left: list[bool] = []
        self.lost = 0
        self.connection = Connection(self._note_left, self._note_lost)
        self.connection.connection_made(self.transport)
        self.response = self.connection.request(b"request")

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)

    def hang_up(self, error: Exception | None = None) -> None:
        self.connection.connection_lost(error)

    def _note_left(self, connection: Connection) -> None:
        self.left.append(connection.reusable)

    def _note_lost(self, connection: Connection) -> None:
        self.lost += 1


def into(pieces: list[bytes]) -> Take:
    def take(piece: bytes) -> bool:
        pieces.append(piece)
        return False

    return take


async def whole(response: PushedResponse) -> bytes:
    pieces: list[bytes] = []
    await response.begun()
    await response.stream(into(pieces))

    return b"".join(pieces)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % len(data) for place in places} - {0})

    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(0, 200), max_size=12))
def test_a_body_comes_whole_however_its_bytes_are_cut(answer: str, places: list[int]) -> None:
    async def check() -> None:
        line = Line()
        line.say(*cut(ANSWERS[answer], places))

        assert await whole(line.response) == BODY
        assert (line.response.status, line.response.complete) == (200, True)
        line.response.leave()
        assert (line.left, line.transport.aborted) == ([True], False)

    asyncio.run(check())


async def test_a_body_is_handed_on_where_it_arrives() -> None:
    line = Line()
    heard: list[bytes] = []
    line.say(PLAIN[:-12])

    reading = asyncio.create_task(line.response.stream(into(heard)))
    await wait_all_tasks_blocked()
    before = list(heard)
    line.say(b"\ndata: ")
    at_once = list(heard)
    line.say(b"two\n\n")
    await reading

    assert (before, at_once) == ([b"data: one\n"], [b"data: one\n", b"\ndata: "])
    assert b"".join(heard) == BODY


ENCODED = {
    "gzip": gzip.compress(BODY),
    "x-gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
}


def packed(body: bytes, encoding: str = "gzip", status: str = "200 OK") -> bytes:
    """An answer whose body is compressed already."""
    head = f"HTTP/1.1 {status}\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}"

    return head.encode() + b"\r\n\r\n" + body


@given(st.sampled_from(sorted(ENCODED)), st.lists(st.integers(0, 200), max_size=12))
def test_an_answer_may_be_compressed_unasked(encoding: str, places: list[int]) -> None:
    async def check() -> None:
        line = Line()
        line.say(*cut(packed(ENCODED[encoding], encoding), places))

        assert await whole(line.response) == BODY

    asyncio.run(check())


def zeros(size: int) -> bytes:
    """So many zeros, as gzip."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    block = bytes(STEP)

    return b"".join([*(packer.compress(block) for _ in range(size // STEP)), packer.flush()])


async def test_a_compressed_answer_is_unpacked_a_little_at_a_time() -> None:
    line = Line()
    heard: list[bytes] = []
    line.say(packed(zeros(8 * STEP)))
    await line.response.stream(into(heard))

    assert [len(piece) for piece in heard if piece] == [STEP] * 8


async def test_what_unpacks_is_handed_on_where_it_arrives_to_its_last_byte() -> None:
    line = Line()
    heard: list[bytes] = []
    packer = zlib.compressobj()
    body = packer.compress(bytes(STEP)) + packer.flush(zlib.Z_SYNC_FLUSH)
    line.say(b"HTTP/1.1 200 OK\r\ncontent-encoding: deflate\r\n\r\n")
    reading = asyncio.create_task(line.response.stream(into(heard)))
    await wait_all_tasks_blocked()
    line.say(body[:-1], body[-1:])

    assert sum(map(len, heard)) == STEP
    line.hang_up()
    await reading


async def test_an_answer_that_unpacks_to_many_times_its_size_is_given_up() -> None:
    body = zeros(32 * FREE)
    line = Line()
    heard = 0
    line.say(packed(body))

    def take(piece: bytes) -> bool:
        nonlocal heard
        heard += len(piece)
        return False

    with pytest.raises(Broken, match="its answer unpacks to many times its size"):
        await line.response.stream(take)

    room = FREE + RATIO * len(body)
    assert room - STEP < heard <= room


async def test_a_reader_that_has_had_enough_is_handed_no_more() -> None:
    line = Line()
    heard: list[bytes] = []
    line.say(packed(zeros(8 * STEP)))

    def take(piece: bytes) -> bool:
        heard.append(piece)
        return True

    await line.response.stream(take)

    assert [len(piece) for piece in heard] == [STEP]


async def test_a_body_without_length_ends_with_its_connection() -> None:
    line = Line()
    line.say(b"HTTP/1.0 200 OK\r\n\r\n", BODY)
    line.hang_up()

    assert await whole(line.response) == BODY
    line.response.leave()
    assert (line.left, line.lost) == ([False], 1)


async def test_a_body_without_length_has_no_end_where_its_connection_was_reset() -> None:
    line = Line()
    line.say(b"HTTP/1.0 200 OK\r\n\r\n", BODY)
    line.hang_up(ConnectionResetError())

    with pytest.raises(Broken, match="the connection broke"):
        await whole(line.response)


def saying(*pieces: bytes) -> Callable[[Line], None]:
    return lambda line: line.say(*pieces)


def hanging_up_after(*pieces: bytes) -> Callable[[Line], None]:
    def act(line: Line) -> None:
        line.say(*pieces)
        line.hang_up()

    return act


FAILURES: dict[str, tuple[Callable[[Line], None], str]] = {
    "nothing": (hanging_up_after(), "the connection broke"),
    "half a head": (hanging_up_after(PLAIN[:20]), "the connection broke"),
    "half a body": (hanging_up_after(PLAIN[:-1]), "the connection broke"),
    "half a chunk": (hanging_up_after(CHUNKED[:-9]), "the connection broke"),
    "no HTTP": (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "it does not speak HTTP"),
    "a switch of protocols": (
        saying(b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        "it does not speak HTTP",
    ),
    "broken chunks": (saying(CHUNKED.replace(b"B\r\n", b"ZZ\r\n")), "it does not speak HTTP"),
    "a head without end": (
        saying(
            b"HTTP/1.1 200 OK\r\n",
            *[b"x-more: " + b"x" * 1000 + b"\r\n"] * (HEAD_LIMIT // 1000 + 1),
        ),
        "the head of its answer has no end",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_an_answer_that_cannot_be_read_fails_and_its_connection_is_not_kept(
    failure: str,
) -> None:
    act, how = FAILURES[failure]
    line = Line()
    act(line)

    with pytest.raises(Broken) as caught:
        await whole(line.response)

    line.response.leave()
    assert (str(caught.value), line.left) == (how, [False])


@pytest.mark.parametrize(
    ("encoding", "how"),
    [
        (b"gzip", "it sends broken gzip"),
        (b"br", "it sends br, which it was not asked for"),
    ],
)
async def test_a_body_that_cannot_be_unpacked_fails(encoding: bytes, how: str) -> None:
    line = Line()
    line.say(PLAIN.replace(b"\r\n\r\n", b"\r\ncontent-encoding: " + encoding + b"\r\n\r\n", 1))

    with pytest.raises(Broken, match=how):
        await whole(line.response)


@pytest.mark.parametrize(
    ("act", "came"),
    [
        (hanging_up_after(PLAIN[:-5]), BODY[:-5]),
        (saying(CHUNKED.replace(b"B\r\n", b"ZZ\r\n")), b"data: one\n\n"),
    ],
    ids=["a hang-up", "broken chunks"],
)
async def test_what_came_before_a_failure_is_handed_on(
    act: Callable[[Line], None], came: bytes
) -> None:
    line = Line()
    heard: list[bytes] = []
    act(line)

    with pytest.raises(Broken):
        await line.response.stream(into(heard))

    assert heard == [came]


async def test_what_a_reader_raises_is_raised_where_the_response_is_read() -> None:
    def refuse(_: bytes) -> bool:
        raise RuntimeError("enough")

    line = Line()
    reading = asyncio.create_task(line.response.stream(refuse))
    await wait_all_tasks_blocked()
    line.say(PLAIN, PLAIN)

    with pytest.raises(RuntimeError, match="enough"):
        await reading


async def test_a_response_left_early_closes_its_connection() -> None:
    line = Line()
    line.say(PLAIN[:-1])
    await line.response.stream(lambda _: True)

    line.response.leave()

    assert (line.transport.aborted, line.left) == (True, [False])


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1),
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
        PLAIN + PLAIN,
    ],
    ids=["that closes", "of HTTP/1.0", "followed by another"],
)
async def test_a_connection_is_not_kept_after_an_answer(answer: bytes) -> None:
    line = Line()
    line.say(answer)
    assert await whole(line.response) == BODY

    line.response.leave()

    assert line.left == [False]


async def test_an_idle_connection_that_speaks_is_closed() -> None:
    line = Line()
    line.say(PLAIN)
    line.response.leave()

    line.say(PLAIN)

    assert (line.transport.aborted, line.connection.reusable) == (True, False)


def written(url: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A request as it is sent."""
    address = parse_url(url)

    return request_bytes(address, fields_of(address, headers, body), body)


def test_a_request_names_its_host_and_its_length() -> None:
    url = "https://api.example.com/v1/chat completions?a=b c&d=%20"
    headers = {"Authorization": "Bearer k", "Content-Length": "7", "Transfer-Encoding": "chunked"}

    assert written(url, headers, b"{}").decode().split("\r\n") == [
        "POST /v1/chat%20completions?a=b%20c&d=%20 HTTP/1.1",
        "host: api.example.com",
        "user-agent: headrace",
        "authorization: Bearer k",
        "content-length: 2",
        "accept-encoding: identity",
        "",
        "{}",
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://localhost:8000/v1", "localhost:8000"),
        ("http://[::1]:8000/v1", "[::1]:8000"),
        ("http://localhost:80", "localhost"),
        ("https://bücher.example/v1", "xn--bcher-kva.example"),
    ],
)
def test_a_host_is_written_as_http_wants_it(url: str, host: str) -> None:
    assert f"host: {host}\r\n".encode() in written(url, {})


def test_a_name_and_password_in_an_address_are_sent_as_credentials() -> None:
    request = written("http://ann:s%40fe@localhost/v1", {})

    assert b"authorization: Basic YW5uOnNAZmU=\r\n" in request
    assert b"ann" not in request


@pytest.mark.parametrize(
    "url", ["http://", "http://host:port/", "http://host:99999/", "ftp://host/"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="no valid URL"):
        parse_url(url)


@pytest.mark.parametrize("headers", [{"x": "a\r\nb: c"}, {"x\n": "a"}, {"x": "\0"}])
def test_a_header_cannot_smuggle_another(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="line break") as caught:
        written("http://localhost", headers)

    assert "b: c" not in str(caught.value)


BOMB = zeros(32 * FREE)
COMMENTS = gzip.compress(b": nothing\n\n" * FREE)
UNPACKED = LMTransportError, "its answer unpacks to many times its size"
UNASKED = LMTransportError, "it sends br, which it was not asked for"


class Bomb(NamedTuple):
    """An answer of few bytes that unpacks to very many, and what becomes of the call."""

    body: bytes
    outcome: tuple[type[LMError], str]
    status: int = 200
    content_type: str = "text/event-stream"
    encoding: str = "gzip"


BOMBS = {
    "a line": Bomb(BOMB, UNPACKED),
    "comments": Bomb(COMMENTS, UNPACKED),
    "a whole answer": Bomb(BOMB, UNPACKED, content_type="application/json"),
    "a refusal": Bomb(BOMB, (LMAuthError, "refuses the credentials"), status=401),
    "deflate": Bomb(zlib.compress(bytes(32 * FREE)), UNPACKED, encoding="deflate"),
    "br": Bomb(BOMB, UNASKED, encoding="br"),
}


@pytest.mark.parametrize("way", ["direct", "proxied"])
@pytest.mark.parametrize("name", BOMBS)
async def test_a_few_bytes_that_unpack_to_very_many_are_no_answer(
    name: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = BOMBS[name]
    kind, said = bomb.outcome

    async def play(reply: Reply) -> None:
        await reply.head(bomb.status, bomb.content_type, {"content-encoding": bomb.encoding})
        await reply.raw(bomb.body)
        await reply.hang()  # until its peer closes the connection

    async with MockLM({"any": play}) as mock:
        arguments = way_to(mock.base_url, way, monkeypatch)
        lm = LM("openai/any", **arguments, api_key="k", num_retries=0, cache=False)

        with pytest.raises(kind, match=said):
            await asyncio.wait_for(lm.acall("hi"), 30)

        [request] = mock.requests
        await asyncio.wait_for(request.over.wait(), 30)
        assert request.left is not None
