"""Who may call: tokens, certificates, ownership of runs, programs by principal."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from headrace.errors import UsageError
from headrace.server.auth import AuthInterceptor, Principals
from headrace.server.config import Config, Principal
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import soon
from server.serving import Served, asking, heard, program, refusal, served

pytestmark = pytest.mark.usefixtures("each_store")


def hashed(token: str) -> str:
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def bearer(token: str) -> Any:
    return (("authorization", f"Bearer {token}"),)


PRINCIPALS = (
    Principal(name="ann", tokens=(hashed("a1"), hashed("a2")), include_data=True),
    Principal(name="bob", tokens=(hashed("b1"),), programs=("other",)),
)


@pytest.fixture
async def service() -> AsyncIterator[Served]:
    async with served(program(), program(name="other"), principals=PRINCIPALS) as one:
        yield one


@pytest.mark.parametrize(
    "metadata", [(), bearer("no"), bearer(""), (("authorization", "Basic a1"),)]
)
async def test_strangers_are_turned_away_at_every_method(service: Served, metadata: Any) -> None:
    run = await soon(heard(service.stub.Run(asking(), metadata=metadata)))
    info = await soon(
        refusal(service.stub.GetServerInfo(pb.GetServerInfoRequest(), metadata=metadata))
    )
    unknown = cast("Any", service.channel).unary_unary("/headrace.v1.HeadraceService/Nothing")
    nothing = await soon(refusal(unknown(b"", metadata=metadata)))

    for refused in (run, info, nothing):
        assert refused.code is StatusCode.UNAUTHENTICATED
        assert refused.trailers["headrace-error-reason"] == "UNAUTHENTICATED"


class Counted(Principals):
    """Principals that count how often a caller's metadata is looked at."""

    looks = 0

    def by_metadata(self, metadata: Any) -> Principal | None:
        self.looks += 1

        return super().by_metadata(metadata)


async def test_a_caller_is_identified_once() -> None:
    counted = Counted(Config(principals=PRINCIPALS))
    auth = AuthInterceptor(counted)
    seen: list[Principal] = []

    async def entered(_: Any) -> None:
        seen.append(auth.identify(cast("Any", None)))  # what is left to ask would be a certificate

    for token in ("a1", "b1"):
        details: Any = SimpleNamespace(method="/a/B", invocation_metadata=bearer(token))
        await auth.intercept_service(entered, details)

    assert ([one.name for one in seen], counted.looks) == (["ann", "bob"], 2)


async def test_a_stranger_s_request_is_not_read(service: Served) -> None:
    large = cast("Any", service.channel).unary_unary("/headrace.v1.HeadraceService/Predict")
    refused = await soon(refusal(large(b"\xff" * 4_000_000)))

    assert refused.code is StatusCode.UNAUTHENTICATED  # not RESOURCE_EXHAUSTED


async def test_health_is_open_and_reflection_is_not(service: Served) -> None:
    stub = cast("Any", health_pb2_grpc).HealthStub(service.channel)
    answer = await soon(stub.Check(health_pb2.HealthCheckRequest()))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING

    for version in ("v1", "v1alpha"):
        method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        reflection = cast("Any", service.channel).stream_stream(method)()
        assert (await soon(heard(reflection))).code is StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("token", ["a1", "a2"])
async def test_each_of_a_principal_s_tokens_is_good(service: Served, token: str) -> None:
    run = await soon(heard(service.stub.Run(asking(), metadata=bearer(token))))

    assert run.code is StatusCode.OK


