"""litellm's knowledge of providers: whose model it is, with which key, where, with which parameters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from headrace.errors import LMNotConfiguredError
from headrace.lm.engines import Access, Provider
from headrace.lm.errors import DETAIL_LIMIT, unsupported
from headrace.lm.litellm import loading

DIRECT_PROVIDERS: Mapping[str, str] = {
    "azure": "",
    "cerebras": "",
    "custom_openai": "",
    "deepinfra": "",
    "deepseek": "",
    "fireworks_ai": "",
    "groq": "",
    "hosted_vllm": "",
    "litellm_proxy": "",
    "llamafile": "",
    "lm_studio": "",
    "mistral": "",
    "moonshot": "",
    "nvidia_nim": "",
    "ollama": "http://localhost:11434",
    "ollama_chat": "http://localhost:11434",
    "openai": "https://api.openai.com/v1",
    "openai_like": "",
    "openrouter": "https://openrouter.ai/api/v1",
    "perplexity": "",
    "sambanova": "",
    "together_ai": "",
    "xai": "",
}
"""Providers that speak OpenAI's chat-completions SSE; the base URL where litellm leaves it open."""

BASE_VARIABLES: Mapping[str, Sequence[str]] = {
    "azure": ("AZURE_API_BASE",),
    "ollama": ("OLLAMA_API_BASE",),
    "ollama_chat": ("OLLAMA_API_BASE",),
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "openrouter": ("OPENROUTER_API_BASE",),
}
KEY_VARIABLES: Mapping[str, Sequence[str]] = {
    "azure": ("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
}
"""Variables that litellm reads only while it calls these providers."""

OWN_PARAMETERS = frozenset({"api_version", "extra_headers", "organization"})
"""Options that shape the request's address and headers rather than its body."""


def find_provider(access: Access) -> Provider:
    """The provider of a model, with key and address from the arguments or its usual variables.

    Raises LMNotConfiguredError for a model that names no provider, unless there is an address.
    """
    if _is_known(access):
        model, name, key, base = _resolved(access)
    elif access.api_base is not None:
        model, name, key, base = access.model, "openai", None, None
    else:
        raise LMNotConfiguredError(
            "the model names no known provider; write it as provider/model, such as "
            "openai/gpt-4o-mini, or set api_base",
            model=access.model,
        )

    key = key or access.api_key or _first(KEY_VARIABLES.get(name, ()))
    base = base or access.api_base or _first(BASE_VARIABLES.get(name, ()))
    own = base is not None and (access.api_base is not None or _is_in_environment(base))

    return Provider(name, model, key, base, own)


def _resolved(access: Access) -> tuple[str, str, str | None, str | None]:
    """Model, provider, key and address, of a provider that litellm knows."""
    try:
        found: tuple[str, str, str | None, str | None] = loading.litellm().get_llm_provider(
            access.model, api_base=access.api_base, api_key=access.api_key
        )
    except Exception as error:  # noqa: BLE001 - some log in here, and fail in ways of their own
        raise LMNotConfiguredError(
            "litellm cannot make out how this provider is reached",
            model=access.model,
            detail=str(error)[:DETAIL_LIMIT],
        ) from None

    return found


def _is_known(access: Access) -> bool:
    """True where litellm knows a provider by the model's name, or by the address."""
    known = loading.litellm().litellm_core_utils.get_llm_provider_logic
    by_name = known.inferred_provider(access.model) is not None

    return by_name or (
        access.api_base is not None and known.is_openai_compatible_endpoint(access.api_base)
    )


def address_of(access: Access) -> str | Sequence[str | None]:
    """The address of requests as far as anyone has set it."""
    variables = (name for names in BASE_VARIABLES.values() for name in names)

    return access.api_base or [os.environ.get(name) for name in variables]


def require_key(access: Access, provider: Provider) -> None:
    """Raises LMNotConfiguredError without the key that the provider's own address asks for.

    An address that someone set may need none: it is asked without.
    """
    if provider.api_key or provider.is_own_address:
        return

    missing: list[str] = loading.litellm().validate_environment(access.model)["missing_keys"]
    missing = missing or _empty(f"{provider.name.upper()}_API_KEY")

    if missing and all(name.endswith("_API_KEY") for name in missing):
        raise LMNotConfiguredError(
            f"no key for {provider.name}: set {' or '.join(missing)}, or give LM(api_key=…)",
            model=access.model,
        )


def chat_config(model: str, provider: str) -> Any:
    """litellm's description of how a provider is asked."""
    litellm = loading.litellm()

    return litellm.utils.ProviderConfigManager.get_provider_chat_config(
        model=model, provider=litellm.types.utils.LlmProviders(provider)
    )


def model_facts(model: str, provider: str) -> Mapping[str, Any]:
    """litellm's record of a model: its mode, prices, limits; empty for models it has none of."""
    try:
        facts: Mapping[str, Any] = loading.litellm().get_model_info(
            model, custom_llm_provider=provider
        )
    except Exception:  # noqa: BLE001 - litellm raises a bare Exception for models it does not know
        return {}

    return facts


def parameters(model: str, provider: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the provider takes them. Raises LMUnsupportedError for those it does not."""
    given = {name: value for name, value in options.items() if name not in OWN_PARAMETERS}

    try:
        return _translated(model, provider, given)
    except loading.litellm().exceptions.UnsupportedParamsError as error:
        refused = refused_of(model, provider, given)
        raise unsupported(provider, refused, f"{provider}/{model}", str(error)) from None


def refused_of(model: str, provider: str, options: Mapping[str, Any]) -> Sequence[str]:
    """Those of the options a provider refuses: without one of them it takes the others, or else all."""
    alone = [name for name in options if _takes_all_but(name, model, provider, options)]

    return alone or list(options)


def _takes_all_but(name: str, model: str, provider: str, options: Mapping[str, Any]) -> bool:
    others = {one: value for one, value in options.items() if one != name}

    try:
        _translated(model, provider, others)
    except loading.litellm().exceptions.UnsupportedParamsError:
        return False

    return True


def _translated(model: str, provider: str, options: Mapping[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = loading.litellm().utils.get_optional_params(
        model=model, custom_llm_provider=provider, **deepcopy(dict(options))
    )

    return params


def beyond_openai(options: Mapping[str, Any]) -> set[str]:
    """The options that OpenAI's chat completions do not know."""
    known = loading.litellm().get_supported_openai_params("gpt-4o", custom_llm_provider="openai")

    return set(options) - set(known) - {"stream", "stream_options"} - OWN_PARAMETERS


def _empty(variable: str) -> list[str]:
    """The variable, if it is set to nothing, which litellm takes for a key."""
    return [variable] if os.environ.get(variable) == "" else []


def _is_in_environment(base: str) -> bool:
    addresses = (one.rstrip("/") for one in os.environ.values() if one.startswith("http"))

    return any(base.startswith(address) for address in addresses)


def _first(variables: Sequence[str]) -> str | None:
    values = (os.environ.get(name) for name in variables)

    return next((value for value in values if value), None)
