"""Diagnosis of an address where no headrace server answered, made once, after the failure.

The rule: nothing hangs on how gRPC words an error. The first bytes of a handshake are sent, nothing of the
caller's, and what comes back says what is spoken there; only what was seen is claimed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

PROBE_SECONDS = 1.0
"""For one connection; there are three at most."""

HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""The preface and an empty SETTINGS frame."""

ALERT, HANDSHAKE = 0x15, 0x16
SETTINGS = 4


@dataclass(frozen=True, slots=True)
class Tls:
    """A client's own credentials, as far as they are known."""

    roots: bytes | None = None
    """PEM; None for the public ones."""
    has_certificate: bool = False
    is_known: bool = True
    """False for credentials that were made elsewhere: nothing can be said of certificates then."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why no server could answer: a stable name, the cause, and what to do about it."""

    reason: str
    cause: str
    advice: str = ""


class Protocol(Enum):
    """Protocol spoken at an address."""

    TLS = auto()
    HTTP1 = auto()
    HTTP2 = auto()
    OTHER = auto()
    NONE = auto()


TLS_WANTED = Diagnosis(
    "TLS_WANTED", "TLS is spoken there, not plain text", "give credentials=tls_credentials()"
)
TLS_UNWANTED = Diagnosis(
    "TLS_UNWANTED", "plain text is spoken there, not TLS", "leave the credentials out"
)
CERTIFICATE_WANTED = Diagnosis(
    "CERTIFICATE_WANTED",
    "it hangs up on a client without a certificate",
    "give tls_credentials your certificate_file and key_file",
)
HTTP1_SPOKEN = Diagnosis(
    "NOT_GRPC",
    "HTTP/1 is spoken there, not gRPC",
    "give the address of a server; a gateway and a web page have others",
)
OTHER_SPOKEN = Diagnosis(
    "NOT_GRPC", "what listens there does not speak gRPC", "give the address of a server"
)


async def diagnose(host: str, port: int, tls: Tls | None) -> Diagnosis | None:
    """The reason why a client with these credentials gets no answer; None where none can be seen."""
    with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
        protocol = await _protocol_at(host, port)

        match protocol:
            case Protocol.TLS if tls is not None:
                return await _diagnose_tls(host, port, tls)
            case Protocol.TLS:
                return TLS_WANTED
            case Protocol.HTTP2 if tls is not None:
                return TLS_UNWANTED
            case Protocol.HTTP1:
                return HTTP1_SPOKEN
            case Protocol.OTHER:
                return OTHER_SPOKEN
            case _:
                pass

    return None


async def _protocol_at(host: str, port: int) -> Protocol:
    heard = Protocol.NONE

    for hello in (_tls_hello(host), HTTP2_PREFACE):
        heard = _protocol_of(await _reply(host, port, hello))

        if heard is not Protocol.NONE:
            break

    return heard


def _protocol_of(reply: bytes) -> Protocol:
    match list(reply[:4]):
        case []:
            return Protocol.NONE
        case [kind, 3, *_] if kind in (ALERT, HANDSHAKE):
            return Protocol.TLS
        case [0, 0, _, kind] if kind == SETTINGS:
            return Protocol.HTTP2
        case _:
            return Protocol.HTTP1 if reply.startswith(b"HTTP/1") else Protocol.OTHER


async def _reply(host: str, port: int, hello: bytes) -> bytes:
    """The first bytes that answer a hello; none from who is silent or hangs up."""
    async with asyncio.timeout(PROBE_SECONDS):
        reader, writer = await asyncio.open_connection(host, port)

    try:
        writer.write(hello)

        async with asyncio.timeout(PROBE_SECONDS):
            return await reader.read(16)
    except (OSError, TimeoutError):
        return b""
    finally:
        writer.transport.abort()


def _tls_hello(host: str) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = _context_without_checks().wrap_bio(incoming, outgoing, server_hostname=host)

    with contextlib.suppress(ssl.SSLWantReadError):
        handshake.do_handshake()

    return outgoing.read()


async def _diagnose_tls(host: str, port: int, tls: Tls) -> Diagnosis | None:
    try:
        peer = await _handshake(
            host,
            port,
            _context_with_checks(tls.roots) if tls.is_known else _context_without_checks(),
        )
    except ssl.SSLCertVerificationError as error:
        return Diagnosis(
            "CERTIFICATE_UNTRUSTED",
            f"its certificate is not trusted ({error.verify_message})",
            "give tls_credentials the ca_file of the authority that signed it",
        )

    if peer.protocol != "h2":
        return HTTP1_SPOKEN

    return CERTIFICATE_WANTED if peer.hung_up and tls.is_known and not tls.has_certificate else None


class Peer(NamedTuple):
    """The other side of a TLS handshake."""

    protocol: str | None
    hung_up: bool
    """At once, as servers do that want a certificate."""


async def _handshake(host: str, port: int, context: ssl.SSLContext) -> Peer:
    async with asyncio.timeout(PROBE_SECONDS):
        reader, writer = await asyncio.open_connection(host, port, ssl=context)

    handshake: ssl.SSLObject = writer.get_extra_info("ssl_object")

    try:
        async with asyncio.timeout(PROBE_SECONDS):
            first = await reader.read(1)  # of its SETTINGS
    except TimeoutError:
        first = None
    except OSError:  # an alert, or a reset
        first = b""
    finally:
        writer.transport.abort()

    return Peer(handshake.selected_alpn_protocol(), first == b"")


def _context_with_checks(roots: bytes | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=None if roots is None else roots.decode("latin-1"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # as gRPC does it, nor is it strict
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["h2"])

    return context


def _context_without_checks() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])

    return context
