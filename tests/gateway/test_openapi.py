"""The description of the HTTP edge: valid, complete, and true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from gateway.faucet import Faucet
from gateway.programs import KEEPER, QUESTION, choice, keeper
from gateway.serving import Gateway, gateway, hosted
from headrace_gateway import create_app
from headrace_gateway.app import document
from headrace_gateway.reasons import HTTP_STATUS
from headrace_gateway.requests import LIST, READ, START, VIEW
from jsonschema import Draft202012Validator, ValidationError
from openapi_spec_validator import validate
from starlette.routing import Mount, Route

COMPONENTS = document()["components"]


def test_the_document_is_valid() -> None:
    validate(document())


def test_every_call_is_described_and_no_other() -> None:
    (calls,) = [one for one in create_app().routes if isinstance(one, Mount) and one.path == "/v1"]
    served = {
        (calls.path + route.path, method.lower())
        for route in calls.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {
        (path, method)
        for path, item in document()["paths"].items()
        for method in item
        if method in ("get", "post", "delete")
    }

    assert described == served


def test_every_option_is_described() -> None:
    described = {
        parameter["name"]
        for parameter in COMPONENTS["parameters"].values()
        if parameter["in"] == "query"
    }

    assert described == {*READ, *START, *LIST, *VIEW, "status_detail", "after_sequence"}


def test_every_call_may_be_refused_for_what_it_asks() -> None:
    refusing = {
        (path, method)
        for path, item in document()["paths"].items()
        for method in {*item} & {"get", "post", "delete"}
        if "400" in item[method]["responses"]
    }

    assert refusing == {
        (path, method)
        for path, item in document()["paths"].items()
        for method in {*item} & {"get", "post", "delete"}
    }


def test_every_status_an_error_may_have_is_described_somewhere() -> None:
    described = {
        int(status)
        for item in document()["paths"].values()
        for method in {*item} & {"get", "post", "delete"}
        for status in item[method]["responses"]
    }

    assert {*HTTP_STATUS.values()} - described == {405}  # no path that exists answers with it


async def test_what_is_sent_of_runs_that_ask_and_tell_is_what_is_described() -> None:
    lm = Faucet(KEEPER)
    lm.open()
    asks = {"accept": "custom,input", "status_detail": "all", "include_data": "true"}
    payloads, resolved, records = list[Any](), list[Any](), list[Any]()

    async with hosted(lm, choice, keeper, dev=True) as server, gateway(server) as edge:
        for program, inputs, sent in (
            ("choice", {"topic": "weirs"}, {"answer": "left"}),
            ("keeper", {"question": "Less?"}, {"answer": {"height": 0.75}}),
        ):
            async with edge.stream(program, inputs, run_id=program, **asks) as events:
                async for event in events:
                    if event.payload["type"] == "input_request":
                        records.append((await edge.http.get(f"/v1/runs/{program}")).json())
                        path = f"/v1/runs/{program}/inputs/{event.payload['input_id']}"
                        resolved.append((await edge.http.post(path, json=sent)).json())

                    payloads.append(event.payload)

                    if event.payload["type"] == "prediction":
                        break

            records.append((await edge.http.get(f"/v1/runs/{program}?view=full")).json())

        runs = (await edge.http.get("/v1/runs")).json()["runs"]
        refused = (await edge.http.post("/v1/runs/later/cancel", json={})).json()

    answers = {
        "Event": payloads,
        "Run": [*records, *runs],
        "InputResolvedFacts": [without_run(one) for one in resolved],
        "Refused": [refused],
    }

    assert faults_in(answers) == []
    assert {one["type"] for one in payloads} == {
        "run", "status", "custom", "input_request", "input_resolved", "token", "prediction"
    }  # fmt: skip


async def test_what_is_sent_is_what_is_described(edge: Gateway, lm: Faucet) -> None:
    lm.open()
    inputs = {"question": QUESTION}

    async with edge.stream("composer", inputs, run_id="mine", status_detail="all") as events:
        payloads = [event.payload for event in (await events.to_the_end())[:-1]]

    answers = {
        "Program": [(await edge.http.get("/v1/programs/letter")).json()],
        "Run": [(await edge.http.get("/v1/runs/mine")).json()],
        "Server": [(await edge.http.get("/v1/server")).json()],
        "Error": [(await edge.http.post("/v1/programs/composer/predict", json={})).json()],
        "Event": payloads,
    }

    assert faults_in(answers) == []


def faults_in(answers: dict[str, list[dict[str, Any]]]) -> list[str]:
    return [
        f"{name}: {fault.message}"
        for name, bodies in answers.items()
        for body in bodies
        for fault in cast("Iterator[ValidationError]", validator_of(name).iter_errors(body))  # pyright: ignore[reportUnknownMemberType]  # of jsonschema's stubs
    ]


def without_run(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer to an answer, less what it has besides the event: the run's id."""
    return {name: value for name, value in answer.items() if name != "run_id"}


def validator_of(name: str) -> Draft202012Validator:
    """Refuses members that are not described, too."""
    described = {"$ref": f"#/components/schemas/{name}", "components": COMPONENTS}

    return Draft202012Validator({**described, "unevaluatedProperties": False})
