"""What the server says in a status, as errors of this client."""

from __future__ import annotations

import grpc
import pytest
from client.reading import read_all
from client.scripted_service import Ending, ScriptedService
from grpc import StatusCode, aio
from headrace_client import (
    Client,
    FieldViolation,
    HeadraceError,
    InputInvalid,
    LMError,
    ProgramNotFound,
    RequestRefused,
    RunFailed,
    ServerFault,
    StreamMisused,
)
from headrace_client._reasons import BY_REASON
from headrace_client._status import CallStatus, error_class, status_of
from headrace_proto.v1 import headrace_pb2 as pb


@pytest.mark.parametrize("with_details", [True, False])
async def test_a_refusal_names_what_is_wrong(
    client: Client, service: ScriptedService, with_details: bool
) -> None:
    service.endings = [
        Ending(
            StatusCode.INVALID_ARGUMENT,
            "inputs.qestion: unknown; did you mean question?",
            "INPUT_INVALID",
            violations={"inputs.qestion": "unknown; did you mean question?"},
            metadata={"program": "composer", "run_id": "from-the-server"},
            with_details=with_details,
            after=0,
        )
    ]

    with pytest.raises(InputInvalid, match="did you mean question") as caught:
        await read_all(client.run("composer", run_id="r-1", qestion="why?"))

    error = caught.value
    assert (error.code, error.reason) == (StatusCode.INVALID_ARGUMENT, "INPUT_INVALID")
    assert str(error) == error.message == "inputs.qestion: unknown; did you mean question?"

    if with_details:
        violation = FieldViolation("inputs.qestion", "unknown; did you mean question?")
        assert error.violations == (violation,)
        assert error.metadata["program"] == "composer"
        assert error.run_id == "from-the-server"
    else:
        assert error.violations == ()
        assert error.run_id == "r-1"


async def test_an_unknown_program_is_named_with_those_there_are(
    client: Client, service: ScriptedService
) -> None:
    service.programs = [pb.Program(name="composer"), pb.Program(name="agent")]

    with pytest.raises(ProgramNotFound, match="there are: composer, agent"):
        await client.describe("compser")


async def test_a_rate_limit_carries_its_delay_even_in_plain_trailers(
    client: Client, service: ScriptedService
) -> None:
    service.events.pop()
    service.endings = [
        Ending(
            StatusCode.RESOURCE_EXHAUSTED,
            "slow down",
            "LM_RATE_LIMITED",
            "FAILED",
            retry_delay=2.5,
            with_details=False,
        )
    ]

    with pytest.raises(LMError) as caught:
        await read_all(client.run("composer"))

    assert caught.value.retry_delay == 2.5


@pytest.mark.parametrize(
    ("code", "reason", "state", "expected"),
    [
        ("CANCELLED", "RUN_CANCELLED", "CANCELLED", "RunCancelled"),
        ("DEADLINE_EXCEEDED", "RUN_TIMEOUT", "FAILED", "RunTimeout"),
        ("DEADLINE_EXCEEDED", "LM_TIMEOUT", "FAILED", "LMError"),
        ("ABORTED", "LM_OF_THE_FUTURE", "FAILED", "LMError"),
        ("ABORTED", "OWNER_LOST", "FAILED", "RunFailed"),
        ("ABORTED", "", "FAILED", "RunFailed"),
        ("CANCELLED", "", "CANCELLED", "RunCancelled"),
        ("INTERNAL", "TOOL_ERROR", "FAILED", "ToolError"),
        ("NOT_FOUND", "RUN_NOT_FOUND", "", "RunNotFound"),
        ("NOT_FOUND", "", "", "RequestRefused"),
        ("UNAUTHENTICATED", "", "", "Unauthenticated"),
        ("PERMISSION_DENIED", "", "", "PermissionDenied"),
        ("UNAVAILABLE", "DRAINING", "", "ServerBusy"),
        ("UNAVAILABLE", "", "", "ServerUnreachable"),
        ("DEADLINE_EXCEEDED", "", "", "DeadlineExceeded"),
        ("DATA_LOSS", "", "", "ServerFault"),
        ("INTERNAL", "SERVER_FAULT", "", "ServerFault"),
        ("RESOURCE_EXHAUSTED", "PREDICTION_TOO_LARGE", "SUCCEEDED", "PredictionTooLarge"),
        ("DEADLINE_EXCEEDED", "INPUT_EXPIRED", "FAILED", "InputExpired"),
        ("FAILED_PRECONDITION", "INPUT_DECLINED", "FAILED", "InputDeclined"),
        ("NOT_FOUND", "INPUT_NOT_FOUND", "", "InputNotFound"),
        ("ALREADY_EXISTS", "INPUT_RESOLVED", "", "InputAlreadyResolved"),
        ("UNAVAILABLE", "", "WAITING", "RunSuspended"),
        ("UNAVAILABLE", "STREAM_AGED", "PARKED", "RunSuspended"),
        ("ABORTED", "LM_OF_THE_FUTURE", "PARKED", "RunSuspended"),
    ],
)
def test_a_state_that_is_no_end_then_reason_then_state_then_code_decide_the_class(
    code: str, reason: str, state: str, expected: str
) -> None:
    assert error_class(StatusCode[code], reason, state).__name__ == expected


def test_only_a_cut_of_the_road_is_worth_another_try() -> None:
    cut = {code for code in StatusCode if CallStatus(code, "").is_cut}

    assert cut == {
        StatusCode.UNAVAILABLE,
        StatusCode.UNKNOWN,
        StatusCode.INTERNAL,
        StatusCode.CANCELLED,
    }
    states = ("SUCCEEDED", "FAILED", "CANCELLED", "WAITING", "PARKED")
    told = [CallStatus(code, "", run_state=state) for code in StatusCode for state in states]
    assert not any(status.is_cut for status in told)


def test_details_that_cannot_be_read_leave_code_and_trailers() -> None:
    trailers = aio.Metadata(
        ("grpc-status-details-bin", b"\xff\xff"),
        ("headrace-error-reason", "RUN_TIMEOUT"),
        ("headrace-run-state", "FAILED"),
        ("headrace-retry-delay-ms", "soon"),
        ("headrace-usage-bin", b"\xff\xff"),
    )
    error = aio.AioRpcError(StatusCode.DEADLINE_EXCEEDED, aio.Metadata(), trailers, None)

    assert status_of(error) == CallStatus(
        StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        reason="RUN_TIMEOUT",
        run_state="FAILED",
    )


def test_failures_and_misuse_are_two_trees() -> None:
    assert issubclass(StreamMisused, RuntimeError)
    assert not issubclass(StreamMisused, HeadraceError)

    for kind in BY_REASON.values():
        assert issubclass(kind, RequestRefused | RunFailed | ServerFault | HeadraceError)


def test_an_error_without_a_code_is_of_unknown_code() -> None:
    assert HeadraceError("?").code is grpc.StatusCode.UNKNOWN
