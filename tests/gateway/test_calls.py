"""The calls with one answer, and how requests are refused."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from gateway.faucet import Faucet
from gateway.programs import ANSWER, COMPOSER, QUESTION, REASONING, composer
from gateway.serving import BOUND, Gateway, gateway, hosted
from headrace import Predict, Program
from headrace.errors import LMRateLimitError

INPUTS = {"question": QUESTION}
BOMB = gzip.compress(bytes(2**24))
"""16 MiB in as many KiB."""


async def test_programs_are_listed_by_name(edge: Gateway) -> None:
    body = (await edge.http.get("/v1/programs")).json()

    assert [program["name"] for program in body["programs"]] == ["agent", "composer", "letter"]


async def test_a_program_tells_what_a_form_needs(edge: Gateway) -> None:
    program = (await edge.http.get("/v1/programs/letter")).json()

    schema = program["input_schema"]["properties"]
    assert schema["tone"]["enum"] == ["plain", "warm", "formal"]
    assert schema["words"] == {"type": "integer", "minimum": 10, "description": "about how many"}
    assert isinstance(program["example_inputs"]["words"], int)
    assert [field["name"] for field in program["inputs"] if field["required"]] == [
        "topic",
        "tone",
        "words",
        "points",
    ]


async def test_a_program_nobody_hosts_is_not_found_and_the_others_are_named(edge: Gateway) -> None:
    answer = await edge.http.get("/v1/programs/composr")

    assert answer.status_code == 404
    assert answer.json()["reason"] == "PROGRAM_NOT_FOUND"
    assert "composer" in answer.json()["message"]


async def test_the_server_tells_its_version_and_limits(edge: Gateway) -> None:
    server = (await edge.http.get("/v1/server")).json()

    assert server["version"]
    assert server["limits"]["heartbeat_interval"] == 15
    assert server["limits"]["max_input_bytes"] == 768 * 1024


async def test_predict_gives_the_outputs_and_what_they_took(edge: Gateway, lm: Faucet) -> None:
    lm.open()
    answer = await edge.http.post(
        "/v1/programs/composer/predict", json=INPUTS, params={"run_id": "mine"}
    )

    body = answer.json()
    assert body["run_id"] == "mine"
    assert body["data"] == {"reasoning": REASONING["answer"], "answer": ANSWER}
    assert body["usage"]["models"].keys() == {"faucet"}
    assert body["elapsed"] > 0


async def test_predicting_again_under_the_same_name_runs_nothing_anew(
    edge: Gateway, lm: Faucet
) -> None:
    lm.open()
    path, name = "/v1/programs/composer/predict", {"run_id": "mine"}
    first = await edge.http.post(path, json=INPUTS, params=name)
    second = await edge.http.post(path, json=INPUTS, params=name)
    other = await edge.http.post(path, json={"question": "another"}, params=name)

    assert first.json() == second.json()
    assert (other.status_code, other.json()["reason"]) == (409, "RUN_ID_REUSED")


async def test_who_leaves_a_predict_lets_it_linger(edge: Gateway, lm: Faucet) -> None:
    asking = asyncio.ensure_future(
        edge.http.post("/v1/programs/composer/predict", json=INPUTS, params={"run_id": "mine"})
    )
    await asyncio.wait_for(lm.waiting.wait(), BOUND)
    asking.cancel()
    await edge.left_alone("mine")

    assert (await edge.http.get("/v1/runs/mine")).json()["state"] == "running"
    lm.open()
    again = await edge.http.post(
        "/v1/programs/composer/predict", json=INPUTS, params={"run_id": "mine"}
    )
    assert again.json()["data"]["answer"] == ANSWER


async def test_a_failed_predict_says_why_and_when_to_try_again() -> None:
    limited = LMRateLimitError("the provider asks to slow down", model="m", retry_after=7.0)
    lm = Faucet({**COMPOSER, "answer": limited})
    lm.open()

    async with hosted(lm, composer) as address, gateway(address) as edge:
        answer = await edge.http.post("/v1/programs/composer/predict", json=INPUTS)

    assert answer.status_code == 429
    assert answer.json()["reason"] == "LM_RATE_LIMITED"
    assert answer.json()["run_state"] == "failed"
    assert answer.json()["metadata"]["model"] == "m"
    assert (answer.json()["retry_delay"], answer.headers["retry-after"]) == (7.0, "7")


async def test_a_run_s_record_tells_how_it_stands(edge: Gateway, lm: Faucet) -> None:
    lm.open()
    await edge.http.post(
        "/v1/programs/composer/predict", json=INPUTS, params={"run_id": "mine", "labels": "a=b"}
    )
    record = (await edge.http.get("/v1/runs/mine")).json()

    assert record["state"] == "succeeded"
    assert record["labels"] == {"a": "b"}
    assert record["prediction"]["data"]["answer"] == ANSWER
    assert record["create_time"] < record["end_time"] < record["expire_time"]


async def test_stopping_an_ended_run_changes_nothing(edge: Gateway, lm: Faucet) -> None:
    lm.open()
    await edge.http.post("/v1/programs/composer/predict", json=INPUTS, params={"run_id": "mine"})
    stopped = await edge.http.post("/v1/runs/mine/cancel")

    assert (stopped.status_code, stopped.json()["state"]) == (200, "succeeded")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/runs/nobodys"),
        ("DELETE", "/v1/runs/nobodys"),
        ("GET", "/v1/runs/nobodys/events"),
    ],
)
async def test_a_run_nobody_knows_is_not_found(edge: Gateway, method: str, path: str) -> None:
    answer = await edge.http.request(method, path)

    assert (answer.status_code, answer.json()["reason"]) == (404, "RUN_NOT_FOUND")


PREDICT = "/v1/programs/composer/predict"
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("path", "request_", "status", "reason"),
    [
        (PREDICT, {"content": b"{", "headers": JSON}, 400, "REQUEST_INVALID"),
        (PREDICT, {"content": b"[1]", "headers": JSON}, 400, "REQUEST_INVALID"),
        (PREDICT, {"content": b'{"a": NaN}', "headers": JSON}, 400, "REQUEST_INVALID"),
        (PREDICT, {"content": b'{"a": "\\ud800"}', "headers": JSON}, 400, "REQUEST_INVALID"),
        (PREDICT, {"content": b'{"a":' * 100_000, "headers": JSON}, 400, "REQUEST_INVALID"),
        (PREDICT, {"content": b"9" * 5_000, "headers": JSON}, 400, "REQUEST_INVALID"),
        (PREDICT, {"content": b"\xff", "headers": JSON}, 400, "REQUEST_INVALID"),
        (PREDICT, {"content": b" " * (2**20 + 1), "headers": JSON}, 413, "BODY_TOO_LARGE"),
        (PREDICT, {"data": {"question": "why?"}}, 415, "BODY_NOT_JSON"),
        (
            PREDICT,
            {"content": BOMB, "headers": JSON | {"content-encoding": "gzip"}},
            415,
            "BODY_COMPRESSED",
        ),
        (
            PREDICT,
            {"content": b"{}", "headers": JSON | {"content-encoding": "br"}},
            415,
            "BODY_COMPRESSED",
        ),
        (
            PREDICT,
            {"content": b"{", "headers": JSON | {"content-encoding": "identity"}},
            400,
            "REQUEST_INVALID",
        ),
        (PREDICT + "?lingr=3", {"json": INPUTS}, 400, "REQUEST_INVALID"),
        (PREDICT + "?linger=soon", {"json": INPUTS}, 400, "REQUEST_INVALID"),
        (PREDICT + "?timeout=nan", {"json": INPUTS}, 400, "REQUEST_INVALID"),
        (PREDICT + "?timeout=1e300", {"json": INPUTS}, 400, "REQUEST_INVALID"),
        (PREDICT + "?labels=team", {"json": INPUTS}, 400, "REQUEST_INVALID"),
        (PREDICT + "?token_detail=none", {"json": INPUTS}, 400, "REQUEST_INVALID"),
        ("/v1/runs/mine/cancel", {"json": {"reson": "x"}}, 400, "REQUEST_INVALID"),
        ("/v1/runs/mine/cancel", {"json": {"reason": 1}}, 400, "REQUEST_INVALID"),
        ("/v1/runs/mine/inputs/x", {"json": {}}, 400, "REQUEST_INVALID"),
        (
            "/v1/runs/mine/inputs/x",
            {"json": {"answer": 1, "decline": True}},
            400,
            "REQUEST_INVALID",
        ),
        ("/v1/runs/mine/inputs/x", {"json": {"decline": False}}, 400, "REQUEST_INVALID"),
        ("/v1/runs/mine/inputs/x", {"json": {"anser": 1}}, 400, "REQUEST_INVALID"),
        ("/v1/runs/mine/inputs/x", {"json": {"answer": 1}}, 404, "RUN_NOT_FOUND"),
        ("/v1/programs", {}, 405, "METHOD_UNKNOWN"),
        ("/v2/programs", {}, 405, "METHOD_UNKNOWN"),
    ],
)
async def test_a_malformed_request_is_refused_by_name(
    edge: Gateway, path: str, request_: dict[str, Any], status: int, reason: str
) -> None:
    answer = await edge.http.post(path, **request_)

    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_a_body_without_length_is_cut_off_at_the_limit(edge: Gateway) -> None:
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"

    assert await answer_to(edge, CHUNKED + chunk * 17) == (413, "BODY_TOO_LARGE")


async def test_a_body_that_does_not_come_is_not_waited_for(server: str) -> None:
    async with gateway(server, body_timeout=0.05) as edge:
        assert await answer_to(edge, CHUNKED + b"1\r\n{\r\n") == (408, "BODY_TOO_SLOW")


CHUNKED = (
    f"POST {PREDICT} HTTP/1.1\r\nhost: localhost\r\n"
    "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
).encode()


async def answer_to(edge: Gateway, sent: bytes) -> tuple[int, str]:
    """The status and reason that come back while the request is still being sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(edge.url.rpartition(":")[2]))

    try:
        writer.write(sent)

        async with asyncio.timeout(BOUND):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length: ")[2].split()[0])
            body = json.loads(await reader.readexactly(length))
    finally:
        writer.close()
        await writer.wait_closed()

    return int(head.split()[1]), body["reason"]


