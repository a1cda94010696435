"""Streams as the main providers document them, and what they mean.

Written from the providers' public API references: field for field, invented text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True)
class Shape:
    """One provider's stream: its raw lines, and what an LM call should make of them."""

    model: str
    """As LM takes it."""
    path: str
    """Where the request must arrive, after the host."""
    stream: bytes
    text: str = ""
    reasoning: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    finish_reason: str = "stop"
    usage: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Input, output, cached input, reasoning tokens."""
    cache_writes: int = 0
    cost: float | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"authorization": "…-key"})
    """Among those of the request."""
    base: str = "/v1"
    """Path of the api_base."""


def events(*chunks: object, done: bool = True) -> bytes:
    """Server-sent events; bytes stand as they are."""
    lines = [
        chunk if isinstance(chunk, bytes) else b"data: " + orjson.dumps(chunk) + b"\n\n"
        for chunk in chunks
    ]

    return b"".join([*lines, b"data: [DONE]\n\n" if done else b""])


def chunk(delta: object, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk of one choice; `choice` adds to the choice, other fields to the chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason, **fields.pop("choice", {})}

    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "the-model",
        "choices": [choice],
        **fields,
    }


def usage(prompt: int, completion: int, **details: Any) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **details,
    }


def tool_call(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


WEATHER = tool_call("weather", '{"city":"Köln"}')

OPENAI = Shape(
    "openai/gpt-4o-mini",
    "/v1/chat/completions",
    events(
        chunk({"role": "assistant", "content": "", "refusal": None}, obfuscation="x1"),
        chunk({"content": "Hello"}, choice={"logprobs": None}, service_tier="default"),
        chunk({"content": " wörld"}),
        chunk({}, "stop"),
        {
            **chunk({}),
            "choices": [],
            "usage": usage(
                20,
                5,
                prompt_tokens_details={"cached_tokens": 16, "audio_tokens": 0},
                completion_tokens_details={"reasoning_tokens": 2, "audio_tokens": 0},
            ),
        },
    ),
    text="Hello wörld",
    usage=(20, 5, 16, 2),
    cost=4 * 0.15e-6 + 16 * 0.075e-6 + 5 * 0.6e-6,
)

OPENAI_TOOLS = Shape(
    "openai/gpt-4o-mini",
    "/v1/chat/completions",
    events(
        chunk(
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"index": 0, **tool_call("weather", "")}],
            }
        ),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"Köln"}'}}]}),
        chunk({"tool_calls": [{"index": 1, **tool_call("time", "{}", "call_2")}]}),
        chunk({}, "tool_calls"),
    ),
    tool_calls=[WEATHER, tool_call("time", "{}", "call_2")],
    finish_reason="tool_calls",
)

SAFE = {"hate": {"filtered": False, "severity": "safe"}}

AZURE = Shape(
    "azure/my-deployment",
    "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21",
    events(
        {
            **chunk({}),
            "choices": [],
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
        },
        chunk({"role": "assistant", "content": ""}, choice={"content_filter_results": {}}),
        chunk({"content": "Hi"}, choice={"content_filter_results": SAFE}),
        chunk({}, "stop", choice={"content_filter_results": {}}),
        {**chunk({}), "choices": [], "usage": usage(3, 1)},
    ),
    text="Hi",
    usage=(3, 1, 0, 0),
    headers={"api-key": "…-key"},
    base="",
)

OPENROUTER = Shape(
    "openrouter/anthropic/claude-x",
    "/v1/chat/completions",
    events(
        b": OPENROUTER PROCESSING\n\n",
        chunk(
            {
                "role": "assistant",
                "content": "",
                "reasoning": "Let me see. ",
                "reasoning_details": [{"type": "reasoning.text", "text": "Let me see. "}],
            },
            provider="Anthropic",
        ),
        b": OPENROUTER PROCESSING\n\n",
        chunk({"content": "Yes."}, choice={"native_finish_reason": None}),
        chunk({"content": ""}, "stop", choice={"native_finish_reason": "end_turn"}),
        {
            **chunk({"content": ""}),
            "usage": usage(
                9,
                4,
                prompt_tokens_details={"cached_tokens": 2, "cache_write_tokens": 3},
                cost=0.00123,
                cost_details={"upstream_inference_cost": None},
            ),
        },
    ),
    text="Yes.",
    reasoning="Let me see. ",
    usage=(9, 4, 2, 0),
    cache_writes=3,
    cost=0.00123,
)

GROQ = Shape(
    "groq/llama-x",
    "/v1/chat/completions",
    events(
        chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_1"}),
        chunk({"reasoning": "Hm. ", "channel": "analysis"}),
        chunk({"content": "Fast"}),
        chunk({}, "stop", x_groq={"id": "req_1", "usage": {**usage(7, 2), "queue_time": 0.01}}),
    ),
    text="Fast",
    reasoning="Hm. ",
    usage=(7, 2, 0, 0),
)

TOGETHER = Shape(
    "together_ai/meta/llama-x",
    "/v1/chat/completions",
    events(
        chunk(
            {"token_id": 330, "role": "assistant", "content": " A", "tool_calls": None},
            choice={"text": " A", "logprobs": None, "seed": None},
            usage=None,
        ),
        chunk(
            {"token_id": 2, "role": "assistant", "content": "", "tool_calls": None},
            "eos",
            choice={"text": "", "seed": 7},
            usage=usage(5, 2),
        ),
    ),
    text=" A",
    usage=(5, 2, 0, 0),
)

DEEPSEEK = Shape(
    "deepseek/deepseek-x",
    "/v1/chat/completions",
    events(
        b": keep-alive\n\n",
        chunk({"role": "assistant", "content": None, "reasoning_content": ""}),
        chunk({"content": None, "reasoning_content": "Nine is "}),
        chunk({"content": None, "reasoning_content": "less."}),
        chunk({"content": "9.11", "reasoning_content": None}),
        chunk(
            {"content": "", "reasoning_content": None},
            "stop",
            usage=usage(
                12,
                6,
                prompt_cache_hit_tokens=8,
                prompt_cache_miss_tokens=4,
                completion_tokens_details={"reasoning_tokens": 4},
            ),
        ),
    ),
    text="9.11",
    reasoning="Nine is less.",
    usage=(12, 6, 8, 4),
)

MISTRAL = Shape(
    "mistral/magistral-x",
    "/v1/chat/completions",
    events(
        chunk({"role": "assistant", "content": ""}),
        chunk(
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Bien. "}]}]}
        ),
        chunk({"content": [{"type": "text", "text": "Oui"}]}),
        chunk({"content": " !"}),
        chunk({"content": ""}, "stop", usage=usage(4, 3)),
    ),
    text="Oui !",
    reasoning="Bien. ",
    usage=(4, 3, 0, 0),
)

MISTRAL_TOOLS = Shape(
    "mistral/mistral-x",
    "/v1/chat/completions",
    events(
        chunk({"role": "assistant", "content": ""}),
        chunk(
            {"content": "", "tool_calls": [{"index": 0, **WEATHER}]},
            "tool_calls",
            usage=usage(8, 9),
        ),
    ),
    tool_calls=[WEATHER],
    finish_reason="tool_calls",
    usage=(8, 9, 0, 0),
)

FIREWORKS = Shape(
    "fireworks_ai/accounts/fireworks/models/x",
    "/v1/chat/completions",
    events(
        chunk({"role": "assistant"}),
        chunk({"content": "Bright"}),
        chunk({}, "length", usage=usage(2, 1, prompt_tokens_details={"cached_tokens": 1})),
    ),
    text="Bright",
    finish_reason="length",
    usage=(2, 1, 1, 0),
)

VLLM = Shape(
    "hosted_vllm/org/model",
    "/v1/chat/completions",
    events(
        chunk({"role": "assistant", "content": ""}, usage=usage(6, 0)),
        chunk({"reasoning_content": "So: "}, usage=usage(6, 1)),
        chunk({"content": "42"}, choice={"logprobs": None}, usage=usage(6, 2)),
        chunk({"content": ""}, "stop", choice={"stop_reason": None}, usage=usage(6, 3)),
        {**chunk({}), "choices": [], "usage": usage(6, 3)},
    ),
    text="42",
    reasoning="So: ",
    usage=(6, 3, 0, 0),
)

OLLAMA = Shape(
    "ollama_chat/llama-x",
    "/v1/chat/completions",
    events(
        chunk(
            {"role": "assistant", "content": "", "reasoning": "Hm. "},
            system_fingerprint="fp_ollama",
        ),
        chunk({"role": "assistant", "content": "Local"}, system_fingerprint="fp_ollama"),
        chunk({"role": "assistant", "content": ""}, "stop", system_fingerprint="fp_ollama"),
        {**chunk({}), "choices": [], "usage": usage(26, 2)},
    ),
    text="Local",
    reasoning="Hm. ",
    usage=(26, 2, 0, 0),
    base="",
)

SHAPES = {
    "openai": OPENAI,
    "openai tools": OPENAI_TOOLS,
    "azure": AZURE,
    "openrouter": OPENROUTER,
    "groq": GROQ,
    "together": TOGETHER,
    "deepseek": DEEPSEEK,
    "mistral": MISTRAL,
    "mistral tools": MISTRAL_TOOLS,
    "fireworks": FIREWORKS,
    "vllm": VLLM,
    "ollama": OLLAMA,
}
