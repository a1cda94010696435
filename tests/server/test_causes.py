"""What led to a failure: names and places for any operator, texts for developers, callers nothing."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest
from google.rpc import (  # type: ignore[import-untyped]  # has no py.typed
    error_details_pb2,
    status_pb2,
)
from headrace.errors import AdapterParseError, LMError, ProgramError
from headrace.lm.error_names import error_names
from headrace.runs.causes import MAX_TEXT, names_of, origin_of, place_of, told, words_of
from headrace_proto.v1 import headrace_pb2 as pb
from pydantic import TypeAdapter, ValidationError
from server.scripted import soon
from server.serving import asking, heard, program, refusal, served


def raised(error: BaseException, cause: BaseException | None = None) -> ProgramError:
    """What a run ends with whose program raised `error`."""
    try:
        raise error from cause
    except BaseException as caught:  # noqa: BLE001 - as a run does
        failure = ProgramError("the program raised")
        failure.__cause__ = caught

        return failure


def parse_error() -> AdapterParseError:
    return AdapterParseError("ChatAdapter", "stars is wrong", lm_response="[[ ## stars ## ]]\n7")


def lm_error() -> LMError:
    said = {"error": {"type": "invalid_request_error", "code": "bad", "message": "a prompt"}}

    return LMError("refused", status_code=400, detail=str(said), **error_names(said))


def test_the_place_is_the_innermost_line_of_the_program() -> None:
    def decode() -> NoReturn:
        raise parse_error()

    def innocent() -> None:
        json.loads("{")

    with pytest.raises(AdapterParseError) as ours:
        decode()

    with pytest.raises(json.JSONDecodeError) as theirs:
        innocent()

    assert place_of(ours.value).endswith(" in decode")
    assert place_of(raised(theirs.value)).endswith(" in innocent")
    assert place_of(ProgramError("never raised")) == ""


def test_a_library_that_we_called_ourselves_is_no_place_of_the_program() -> None:
    with pytest.raises(ValidationError) as unfit:
        TypeAdapter(int).validate_python("many")

    traceback = unfit.value.__traceback__
    assert traceback is not None
    library = unfit.value.with_traceback(traceback.tb_next)
    ours, of_an_installed_program = parse_error(), ProgramError("the program raised")
    ours.__cause__ = of_an_installed_program.__cause__ = library

    assert place_of(ours) == ""
    assert place_of(of_an_installed_program).endswith(" in validate_python")


def test_names_are_kept_apart_from_texts() -> None:
    failure = raised(RuntimeError("a secret"), lm_error())

    assert {**names_of(failure), "place": ""} == {
        "http_status": 400,
        "provider_type": "invalid_request_error",
        "provider_code": "bad",
        "place": "",
    }
    assert list(words_of(failure)) == ["provider_said"]
    assert "a prompt" in words_of(failure)["provider_said"]
    assert str(origin_of(failure)) == "a secret"
    assert origin_of(parse_error()) is None


def test_a_developer_is_told_all_of_it() -> None:
    failure = raised(ValueError("no stars"), parse_error())
    lines = told(failure).splitlines()

    assert lines[:4] == [
        "ValueError: no stars",
        "the model wrote:",
        "  [[ ## stars ## ]]",
        "  7",
    ]
    assert lines[4].startswith("at ")


def test_what_is_told_is_bounded() -> None:
    failure = raised(ValueError("x" * 1_000_000), parse_error())

    assert len(told(failure)) < MAX_TEXT + 1_000


@pytest.mark.parametrize(("dev", "seen"), [(True, True), (False, False)])
async def test_callers_see_a_cause_under_dev_only(dev: bool, seen: bool) -> None:
    async def play(question: str) -> NoReturn:
        raise KeyError("sk-abcdefgh12345 " + "🌊" * 5000)

    async with served(program(play), dev=dev) as service:
        stream = await soon(heard(service.stub.Run(asking(run_id="r1"))))
        late = await soon(heard(service.stub.Attach(pb.AttachRequest(run_id="r1"))))
        request = pb.PredictRequest(program="scripted", inputs_json='{"question": "x"}')
        unary = await soon(refusal(service.stub.Predict(request)))

    for ended in (stream, late, unary):
        packed = ended.trailers["grpc-status-details-bin"]
        assert isinstance(packed, bytes)
        causes = causes_in(packed)
        assert len(packed) < 4096
        assert [cause.startswith("KeyError: '[hidden] 🌊") for cause in causes] == [True] * seen


def causes_in(packed: bytes) -> list[str]:
    found: list[str] = []

    for detail in status_pb2.Status.FromString(packed).details:
        debug = error_details_pb2.DebugInfo()

        if detail.Unpack(debug):
            found.append(debug.detail)

    return found


async def test_what_is_shown_is_a_feature_that_callers_can_ask_for() -> None:
    async with served(dev=True) as open_one, served() as closed_one:
        features = [
            (await soon(one.stub.GetServerInfo(pb.GetServerInfoRequest()))).features
            for one in (open_one, closed_one)
        ]

    assert ["include-data" in one for one in features] == [True, False]
