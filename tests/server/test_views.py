"""How much of a run GetRun shows: its inputs too, to those who may see them, as long as it is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import StatusCode
from headrace.hosting.port import StartRequest
from headrace.runs.limits import Limits
from headrace.runs.registry import Registry
from headrace.runs.run import Run
from headrace.server.config import Principal
from headrace_proto.v1 import headrace_pb2 as pb
from server.scripted import Gate, Scripted, echo, soon, started, until
from server.serving import Served, asking, heard, program, refusal, served
from server.stores import new_store
from server.test_access import bearer, hashed

pytestmark = pytest.mark.usefixtures("each_store")


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def service(gate: Gate) -> AsyncIterator[Served]:
    async with served(program(gate.play), include_data=True) as one:
        yield one


async def shown(
    service: Served, view: pb.RunView.ValueType = pb.RUN_VIEW_FULL, **asked: Any
) -> pb.Run:
    request = pb.GetRunRequest(run_id="r1", view=view, **asked)

    return (await soon(service.stub.GetRun(request))).run


async def test_inputs_are_shown_after_coercion_and_defaults(service: Served, gate: Gate) -> None:
    request = pb.RunRequest(program="scripted", run_id="r1", inputs_json='{"question": "é?"}')
    reading = asyncio.ensure_future(heard(service.stub.Run(request)))
    await soon(gate.entered.wait())
    live = await shown(service)
    gate.opened.set()
    await soon(reading)
    ended = await shown(service, output_form=pb.OUTPUT_FORM_JSON)

    assert [json.loads(run.inputs_json) for run in (live, ended)] == [
        {"question": "é?", "times": 1}
    ] * 2
    assert "é" in ended.inputs_json
    assert (live.state, ended.state) == (pb.Run.STATE_RUNNING, pb.Run.STATE_SUCCEEDED)
    assert ended.prediction.outputs_json == '{"result":"é?"}'


async def test_inputs_that_become_larger_than_a_request_may_be_are_not_shown(gate: Gate) -> None:
    gate.opened.set()
    limits = Limits(max_message_bytes=1_000)

    async with served(program(gate.play), include_data=True, limits=limits) as service:
        for run_id, count, size in ("r1", 162, 997), ("r2", 163, 0):
            request = asking("\x01" * count, run_id=run_id)  # six bytes each in JSON
            await soon(heard(service.stub.Run(request)))
            answer = await soon(
                service.stub.GetRun(pb.GetRunRequest(run_id=run_id, view=pb.RUN_VIEW_FULL))
            )
            assert len(answer.run.inputs_json) == size


async def test_no_other_view_and_no_list_shows_them(service: Served, gate: Gate) -> None:
    gate.opened.set()
    await soon(heard(service.stub.Run(asking(run_id="r1"))))
    runs = [
        await shown(service, pb.RUN_VIEW_BASIC),
        await shown(service, pb.RUN_VIEW_UNSPECIFIED),
        *(await soon(service.stub.ListRuns(pb.ListRunsRequest()))).runs,
        (await soon(service.stub.CancelRun(pb.CancelRunRequest(run_id="r1")))).run,
    ]

    assert [run.inputs_json for run in runs] == [""] * 4


async def test_inputs_are_for_those_who_may_see_them() -> None:
    principals = (
        Principal(name="ann", tokens=(hashed("a"),), include_data=True),
        Principal(name="bob", tokens=(hashed("b"),)),
    )

    async with served(principals=principals) as service:
        for token in ("a", "b"):
            await soon(heard(service.stub.Run(asking(run_id="r1"), metadata=bearer(token))))

        request = pb.GetRunRequest(run_id="r1", view=pb.RUN_VIEW_FULL)
        own = await soon(service.stub.GetRun(request, metadata=bearer("a")))
        refused = await soon(refusal(service.stub.GetRun(request, metadata=bearer("b"))))

    assert json.loads(own.run.inputs_json)["question"] == "why?"
    assert refused.code is StatusCode.PERMISSION_DENIED
    assert refused.details.startswith("view: this server does not show the inputs of runs to you")


def order(question: str, **asked: Any) -> StartRequest:
    return StartRequest(Scripted(echo), {"question": question}, **asked)


async def test_inputs_are_kept_only_where_somebody_may_see_them() -> None:
    sees = True
    limits = Limits()

    async with Registry(limits, new_store(limits), keeps_content=lambda: sees) as registry:
        seen = await registry.start(order("why?"))
        sees = False
        unseen = await registry.start(order("why?"))
        await soon(asyncio.gather(seen.ended(), unseen.ended()))

        assert (seen.record.inputs_json, unseen.record.inputs_json) == (
            '{"question":"why?"}',
            None,
        )


async def test_inputs_count_among_the_bytes_that_ended_runs_hold() -> None:
    def kept(registry: Registry) -> int:
        return getattr(registry.store, "held_bytes")  # type: ignore[no-any-return]  # noqa: B009

    async def forget(question: str) -> object:
        return "done"

    async def held(registry: Registry, size: int) -> int:
        hosted = Scripted(forget)
        run = await registry.start(StartRequest(hosted, {"question": "x" * size}, run_id="r1"))
        await soon(run.ended())
        await soon(until(lambda: not registry.live_count))
        bytes_ = kept(registry)
        await registry.delete("", "r1")

        return bytes_

    limits = Limits()

    async with Registry(limits, new_store(limits), keeps_content=lambda: True) as registry:
        assert await held(registry, 5000) - await held(registry, 1000) > 3900


async def test_a_run_that_waits_its_turn_has_its_inputs_already() -> None:
    gate, limits = Gate(), Limits(max_running_count=1)

    async with Registry(limits, new_store(limits), keeps_content=lambda: True) as registry:
        await started(registry, StartRequest(Scripted(gate.play), {"question": "first"}))
        queued: Run = await registry.start(order("second"))

        assert queued.record.inputs_json == '{"question":"second"}'
