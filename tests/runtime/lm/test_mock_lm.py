"""The mock provider: it answers what is asked, breaks as named, and knows when its peer left."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner
from headrace_mock import MockLM, Reply
from headrace_mock.canned import answer_to
from headrace_mock.command import mock_lm
from headrace_mock.faults import FAULTS, described

PAGE = Path(__file__).parents[3] / "docs/mock-lm.md"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def asking(prompt: str, **fields: Any) -> dict[str, Any]:
    return {"model": "any", "messages": [{"role": "user", "content": prompt}], **fields}


async def events_of(
    http: aiohttp.ClientSession, mock: MockLM, body: Mapping[str, Any]
) -> list[Any]:
    async with http.post(f"{mock.base_url}/chat/completions", json={**body, "stream": True}) as got:
        lines = (await got.text()).split("\n\n")

    return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


async def test_a_script_is_streamed_chunk_by_chunk(http: aiohttp.ClientSession) -> None:
    async with MockLM({"mine": ["Hel", "lo"]}) as mock:
        events = await events_of(http, mock, asking("hi", model="mine"))

    assert [event["choices"][0]["delta"] for event in events] == [
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


async def test_a_script_may_be_a_function_of_the_request(http: aiohttp.ClientSession) -> None:
    async with MockLM({"echo": lambda body: [body["messages"][0]["content"]]}) as mock:
        url = f"{mock.base_url}/chat/completions"

        async with http.post(url, json=asking("say it", model="echo")) as got:
            answer = await got.json()

    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "say it"}
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}


async def test_every_completion_asked_for_is_streamed(http: aiohttp.ClientSession) -> None:
    async with MockLM({"mine": ["a", "b"]}) as mock:
        events = await events_of(http, mock, asking("hi", model="mine", n=2))

    said = [(event["choices"][0]["index"], event["choices"][0]["delta"]) for event in events]
    assert said[:4] == [(0, {"content": "a"}), (1, {"content": "a"}), (0, {"content": "b"}), (1, {"content": "b"})]  # fmt: skip


def test_a_chat_prompt_is_answered_in_its_markers() -> None:
    answer = answer_to(
        asking(
            "2. `score` (int): how sure\n\n[[ ## question ## ]]\nwhy?\n\nRespond with the fields, "
            "starting with `[[ ## answer ## ]]`, then `[[ ## score ## ]]`, and then ending with the "
            "marker for `[[ ## completed ## ]]`."
        )
    )

    sections = answer.split("\n\n")
    assert [section.splitlines()[0] for section in sections] == [
        "[[ ## answer ## ]]",
        "[[ ## score ## ]]",
        "[[ ## completed ## ]]",
    ]
    assert "canned" in sections[0]
    assert "“why?”" in sections[0]
    assert sections[1].endswith("\n7")


def test_a_json_prompt_is_answered_with_an_object() -> None:
    answer = json.loads(answer_to(asking("Respond with a JSON object of `answer`, then `ok`.")))

    assert list(answer) == ["answer", "ok"]


def test_an_xml_prompt_is_answered_in_tags() -> None:
    answer = answer_to(asking("Respond with the fields in tags: `<answer>`."))

    assert answer.startswith("<answer>\n")
    assert answer.endswith("\n</answer>")


def test_a_response_schema_is_filled() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"enum": ["finish", "search"]},
            "points": {"type": "array", "items": {"$ref": "#/$defs/Point"}},
        },
        "$defs": {"Point": {"type": "object", "properties": {"x": {"type": "integer"}}}},
    }
    body = asking("fill", response_format={"json_schema": {"schema": schema}})

    assert json.loads(answer_to(body)) == {"name": "finish", "points": [{"x": 7}]}


async def test_it_records_when_its_peer_left(http: aiohttp.ClientSession) -> None:
    async with MockLM() as mock:
        body = asking("hi", model="fault-hang-mid-stream", stream=True)
        response = await http.post(f"{mock.base_url}/chat/completions", json=body)
        await response.content.readany()
        [request] = await mock.received(1)
        assert not request.over.is_set()

        response.close()
        await asyncio.wait_for(request.over.wait(), 5)

        assert request.left is not None
        assert request.answered is None


async def test_secrets_are_masked_in_its_records(http: aiohttp.ClientSession) -> None:
    async with MockLM() as mock:
        headers = {"authorization": "Bearer sk-secret-1234"}
        await http.post(f"{mock.base_url}/chat/completions", json=asking("hi"), headers=headers)

        assert mock.requests[0].headers["authorization"] == "…1234"


async def test_a_status_may_fail_once_and_then_answer(http: aiohttp.ClientSession) -> None:
    async with MockLM() as mock:
        url = f"{mock.base_url}/chat/completions"
        body = asking("hi", model="fault-status-503-once-retry-after-1.5")
        first = await http.post(url, json=body)
        second = await http.post(url, json=body)

    assert (first.status, first.headers["retry-after"], second.status) == (503, "1.5", 200)


async def test_a_mistyped_fault_is_a_404(http: aiohttp.ClientSession) -> None:
    async with MockLM() as mock:
        url = f"{mock.base_url}/chat/completions"
        response = await http.post(url, json=asking("hi", model="fault-hang-befor-headers"))

        assert response.status == 404
        assert "fault-hang-before-headers" in await response.text()


async def test_a_model_may_do_as_it_likes(http: aiohttp.ClientSession) -> None:
    async def teapot(reply: Reply) -> None:
        await reply.error(418, "short and stout", x_odd="yes")

    async with MockLM({"teapot": teapot}) as mock:
        url = f"{mock.base_url}/chat/completions"
        response = await http.post(url, json=asking("hi", model="teapot"))

    assert (response.status, response.headers["x-odd"]) == (418, "yes")


@pytest.mark.parametrize("opens", [False, True])
async def test_a_model_that_raises_leaves_nobody_waiting(
    http: aiohttp.ClientSession, opens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(reply: Reply) -> None:
        if opens:
            await reply.open()

        raise KeyError("oops")

    async with MockLM({"broken": broken}) as mock:
        url = f"{mock.base_url}/chat/completions"

        if opens:
            response = await http.post(url, json=asking("hi", model="broken"))

            with pytest.raises(aiohttp.ClientError):
                await response.read()
        else:
            response = await http.post(url, json=asking("hi", model="broken"))
            assert "mock-lm failed: KeyError: 'oops'." in await response.text()

    assert [record.getMessage() for record in caplog.records] == [
        "the answer to a request for broken failed"
    ]


def test_the_command_lists_every_fault() -> None:
    listing = CliRunner().invoke(mock_lm, ["--list"]).output

    assert [name for name in FAULTS if f"{name}\n" not in listing] == []


def test_the_command_refuses_an_address_it_cannot_read() -> None:
    result = CliRunner().invoke(mock_lm, ["--listen", "nowhere"])

    assert result.exit_code == 2
    assert "HOST:PORT" in result.output


def test_the_page_describes_every_fault() -> None:
    page = PAGE.read_text()

    assert [name for name, said in described() if f"| `{name}` | {said} |" not in page] == []
