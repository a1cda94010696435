"""Reflection: v1 and v1alpha side by side, each the same to a client that knows no file of ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import soon
from server.serving import Served, asking, heard, served

VERSIONS = ["v1", "v1alpha"]
SERVICES = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "headrace.v1.HeadraceService",
]

messages = cast("Any", reflection_pb2)


@pytest.fixture
async def service() -> AsyncGenerator[Served, None]:
    async with served() as service:
        yield service


async def answers(service: Served, version: str, *requests: dict[str, Any]) -> list[Any]:
    """What one stream of reflection answers, a request at a time."""
    call = cast("Any", service.channel).stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=messages.ServerReflectionRequest.SerializeToString,
        response_deserializer=messages.ServerReflectionResponse.FromString,
    )(messages.ServerReflectionRequest(**request) for request in requests)

    return [answer async for answer in call]


def files_in(answer: Any) -> list[FileDescriptorProto]:
    files: Sequence[bytes] = answer.file_descriptor_response.file_descriptor_proto

    return [FileDescriptorProto.FromString(one) for one in files]


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_lists_every_service_and_describes_it_with_all_it_needs(
    service: Served, version: str
) -> None:
    (listed,) = await answers(service, version, {"list_services": ""})
    names = [one.name for one in listed.list_services_response.service]
    described = await answers(
        service, version, *({"file_containing_symbol": name} for name in names)
    )

    assert names == SERVICES

    for name, answer in zip(names, described, strict=True):
        pool = pool_of(files_in(answer))
        methods = pool.FindServiceByName(name).methods_by_name
        assert all(one.input_type.file.pool is pool for one in methods.values())


def pool_of(files: Sequence[FileDescriptorProto]) -> DescriptorPool:
    """A pool of these files alone, each after those it needs."""
    pool, left = DescriptorPool(), list(files)
    known: set[str] = set()

    while left:
        ready = [one for one in left if known.issuperset(one.dependency)]
        assert ready, f"{[one.name for one in left]} lack what they need"

        for one in ready:
            pool.AddSerializedFile(one.SerializeToString())
            known.add(one.name)
            left.remove(one)

    return pool


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_is_described_is_enough_to_run_a_program(service: Served, version: str) -> None:
    symbol = {"file_containing_symbol": "headrace.v1.HeadraceService"}
    (answer,) = await answers(service, version, symbol)
    pool = pool_of(files_in(answer))
    method = pool.FindServiceByName("headrace.v1.HeadraceService").methods_by_name["Run"]
    request, event = (GetMessageClass(one) for one in (method.input_type, method.output_type))
    run = cast("Any", service.channel).unary_stream(
        "/headrace.v1.HeadraceService/Run",
        request_serializer=request.SerializeToString,
        response_deserializer=event.FromString,
    )(request.FromString(asking(run_id="r1").SerializeToString()))
    last = [message async for message in run][-1]

    assert (last.run_id, last.prediction.outputs["result"]) == ("r1", "why?")


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_contract_is_told_with_its_comments_and_json_names(
    service: Served, version: str
) -> None:
    by_name, by_symbol = await answers(
        service,
        version,
        {"file_by_filename": pb.DESCRIPTOR.name},
        {"file_containing_symbol": "headrace.v1.RunRequest"},
    )
    (ours,) = [one for one in files_in(by_name) if one.name == pb.DESCRIPTOR.name]
    request = next(one for one in ours.message_type if one.name == "RunRequest")

    assert [*files_in(by_symbol)] == [*files_in(by_name)]
    assert "runId" in [field.json_name for field in request.field]
    assert any("Asks for a run." in one.leading_comments for one in ours.source_code_info.location)


async def test_both_versions_say_the_same(service: Served) -> None:
    requests: list[dict[str, Any]] = [
        {"list_services": ""},
        {"file_by_filename": pb.DESCRIPTOR.name},
        {"file_containing_symbol": "headrace.v1.RunRequest"},
        {"file_containing_symbol": "grpc.reflection.v1.ServerReflectionRequest"},
        {"all_extension_numbers_of_type": "headrace.v1.RunRequest"},
        {"file_by_filename": "nowhere.proto"},
        {},
    ]
    v1, v1alpha = [await answers(service, version, *requests) for version in VERSIONS]

    assert v1 == v1alpha


@pytest.mark.parametrize(
    "symbol", ["ServerReflection", "ServerReflectionRequest", "ErrorResponse.error_code"]
)
async def test_v1_is_described_under_its_own_names(service: Served, symbol: str) -> None:
    by_symbol, by_name = await answers(
        service,
        "v1",
        {"file_containing_symbol": f"grpc.reflection.v1.{symbol}"},
        {"file_by_filename": "grpc/reflection/v1/reflection.proto"},
    )
    (file,) = files_in(by_symbol)

    assert [file] == files_in(by_name)
    assert (file.name, file.package) == (
        "grpc/reflection/v1/reflection.proto",
        "grpc.reflection.v1",
    )
    assert "v1alpha" not in str(file)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "request_",
    [
        {"file_by_filename": "nowhere.proto"},
        {"file_containing_symbol": "nowhere.Thing"},
        {"file_containing_symbol": "grpc.reflection.v1.Thing"},
        {"file_containing_symbol": "grpc.reflection.v1."},
        {"all_extension_numbers_of_type": "nowhere.Thing"},
    ],
    ids=str,
)
async def test_what_is_not_there_is_not_found(
    service: Served, version: str, request_: dict[str, Any]
) -> None:
    (answer,) = await answers(service, version, request_)

    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_can_be_switched_off(version: str) -> None:
    async with served(reflection="off") as service:
        method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        call = cast("Any", service.channel).stream_stream(method)()

        assert (await soon(heard(call))).code is grpc.StatusCode.UNIMPLEMENTED