async def test_a_run_belongs_to_who_started_it() -> None:
    async with served(
        program(), principals=[PRINCIPALS[0], Principal(name="bob", tokens=(hashed("b1"),))]
    ) as service:
        await soon(heard(service.stub.Run(asking(run_id="r1"), metadata=bearer("a1"))))
        attach = service.stub.Attach(pb.AttachRequest(run_id="r1"), metadata=bearer("b1"))
        get = service.stub.GetRun(pb.GetRunRequest(run_id="r1"), metadata=bearer("b1"))
        delete = service.stub.DeleteRun(pb.DeleteRunRequest(run_id="r1"), metadata=bearer("b1"))

        assert (await soon(heard(attach))).code is StatusCode.NOT_FOUND
        assert (await soon(refusal(get))).code is StatusCode.NOT_FOUND
        assert (await soon(refusal(delete))).code is StatusCode.NOT_FOUND

        own = await soon(
            heard(service.stub.Run(asking("other", run_id="r1"), metadata=bearer("b1")))
        )
        assert own.text == "other"

        other = pb.CancelRunRequest(run_id="r2")
        refused = await soon(service.stub.CancelRun(other, metadata=bearer("b1")))
        assert not refused.HasField("run")
        free = await soon(heard(service.stub.Run(asking(run_id="r2"), metadata=bearer("a1"))))
        assert free.code is StatusCode.OK


async def test_programs_that_are_not_open_to_a_caller_do_not_exist_for_it(
    service: Served,
) -> None:
    listed = await soon(service.stub.ListPrograms(pb.ListProgramsRequest(), metadata=bearer("b1")))
    refused = await soon(heard(service.stub.Run(asking(), metadata=bearer("b1"))))

    assert [one.name for one in listed.programs] == ["other"]
    assert (refused.code, refused.details) == (
        StatusCode.NOT_FOUND,
        "no program 'scripted'; there are other",
    )


async def test_content_is_for_those_who_may_see_it(service: Served) -> None:
    wanting = asking(options=pb.StreamOptions(include_data=True))
    run = await soon(heard(service.stub.Run(wanting, metadata=bearer("a1"))))
    data = [event.status.data for event in run.events if event.HasField("status")]

    assert data[0]["question"] == "why?"
    assert data[-2]["outputs"] == "why?"


async def test_principals_are_reloaded_from_their_file(tmp_path: Path) -> None:
    file = tmp_path / "principals.toml"
    file.write_text(f'[[principals]]\nname = "ann"\ntokens = ["{hashed("old")}"]\n')

    async with served(principals_file=file) as service:
        file.write_text(f'[[principals]]\nname = "ann"\ntokens = ["{hashed("new")}"]\n')
        service.server.directory.reload()
        old = await soon(heard(service.stub.Run(asking(), metadata=bearer("old"))))
        new = await soon(heard(service.stub.Run(asking(), metadata=bearer("new"))))

        file.write_text("nonsense")

        with pytest.raises(UsageError, match=r"principals\.toml"):
            service.server.directory.reload()

        still = await soon(heard(service.stub.Run(asking(), metadata=bearer("new"))))

    assert [one.code for one in (old, new, still)] == [
        StatusCode.UNAUTHENTICATED,
        StatusCode.OK,
        StatusCode.OK,
    ]


async def test_tokens_may_come_from_the_environment_plain_or_hashed() -> None:
    tokens = f"ann=plain bob={hashed('hidden')}"

    async with served(tokens=tokens) as service:
        for token in ("plain", "hidden"):
            run = await soon(heard(service.stub.Run(asking(), metadata=bearer(token))))
            assert run.code is StatusCode.OK


@pytest.mark.parametrize("tokens", ["secret", "ann=", "a b=c", "ann=sha256:12"])
def test_malformed_tokens_are_refused_without_showing_them(tokens: str) -> None:
    with pytest.raises(UsageError) as refused:
        Principals(Config.model_validate({"tokens": tokens}))

    assert "HEADRACE_TOKENS" in refused.value.message
    assert "secret" not in refused.value.message


def test_two_principals_cannot_share_a_token() -> None:
    twice = [Principal(name=name, tokens=(hashed("x"),)) for name in ("ann", "bob")]

    with pytest.raises(UsageError, match="'ann' and 'bob' share a token"):
        Principals(Config(principals=tuple(twice)))
