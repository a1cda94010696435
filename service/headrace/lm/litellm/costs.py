"""What a call cost: the provider's counts in our words, priced by litellm's tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from headrace.events import Usage, count_of, price_of
from headrace.lm.litellm import loading
from headrace.lm.litellm.providers import Provider, model_facts
from headrace.lm.loose_json import mapping

MAX_COUNT = 2**31 - 1
"""Tokens of one call, at most: more is no count, and would bury those of other calls."""


def usage_of(provider: Provider, model: str, counts: Mapping[str, Any]) -> Usage:
    """The usage of one call to `model`; `counts` as its provider wrote them."""
    prompt = mapping(counts.get("prompt_tokens_details"))
    completion = mapping(counts.get("completion_tokens_details"))
    cached = prompt.get("cached_tokens") or counts.get("prompt_cache_hit_tokens")
    usage = Usage(
        input_tokens=_count(counts.get("prompt_tokens")),
        output_tokens=_count(counts.get("completion_tokens")),
        cached_input_tokens=_count(cached),
        reasoning_tokens=_count(completion.get("reasoning_tokens")),
        lm_calls=1,
    )

    return per_model(model, usage, cost=_cost(provider, usage, counts.get("cost")))


def per_model(model: str, usage: Usage, cost: float | None = None) -> Usage:
    """The usage as the only one of its model."""
    priced = replace(usage, cost_usd=cost)

    return replace(priced, models={model: priced})


def _cost(provider: Provider, usage: Usage, billed: object) -> float | None:
    """What the provider says it billed, else an estimate; None when no price is known."""
    price = price_of(billed)

    if price is not None:
        return price

    if not usage.input_tokens and not usage.output_tokens:
        return None

    return _estimate(provider, usage) if _has_price(provider.name, provider.model) else None


def _estimate(provider: Provider, usage: Usage) -> float | None:
    try:
        prompt, completion = loading.litellm().cost_per_token(
            model=provider.model,
            custom_llm_provider=provider.name,
            prompt_tokens=usage.input_tokens,
            completion_tokens=usage.output_tokens,
            cache_read_input_tokens=usage.cached_input_tokens,
        )

        return price_of(prompt + completion)
    except Exception:  # noqa: BLE001 - litellm raises many kinds, and an answer is worth more than its price
        return None


@lru_cache(maxsize=1024)
def _has_price(provider: str, model: str) -> bool:
    facts = model_facts(model, provider)

    return bool(facts.get("input_cost_per_token") or facts.get("output_cost_per_token"))


def _count(value: object) -> int:
    """The value as tokens of one call; what is no such count counts as 0."""
    count = count_of(value)

    return count if count <= MAX_COUNT else 0
