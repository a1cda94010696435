"""Who may call: names, origins, tokens."""

from __future__ import annotations

from typing import Any

import pytest
from gateway.faucet import Faucet
from gateway.programs import QUESTION, composer
from gateway.serving import Gateway, gateway, hosted

PREDICT = "/v1/programs/composer/predict"
INPUTS = {"question": QUESTION}


async def reason_of(edge: Gateway, method: str, path: str, **request: Any) -> tuple[int, str]:
    answer = await edge.http.request(method, path, **request)

    return answer.status_code, answer.json().get("reason", "")


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"])
async def test_this_machine_goes_by_its_names(edge: Gateway, host: str) -> None:
    assert await reason_of(edge, "GET", "/v1/programs", headers={"host": host}) == (200, "")


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil", "[::", ""]
)
async def test_a_name_that_was_rebound_to_this_machine_is_refused(edge: Gateway, host: str) -> None:
    refused = await reason_of(edge, "GET", "/v1/programs", headers={"host": host})

    assert refused == (421, "HOST_REFUSED")


async def test_a_name_may_be_allowed(server: str) -> None:
    async with gateway(server, origins=("https://app.example",)) as edge:
        headers = {"host": "app.example"}
        assert await reason_of(edge, "GET", "/v1/programs", headers=headers) == (200, "")


async def test_beyond_this_machine_names_are_not_ours_to_know(server: str) -> None:
    async with gateway(server, local=False) as edge:
        headers = {"host": "anything.example"}
        assert await reason_of(edge, "GET", "/v1/programs", headers=headers) == (200, "")


@pytest.mark.parametrize("path", [PREDICT, "/v1/runs/mine/cancel"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://[::"]
)
async def test_pages_from_elsewhere_start_and_stop_nothing(
    edge: Gateway, path: str, origin: str
) -> None:
    refused = await reason_of(edge, "POST", path, json=INPUTS, headers={"origin": origin})

    assert refused == (403, "ORIGIN_REFUSED")


async def test_the_gateway_s_own_page_may_call(edge: Gateway, lm: Faucet) -> None:
    lm.open()

    assert await reason_of(edge, "POST", PREDICT, json=INPUTS, headers={"origin": edge.url}) == (
        200,
        "",
    )


@pytest.mark.parametrize("allowed", ["https://app.example", "*"])
async def test_allowed_pages_may_call_and_read_the_answer(
    server: str, lm: Faucet, allowed: str
) -> None:
    lm.open()

    async with gateway(server, origins=(allowed,)) as edge:
        headers = {"origin": "https://app.example"}
        answer = await edge.http.post(PREDICT, json=INPUTS, headers=headers)
        refused = await edge.http.post(PREDICT, json={}, headers=headers)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == allowed
    assert "headrace-run-id" in answer.headers["access-control-expose-headers"]
    assert refused.headers["access-control-allow-origin"] == allowed


async def test_a_preflight_is_answered(server: str) -> None:
    async with gateway(server, origins=("https://app.example",)) as edge:
        answer = await edge.http.options(
            PREDICT,
            headers={
                "origin": "https://app.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type, authorization, last-event-id",
            },
        )

    assert answer.status_code == 200


async def test_without_allowed_origins_there_is_no_cors(edge: Gateway) -> None:
    answer = await edge.http.get("/v1/programs", headers={"origin": "https://evil.example"})

    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("said", [b"", b"Bearer wrong", b"Basic sesame", b"x", b"Bearer \xe9"])
async def test_a_gateway_with_a_token_wants_it(server: str, said: bytes) -> None:
    async with gateway(server, token="sesame") as edge:
        answer = await edge.http.get("/v1/programs", headers={b"authorization": said})

    assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_gateway_with_a_token_takes_it_and_shows_its_page_to_all(server: str) -> None:
    async with gateway(server, token="sesame") as edge:
        bearer = {"authorization": "Bearer sesame"}
        assert await reason_of(edge, "GET", "/v1/programs", headers=bearer) == (200, "")
        assert (await edge.http.get("/")).status_code == 200
        assert (await edge.http.get("/openapi.json")).status_code == 200


async def test_a_caller_s_token_goes_on_to_the_server(lm: Faucet) -> None:
    async with hosted(lm, composer, tokens="ann=secret") as address, gateway(address) as edge:
        ann = {"authorization": "Bearer secret"}
        bob = {"authorization": "Bearer guess"}

        assert await reason_of(edge, "GET", "/v1/programs", headers=ann) == (200, "")
        assert await reason_of(edge, "GET", "/v1/programs", headers=bob) == (401, "UNAUTHENTICATED")
        bad = {"authorization": b"Bearer \xe9"}
        assert await reason_of(edge, "GET", "/v1/programs", headers=bad) == (401, "UNAUTHENTICATED")
        assert await reason_of(edge, "GET", "/v1/programs") == (401, "UNAUTHENTICATED")


async def test_one_caller_s_runs_are_not_another_s(lm: Faucet) -> None:
    lm.open()

    async with (
        hosted(lm, composer, tokens="ann=a1 bob=b1") as address,
        gateway(address) as edge,
    ):
        ann, bob = ({"authorization": f"Bearer {token}"} for token in ("a1", "b1"))
        named = {"run_id": "mine"}
        await edge.http.post(PREDICT, json=INPUTS, params=named, headers=ann)

        assert await reason_of(edge, "GET", "/v1/runs/mine", headers=ann) == (200, "")
        assert await reason_of(edge, "GET", "/v1/runs/mine", headers=bob) == (404, "RUN_NOT_FOUND")


async def test_the_gateway_s_own_identity_goes_to_the_server_and_callers_tokens_do_not(
    lm: Faucet,
) -> None:
    async with (
        hosted(lm, composer, tokens="edge=inner") as address,
        gateway(address, token="outer", server_token="inner") as edge,
    ):
        outer = {"authorization": "Bearer outer"}
        assert await reason_of(edge, "GET", "/v1/programs", headers=outer) == (200, "")


async def test_a_token_does_not_cross_a_network_in_clear_text() -> None:
    async with gateway("headrace.example:50051") as edge:
        answer = await edge.http.get("/v1/programs", headers={"authorization": "Bearer secret"})

    assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
    assert "not encrypted" in answer.json()["message"]
