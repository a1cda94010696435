"""litellm's catalog of models: what a model can do, which options it takes, what a call to it costs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from headrace.errors import LMNotConfiguredError, LMUnsupportedError
from headrace.events import Usage, count_of, price_of
from headrace.lm.engines import Access, Provider
from headrace.lm.layers import per_model
from headrace.lm.litellm import loading
from headrace.lm.litellm.providers import find_provider, model_facts, parameters
from headrace.lm.loose_json import mapping

MAX_COUNT = 2**31 - 1
"""Tokens of one call, at most: more is no count, and would bury those of other calls."""
CACHE_WRITES = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
"""Names of what a provider wrote to its prompt cache, among the details; the last, Anthropic's, stands
beside them too."""


@lru_cache(maxsize=1024)
def supports(access: Access, feature: str) -> bool:
    """True for a feature of the model's; False for models and features litellm does not know."""
    litellm = loading.litellm()
    found = find_provider(access)
    model, provider = found.model, found.name

    match feature:
        case "response_schema":
            return bool(litellm.supports_response_schema(model, custom_llm_provider=provider))
        case "response_format":
            taken = litellm.get_supported_openai_params(model, custom_llm_provider=provider)
            return "response_format" in (taken or ())
        case "reasoning":
            return bool(litellm.supports_reasoning(model, custom_llm_provider=provider))
        case "tools":
            return bool(litellm.supports_function_calling(model, custom_llm_provider=provider))
        case _:
            return False


def takes(access: Access, options: Mapping[str, Any]) -> bool:
    """True where the model takes the options; also for models litellm does not know.

    A model of OpenAI's that somebody else serves is asked under its name at OpenAI too.
    """
    try:
        found = find_provider(access)
        parameters(found.model, found.name, options)
        parameters(found.model.rpartition("/")[2], "openai", options)
    except LMUnsupportedError:
        return False
    except LMNotConfiguredError:
        return True  # the call itself will say so

    return True


def usage_of(provider: Provider, model: str, counts: Mapping[str, Any]) -> Usage:
    """The usage of one call to `model`; `counts` as its provider wrote them."""
    prompt = mapping(counts.get("prompt_tokens_details"))
    completion = mapping(counts.get("completion_tokens_details"))
    cached = prompt.get("cached_tokens") or counts.get("prompt_cache_hit_tokens")
    usage = Usage(
        input_tokens=_count(counts.get("prompt_tokens")),
        output_tokens=_count(counts.get("completion_tokens")),
        cached_input_tokens=_count(cached),
        cache_write_tokens=_first_count(
            *(prompt.get(name) for name in CACHE_WRITES), counts.get(CACHE_WRITES[-1])
        ),
        reasoning_tokens=_count(completion.get("reasoning_tokens")),
        lm_calls=1,
    )

    return per_model(model, usage, cost=_cost(provider, usage, counts.get("cost")))


def _cost(provider: Provider, usage: Usage, billed: object) -> float | None:
    """The price that the provider billed, else an estimate; None when no price is known."""
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
            cache_creation_input_tokens=usage.cache_write_tokens,
        )

        return price_of(prompt + completion)
    except Exception:  # noqa: BLE001 - litellm raises many kinds, and an answer is worth more than its price
        return None


@lru_cache(maxsize=1024)
def _has_price(provider: str, model: str) -> bool:
    facts = model_facts(model, provider)

    return bool(facts.get("input_cost_per_token") or facts.get("output_cost_per_token"))


def _first_count(*values: object) -> int:
    """The first of the values that is above 0 as tokens of one call; 0 for none."""
    return next((count for value in values if (count := _count(value))), 0)


def _count(value: object) -> int:
    """The value as tokens of one call; what is no such count counts as 0."""
    count = count_of(value)

    return count if count <= MAX_COUNT else 0
