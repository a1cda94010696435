"""What a model can do, from litellm's tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from headrace.errors import LMNotConfiguredError, LMUnsupportedError
from headrace.lm.litellm import loading
from headrace.lm.litellm.providers import Access, find_provider, parameters


@lru_cache(maxsize=1024)
def supports(access: Access, feature: str) -> bool:
    """Whether a model has a feature; False for models and features litellm does not know."""
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
    """Whether a model takes the options; True for models litellm does not know.

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
