"""Both engines read the same answers: of the mock, and of the main providers' wire shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from headrace.errors import LMStreamBrokenError
from headrace.events import LmCall
from headrace.lm import LM, Completion, Delta
from headrace_mock import MockLM, Reply
from pydantic import BaseModel
from runtime.lm.ways import ELSEWHERE, WAYS, way_to
from runtime.lm.wire_shapes import SHAPES, Shape

ENGINES = ["direct", "litellm"]
QUESTION = [{"role": "user", "content": "hi"}]
BEYOND_LITELLM = {
    "ollama": "litellm speaks ollama's own dialect, at another path",
    "groq": "litellm estimates the usage that groq sends in a field of its own",
    "mistral": "litellm drops thinking parts and keeps no reasoning",
}


async def answer(lm: LM, **options: Any) -> tuple[Completion, list[Delta]]:
    deltas: list[Delta] = []
    completion = await lm.complete(QUESTION, deltas.append, **options)

    return completion, deltas


def mock_of(shape: Shape) -> MockLM:
    async def play(reply: Reply) -> None:
        await reply.open()
        await reply.send(shape.stream)
        await reply.close_body()

    return MockLM({shape.model.partition("/")[2]: play})


def counts_of(completion: Completion, shape: Shape, engine: str) -> tuple[int, int, int, int]:
    """Tokens, without those litellm estimates where the provider did not count."""
    usage = completion.usage
    reasoning = usage.reasoning_tokens

    if engine == "litellm":
        reasoning = shape.usage[3] if shape.reasoning else reasoning

        if not any(shape.usage):
            return shape.usage

    return usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, reasoning


def cases() -> list[Any]:
    return [
        pytest.param(way, shape, id=f"{way}-{name}")
        for way in WAYS
        for name, shape in SHAPES.items()
        if way != "litellm" or name not in BEYOND_LITELLM
    ]


@pytest.mark.parametrize(("way", "shape"), cases())
async def test_a_providers_stream_is_read_for_what_it_says(
    way: str, shape: Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mock_of(shape) as mock:
        base = mock.base_url.removesuffix("/v1") + shape.base
        lm = LM(
            shape.model,
            **way_to(base, way, monkeypatch),
            api_key="sk-the-key",
            api_version="2024-10-21" if shape.model.startswith("azure") else None,
        )
        completion, deltas = await answer(lm)
        [request] = mock.requests

    [choice] = completion.choices
    assert (choice.text, choice.reasoning) == (shape.text, shape.reasoning)
    assert (choice.tool_calls, choice.finish_reason) == (shape.tool_calls, shape.finish_reason)
    assert request.path.removeprefix(ELSEWHERE) == shape.path
    assert {name: request.headers[name] for name in shape.headers} == shape.headers
    assert counts_of(completion, shape, way) == shape.usage
    assert completion.usage.cache_write_tokens == shape.cache_writes
    assert shape.cost is None or completion.usage.cost_usd == pytest.approx(shape.cost)
    assert "".join(delta.text for delta in deltas) == choice.text
    assert "".join(delta.reasoning for delta in deltas) == choice.reasoning


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_request_says_what_was_asked(engine: Any, mock: MockLM) -> None:
    lm = LM("openai/any", engine=engine, api_base=mock.base_url, api_key="k", max_tokens=50)
    await lm.acall("hi", temperature=0.2, stop=["END"], rollout_id=3, seed=None)

    assert mock.requests[0].body == {
        "model": "any",
        "messages": QUESTION,
        "temperature": 0.2,
        "max_tokens": 50,
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_response_format_may_be_a_model_class(engine: Any, mock: MockLM) -> None:
    class Point(BaseModel):
        x: int

    lm = LM("openai/gpt-4o-mini", engine=engine, api_base=mock.base_url, api_key="k")
    completion = await lm.complete(QUESTION, response_format=Point)

    assert mock.requests[0].body["response_format"]["json_schema"]["name"] == "Point"
    assert completion.text == '{"x": 7}'


@pytest.mark.parametrize("engine", ENGINES)
async def test_text_of_any_script_arrives_as_it_was_sent(engine: Any) -> None:
    text = "naïve 漢字 🎈\U0001f468‍👩‍👧 \u202eعربى\u202c \x00 \u2028 end"

    async with MockLM({"any": [text[:9], text[9:]]}) as mock:
        lm = LM("openai/any", engine=engine, api_base=mock.base_url, api_key="k")
        completion, deltas = await answer(lm)

    assert completion.text == text
    assert [delta.text for delta in deltas] == [text[:9], text[9:]]


@pytest.mark.parametrize("engine", ENGINES)
async def test_several_completions_are_kept_apart(engine: Any) -> None:
    async with MockLM({"any": ["a", "b"]}) as mock:
        lm = LM("openai/any", engine=engine, api_base=mock.base_url, api_key="k")
        completion, deltas = await answer(lm, n=3)

    assert [choice.text for choice in completion.choices] == ["ab", "ab", "ab"]
    assert [
        "".join(delta.text for delta in deltas if delta.choice == index) for index in range(3)
    ] == ["ab", "ab", "ab"]


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_provider_that_does_not_stream_is_asked_not_to(engine: Any) -> None:
    async with MockLM({"any": ["all ", "at once"]}) as mock:
        lm = LM(
            "openai/any",
            engine=engine,
            api_base=mock.base_url,
            api_key="k",
            stream=False,
            stream_options=None,
        )
        completion, deltas = await answer(lm)

    assert {"stream": False, **mock.requests[0].body} == {
        "model": "any",
        "messages": QUESTION,
        "stream": False,
    }
    assert (completion.text, completion.usage.output_tokens) == ("all at once", 2)
    assert deltas == [Delta("all at once")]


@pytest.mark.parametrize("engine", ENGINES)
async def test_log_probabilities_are_kept(engine: Any) -> None:
    token = {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}
    event = {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [token]}}]}

    async def play(reply: Reply) -> None:
        await reply.open()
        await reply.event(event)
        await reply.finish()
        await reply.end()

    async with MockLM({"any": play}) as mock:
        lm = LM("openai/any", engine=engine, api_base=mock.base_url, api_key="k")
        [said] = await lm.acall("hi", logprobs=True)

    assert said == {"text": "a", "logprobs": {"content": [token]}}


ANTHROPIC: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "claude-x", "usage": {"input_tokens": 11, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]  # fmt: skip


async def ask_anthropic(events: list[dict[str, Any]]) -> tuple[Completion, list[Delta]]:
    async def play(reply: Reply) -> None:
        await reply.open()

        for event in events:
            await reply.send(f"event: {event['type']}\n".encode())
            await reply.event(event)

        await reply.close_body()

    async with MockLM({"claude-x": play}) as mock:
        base = mock.base_url.removesuffix("/v1")
        return await answer(LM("anthropic/claude-x", api_base=base, api_key="k"))


async def test_a_provider_with_a_dialect_of_its_own_goes_through_litellm() -> None:
    completion, deltas = await ask_anthropic(ANTHROPIC)

    assert completion.lm is not None
    assert replace(completion.lm, time_to_first_token=None) == LmCall(
        "anthropic/claude-x", "litellm", "stop"
    )
    assert [delta.text for delta in deltas] == ["Hel", "lo"]
    assert (completion.usage.input_tokens, completion.usage.output_tokens) == (11, 4)


async def test_what_anthropic_reads_from_its_cache_and_writes_to_it_is_input() -> None:
    counts = {
        "input_tokens": 11,
        "output_tokens": 1,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 20,
    }
    first, *rest = ANTHROPIC
    started = {**first, "message": {**first["message"], "usage": counts}}
    completion, _ = await ask_anthropic([started, *rest])
    usage = completion.usage

    assert (usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens) == (61, 20, 30)


async def test_a_cut_off_answer_in_another_dialect_is_no_answer() -> None:
    with pytest.raises(LMStreamBrokenError):
        await ask_anthropic(ANTHROPIC[:5])


async def test_an_unknown_name_with_an_address_speaks_openais_dialect(mock: MockLM) -> None:
    completion = await LM("my-own-model", api_base=mock.base_url).complete(QUESTION)

    assert completion.lm is not None
    assert (completion.lm.engine, mock.requests[0].model) == ("direct", "my-own-model")


async def test_messages_are_left_as_they_are(mock: MockLM) -> None:
    parts = [{"type": "image_url", "image_url": "http://x/y.png"}, {"type": "text", "text": "see"}]
    messages = [{"role": "user", "content": parts}]
    before = repr(messages)

    for engine in ENGINES:
        lm = LM("openai/any", engine=engine, api_base=mock.base_url, api_key="k", cache=False)  # type: ignore[arg-type] # a loop over literals
        await lm.complete(messages)

    assert repr(messages) == before


async def test_a_lone_surrogate_in_a_prompt_does_not_break_the_request(mock: MockLM) -> None:
    lm = LM("openai/any", engine="direct", api_base=mock.base_url, api_key="k")

    assert await lm.acall("half a pair: \ud83d")
