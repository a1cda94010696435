"""streaming_response: every item as a line of JSON, and how a stream ends."""

from __future__ import annotations

import datetime
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from headrace.errors import LMRateLimitError
from headrace.events import CustomEvent
from headrace.streaming import StatusMessage, StreamResponse, streaming_response
from headrace.values import Prediction
from pydantic import BaseModel


class City(BaseModel):
    name: str
    founded: datetime.date


async def stream_of(*items: Any) -> AsyncGenerator[Any, None]:
    for item in items:
        if isinstance(item, Exception):
            raise item

        yield item


async def lines(*items: Any) -> list[Any]:
    """What each line holds: JSON, or its text where it is none."""
    found: list[Any] = []

    async for line in streaming_response(stream_of(*items)):
        assert line.startswith("data: ")
        assert line.endswith("\n\n")
        text = line.removeprefix("data: ").strip()
        found.append(json.loads(text) if text.startswith("{") else text)

    return found


async def test_each_kind_of_item_has_its_shape() -> None:
    city = City(name="Paris", founded=datetime.date(1, 2, 3))

    assert await lines(
        StatusMessage("Searching...", call_id=2),
        StreamResponse("ask", "answer", "Par", call_id=3),
        StreamResponse("ask", "answer", "is", is_last_chunk=True, call_id=3),
        CustomEvent("progress", 3, '{"done":1}'),
        Prediction(answer="Paris", city=city, tags={"b", "a"}),
    ) == [
        {"type": "status", "message": "Searching..."},
        {"type": "token", "field": "answer", "predictor": "ask", "chunk": "Par", "is_last": False},
        {"type": "token", "field": "answer", "predictor": "ask", "chunk": "is", "is_last": True},
        {"type": "custom", "name": "progress", "data": {"done": 1}},
        {
            "type": "prediction",
            "data": {
                "answer": "Paris",
                "city": {"name": "Paris", "founded": "0001-02-03"},
                "tags": ["a", "b"],
            },
        },
        "[DONE]",
    ]


@pytest.mark.parametrize(
    ("result", "outputs"),
    [({"answer": 1}, {"answer": 1}), ("text", {"result": "text"}), ([1], {"result": [1]})],
)
async def test_a_result_of_any_kind_is_a_prediction(result: object, outputs: object) -> None:
    assert await lines(result) == [{"type": "prediction", "data": outputs}, "[DONE]"]


async def test_integers_of_any_length_are_written_in_digits() -> None:
    assert await lines(CustomEvent("grains", 1, str(2**70)), Prediction(answer=2**70)) == [
        {"type": "custom", "name": "grains", "data": 2**70},
        {"type": "prediction", "data": {"answer": 2**70}},
        "[DONE]",
    ]


async def test_what_is_encoded_already_passes() -> None:
    assert await lines("data: mine\n\n") == ["mine", "[DONE]"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (LMRateLimitError("slow down"), ("LM_RATE_LIMITED", "slow down")),
        (KeyError("secret"), ("PROGRAM_ERROR", "the program raised KeyError")),
    ],
)
async def test_a_failure_is_told_last_and_safely(error: Exception, told: tuple[str, str]) -> None:
    reason, message = told

    assert await lines(StatusMessage("Working"), error) == [
        {"type": "status", "message": "Working"},
        {"type": "error", "reason": reason, "message": message},
    ]


async def test_a_result_without_a_json_form_is_a_failure_that_names_the_place() -> None:
    (line,) = await lines(Prediction(answer=object()))

    assert line["reason"] == "OUTPUT_UNSERIALISABLE"
    assert line["message"].startswith("outputs.answer has no JSON form")


async def test_leaving_the_response_closes_the_stream() -> None:
    stream = stream_of(StatusMessage("one"), StatusMessage("two"))
    response = streaming_response(stream)
    await anext(response)
    await response.aclose()

    assert [item async for item in stream] == []