async def test_what_is_wrong_with_which_input_is_told_by_its_path(edge: Gateway) -> None:
    inputs = {"topic": "t", "tone": "loud", "words": 3, "points": "one"}
    answer = await edge.http.post("/v1/programs/letter/predict", json=inputs)

    fields = [violation["field"] for violation in answer.json()["violations"]]
    assert answer.status_code == 422
    assert fields == ["inputs.tone", "inputs.words", "inputs.points"]


async def test_a_method_that_is_none_says_which_there_are(edge: Gateway) -> None:
    answer = await edge.http.get(PREDICT)

    assert (answer.status_code, answer.json()["reason"]) == (405, "METHOD_UNKNOWN")
    assert answer.headers["allow"] == "POST"


async def test_a_path_that_is_nothing_says_where_to_look(edge: Gateway) -> None:
    answer = await edge.http.get("/v1/program")

    assert (answer.status_code, answer.json()["reason"]) == (404, "PATH_UNKNOWN")
    assert "/openapi.json" in answer.json()["message"]


async def test_asking_for_the_head_of_a_stream_does_not_stream(edge: Gateway, lm: Faucet) -> None:
    lm.let(10)

    async with edge.stream("composer", INPUTS, run_id="mine"):
        head = await edge.http.head("/v1/runs/mine/events")

    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")


async def test_big_integers_stay_exact() -> None:
    exact = Faucet({"twice": {"twice": "18014398509481986"}})
    exact.open()
    program = Program(Predict("number: int -> twice: int"), name="doubler")

    async with hosted(exact, program) as address, gateway(address) as edge:
        answer = await edge.http.post(
            "/v1/programs/doubler/predict", json={"number": 9007199254740993}
        )

    assert '"twice":18014398509481986' in answer.text
