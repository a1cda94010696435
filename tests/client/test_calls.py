"""The calls with one answer: about runs, programs and the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from client.scripted_service import Ending, ScriptedService
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from headrace_client import Client, RunNotFound
from headrace_proto.v1 import headrace_pb2 as pb

# Programs and the server


async def test_programs_are_listed_across_pages(client: Client, service: ScriptedService) -> None:
    service.programs = [pb.Program(name=name) for name in ("a", "b", "c")]

    assert await client.programs() == service.programs


async def test_a_program_is_described(client: Client, service: ScriptedService) -> None:
    service.programs = [pb.Program(name="a", description="first")]

    assert await client.describe("a") == service.programs[0]


async def test_the_server_tells_of_itself(client: Client) -> None:
    assert (await client.server_info()).version == "0.0"


# One run


async def test_a_record_comes_without_inputs_and_with_exact_outputs(
    client: Client, service: ScriptedService
) -> None:
    assert (await client.get_run("r")).state == pb.Run.STATE_RUNNING
    assert service.requests == [
        pb.GetRunRequest(run_id="r", view=pb.RUN_VIEW_BASIC, output_form=pb.OUTPUT_FORM_JSON)
    ]


async def test_a_record_can_be_had_in_full_and_in_another_form(
    client: Client, service: ScriptedService
) -> None:
    await client.get_run("r", view="full", output_form="none")

    assert service.requests == [
        pb.GetRunRequest(run_id="r", view=pb.RUN_VIEW_FULL, output_form=pb.OUTPUT_FORM_NONE)
    ]


async def test_there_are_two_views_of_a_record(client: Client) -> None:
    with pytest.raises(TypeError) as caught:
        await client.get_run("r", view="all")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # that is the point

    assert str(caught.value) == 'view is an option and wants "basic" or "full", not \'all\''


async def test_a_run_is_stopped_by_its_id(client: Client, service: ScriptedService) -> None:
    answer = await client.cancel("r", reason="enough")

    assert answer == pb.CancelRunResponse(run=pb.Run(state=pb.Run.STATE_CANCELLED))
    assert service.requests == [pb.CancelRunRequest(run_id="r", reason="enough")]


async def test_stopping_a_run_that_has_not_come_yet_tells_until_when_it_is_refused(
    client: Client, service: ScriptedService
) -> None:
    service.refused_until = Timestamp(seconds=1_000)

    answer = await client.cancel("r")

    assert answer == pb.CancelRunResponse(refused_until=Timestamp(seconds=1_000))
    assert not answer.HasField("run")


async def test_a_run_is_forgotten_by_its_id(client: Client, service: ScriptedService) -> None:
    await client.delete("r")

    assert service.requests == [pb.DeleteRunRequest(run_id="r")]


async def test_a_run_that_is_not_there_cannot_be_forgotten(
    client: Client, service: ScriptedService
) -> None:
    service.endings = [Ending(StatusCode.NOT_FOUND, "no such run", "RUN_NOT_FOUND")]

    with pytest.raises(RunNotFound, match="no such run"):
        await client.delete("r")


# Many runs


async def test_every_filter_of_the_list_is_sent(client: Client, service: ScriptedService) -> None:
    two_hours_east = timezone(timedelta(hours=2))

    await client.runs(
        program="composer",
        states=["waiting", "failed"],
        labels={"team": "blue"},
        created_after=datetime(1970, 1, 1, 2, 0, 5, tzinfo=two_hours_east),
        created_before=datetime(1970, 1, 1, 0, 0, 9, 500_000, tzinfo=UTC),
        limit=7,
    )

    assert service.requests == [
        pb.ListRunsRequest(
            page_size=7,
            program="composer",
            states=[pb.Run.STATE_WAITING, pb.Run.STATE_FAILED],
            labels={"team": "blue"},
            created_after=Timestamp(seconds=5),
            created_before=Timestamp(seconds=9, nanos=500_000_000),
        )
    ]


@pytest.mark.parametrize(
    ("limit", "pages"),
    [
        (1, [(1, "")]),
        (1000, [(1000, "")]),
        (1001, [(1000, ""), (1, "1000")]),
        (9999, [(1000, ""), (1000, "1000"), (1000, "2000")]),
    ],
)
async def test_pages_are_followed_up_to_the_limit(
    client: Client, service: ScriptedService, limit: int, pages: list[tuple[int, str]]
) -> None:
    service.runs = [pb.Run(run_id=str(number)) for number in range(2500)]

    assert await client.runs(limit=limit) == service.runs[:limit]
    assert [(request.page_size, request.page_token) for request in service.requests] == pages


@pytest.mark.parametrize(
    ("filters", "kind", "message"),
    [
        ({"states": "waiting"}, TypeError, "states is an option and wants a list such as"),
        (
            {"states": ["WAITING"]},
            TypeError,
            '"queued", "running", "waiting", "succeeded", "failed" or "cancelled", not \'WAITING\'',
        ),
        ({"labels": "x"}, TypeError, "labels is an option and wants a mapping"),
        ({"program": 1}, TypeError, "program is an option and wants a string"),
        (
            {"created_after": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))},
            ValueError,
            "created_after: 0001-01-01 00:00:00+14:00 is beyond the calendar",
        ),
        ({"created_after": 5.0}, TypeError, "created_after is an option and wants a datetime"),
        (
            {"created_before": datetime(2024, 1, 1)},
            ValueError,
            "created_before: 2024-01-01 00:00:00 names no time zone; give one, as datetime.now",
        ),
        ({"limit": 0}, ValueError, "limit: 0 runs are none; give 1 or more"),
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused_here(
    client: Client,
    service: ScriptedService,
    filters: dict[str, object],
    kind: type[Exception],
    message: str,
) -> None:
    with pytest.raises(kind) as caught:
        await client.runs(**filters)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # that is the point

    assert message in str(caught.value)
    assert "inputs=" not in str(caught.value)
    assert service.requests == []
