"""TLS and mTLS: who may connect, who a certificate stands for, and certificates changed on disk."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from headrace.errors import UsageError
from headrace.server.config import Config, Principal, Tls
from headrace.server.tls import server_credentials
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import soon
from server.serving import asking, heard, refusal, served, stub_of

CERTIFICATES = Path(__file__).parents[1] / "client" / "certificates"
AUTHORITY = CERTIFICATES / "authority.pem"
KEY, CHAIN = CERTIFICATES / "server.key", CERTIFICATES / "server.pem"


def tls(**more: Any) -> Tls:
    return Tls(certificate=CHAIN, key=KEY, **more)


def client(*, certified: bool) -> grpc.ChannelCredentials:
    own = [(CERTIFICATES / name).read_bytes() for name in ("client.key", "client.pem")]

    return grpc.ssl_channel_credentials(AUTHORITY.read_bytes(), *(own if certified else ()))


async def test_a_server_with_a_certificate_speaks_tls_only() -> None:
    async with served(tls=tls()) as service:
        async with grpc.aio.secure_channel(service.address, client(certified=False)) as channel:
            assert (await soon(heard(stub_of(channel).Run(asking())))).code is StatusCode.OK

        plain = service.stub.Run(asking(), timeout=5)
        assert (await soon(heard(plain))).code is StatusCode.UNAVAILABLE


async def test_mtls_refuses_clients_without_a_certificate() -> None:
    async with served(tls=tls(client_ca=AUTHORITY)) as service:
        async with grpc.aio.secure_channel(service.address, client(certified=False)) as channel:
            run = await soon(heard(stub_of(channel).Run(asking(), timeout=5)))
            assert run.code is StatusCode.UNAVAILABLE

        async with grpc.aio.secure_channel(service.address, client(certified=True)) as channel:
            assert (await soon(heard(stub_of(channel).Run(asking())))).code is StatusCode.OK


async def test_a_certificate_stands_for_the_principal_it_is_configured_for() -> None:
    known = (Principal(name="ann", certificates=("tester",)),)

    async with (
        served(tls=tls(client_ca=AUTHORITY), principals=known) as service,
        grpc.aio.secure_channel(service.address, client(certified=True)) as channel,
    ):
        assert (await soon(heard(stub_of(channel).Run(asking(run_id="r1"))))).code is StatusCode.OK
        assert await service.server.registry.find("ann", "r1")


async def test_a_certificate_of_nobody_configured_is_a_stranger_s() -> None:
    known = (Principal(name="ann", certificates=("someone else",)),)

    async with (
        served(tls=tls(client_ca=AUTHORITY), principals=known) as service,
        grpc.aio.secure_channel(service.address, client(certified=True)) as channel,
    ):
        refused = await soon(heard(stub_of(channel).Run(asking())))
        assert refused.code is StatusCode.UNAUTHENTICATED


async def test_changed_certificates_are_served_without_a_restart(tmp_path: Path) -> None:
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    shutil.copy(KEY, key)
    shutil.copy(CHAIN, chain)

    async with served(tls=Tls(certificate=chain, key=key)) as service:
        host, _, port = service.address.rpartition(":")

        async def presented() -> str:
            return await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))

        assert await presented() == CHAIN.read_text()
        shutil.copy(CERTIFICATES / "client.key", key)
        shutil.copy(CERTIFICATES / "client.pem", chain)
        assert await presented() == (CERTIFICATES / "client.pem").read_text()

        chain.write_text("nonsense")
        assert await presented() == (CERTIFICATES / "client.pem").read_text()


@pytest.mark.parametrize("key", ["certificate", "key", "client_ca"])
def test_certificates_that_cannot_be_read_are_named_by_their_key(key: str, tmp_path: Path) -> None:
    missing = tls().model_copy(update={key: tmp_path / "absent.pem"})

    with pytest.raises(UsageError, match=rf"tls\.{key} .*absent\.pem: No such file"):
        server_credentials(missing)


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", ":1", "example.org:1"])
def test_listening_beyond_this_machine_needs_tls_or_a_word(listen: str) -> None:
    with pytest.raises(ValueError, match="insecure"):
        Config(listen=listen)

    assert Config(listen=listen, insecure=True)
    assert Config(listen=listen, tls=tls())


async def test_a_stranger_with_a_certificate_and_a_bad_token_is_a_stranger() -> None:
    async with (
        served(tls=tls(client_ca=AUTHORITY)) as service,
        grpc.aio.secure_channel(service.address, client(certified=True)) as channel,
    ):
        metadata = (("authorization", "Bearer no"),)
        call = stub_of(channel).GetServerInfo(pb.GetServerInfoRequest(), metadata=metadata)
        assert (await soon(refusal(call))).code is StatusCode.UNAUTHENTICATED
