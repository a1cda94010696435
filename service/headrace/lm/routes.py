"""Where a model is served and how it is asked: litellm's knowledge, as plain values.

A route is found once per LM and set of parameters; afterwards only the messages change.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from headrace.errors import LMNotConfiguredError
from headrace.lm import door
from headrace.lm.base import Message
from headrace.lm.failures import unsupported

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

OLLAMA = frozenset({"ollama", "ollama_chat"})
"""Asked at the OpenAI-compatible address of an ollama server."""
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
"""What litellm reads only while it calls these providers."""

OWN_PARAMETERS = frozenset({"api_version", "extra_headers", "organization"})
"""Options that shape the request's address and headers rather than its body."""
EMULATED = frozenset({"fake_stream", "json_mode"})
"""litellm's marks for parameters it emulates in code of its own."""


@dataclass(frozen=True, slots=True)
class Access:
    """How an LM was told to reach its provider."""

    model: str
    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """How to ask one model with one set of parameters."""

    provider: str
    model: str
    """As the provider calls it."""
    api_key: str | None = field(default=None, repr=False)
    api_base: str | None = None
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The body without its messages, as the transformation takes it."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What was asked for, in OpenAI's words."""
    proxy: str | None = None
    config: Any = None
    """litellm's description of the provider."""
    obstacle: str = ""
    """Why the direct engine cannot take this route; empty = it can."""

    def body(self, messages: Sequence[Message]) -> dict[str, Any]:
        """The request's body. The messages are left as they are."""
        params = dict(self.params)
        body: dict[str, Any] = self.config.transform_request(
            model=self.model,
            messages=[copied(message) for message in messages],
            optional_params=params,
            litellm_params={},
            headers={},
        )
        body.update(body.pop("extra_body", None) or {})

        return body


def find_route(access: Access, options: Mapping[str, Any]) -> Route:
    """The route for options of one call. Needs litellm; see `door`.

    Raises LMNotConfiguredError without a key that the provider needs, LMUnsupportedError for
    parameters the provider does not take.
    """
    model, provider, key, base = provider_of(access)
    key = key or access.api_key or _first(KEY_VARIABLES.get(provider, ()))
    base = base or access.api_base or _first(BASE_VARIABLES.get(provider, ()))
    _check_key(access, provider, key, base)
    obstacle = _obstacle(model, provider, key, options)
    base = base or DIRECT_PROVIDERS.get(provider)

    if not obstacle and not base:
        obstacle = f"{provider} has no api_base"

    if obstacle or base is None:
        return Route(provider, model, key, base, options=options, obstacle=obstacle)

    return _direct_route(model, provider, key, base, options)


def _direct_route(
    model: str, provider: str, key: str | None, base: str, options: Mapping[str, Any]
) -> Route:
    if provider in OLLAMA:
        base = base.removesuffix("/").removesuffix("/v1") + "/v1"

    dialect = "openai" if provider in OLLAMA else provider
    config = provider_config(model, dialect)
    params = _parameters(model, dialect, options)

    if EMULATED & params.keys():
        obstacle = f"litellm emulates a parameter that {provider} lacks"
        return Route(provider, model, key, base, options=options, obstacle=obstacle)

    url = _url(model, dialect, base, config, params, options)
    headers = _headers(provider, key, options)

    return Route(provider, model, key, base, url, headers, params, options, _proxy(url), config)


def provider_of(access: Access) -> tuple[str, str, str | None, str | None]:
    """The model as its provider calls it, the provider, and the key and base URL litellm finds."""
    litellm = door.litellm()

    try:
        model, provider, key, base = litellm.get_llm_provider(
            access.model, api_base=access.api_base, api_key=access.api_key
        )
    except litellm.exceptions.BadRequestError:
        if access.api_base:
            return access.model, "openai", None, None

        raise LMNotConfiguredError(
            "the model names no known provider; write it as provider/model, such as "
            "openai/gpt-4o-mini, or set api_base",
            model=access.model,
        ) from None

    return model, provider, key, base


def provider_config(model: str, provider: str) -> Any:
    """litellm's description of how a provider is asked."""
    litellm = door.litellm()
    provider_type = litellm.types.utils.LlmProviders(provider)

    return litellm.utils.ProviderConfigManager.get_provider_chat_config(
        model=model, provider=provider_type
    )


def _check_key(access: Access, provider: str, key: str | None, base: str | None) -> None:
    """Refuses a call without the key that the provider's own address asks for.

    An address that was set, by argument or environment, may need none: it is asked without.
    """
    if key or (base and not _is_default(access, base)):
        return

    missing: list[str] = door.litellm().validate_environment(access.model)["missing_keys"]

    if missing and all(name.endswith("_API_KEY") for name in missing):
        raise LMNotConfiguredError(
            f"no key for {provider}: set {' or '.join(missing)}, or give LM(api_key=…)",
            model=access.model,
        )


def _is_default(access: Access, base: str) -> bool:
    """Whether a base URL is what litellm says when nobody set one."""
    return access.api_base is None and base not in os.environ.values()


def _obstacle(model: str, provider: str, key: str | None, options: Mapping[str, Any]) -> str:
    if provider not in DIRECT_PROVIDERS:
        return f"{provider} does not speak OpenAI's chat completions"

    if provider == "azure" and key is None:
        return "azure without api_key takes tokens that litellm fetches"

    if model.startswith("responses/") or _mode(model, provider) == "responses":
        return "the model is served by the responses API"

    if provider in OLLAMA and (own := _foreign_options(options)):
        return f"ollama takes {', '.join(sorted(own))} in its own dialect only"

    return ""


def _mode(model: str, provider: str) -> str:
    try:
        info = door.litellm().get_model_info(model, custom_llm_provider=provider)
    except Exception:  # noqa: BLE001 - litellm raises a bare Exception for models it has no record of
        return ""

    return info.get("mode") or ""


def _foreign_options(options: Mapping[str, Any]) -> set[str]:
    known = door.litellm().get_supported_openai_params("gpt-4o", custom_llm_provider="openai")

    return set(options) - set(known) - {"stream", "stream_options"} - OWN_PARAMETERS


def _parameters(model: str, provider: str, options: Mapping[str, Any]) -> dict[str, Any]:
    litellm = door.litellm()
    given = {name: value for name, value in options.items() if name not in OWN_PARAMETERS}

    try:
        params: dict[str, Any] = litellm.utils.get_optional_params(
            model=model, custom_llm_provider=provider, **deepcopy(given)
        )
    except litellm.exceptions.UnsupportedParamsError as error:
        raise unsupported(provider, given, f"{provider}/{model}", str(error)) from None

    return params


def _url(
    model: str,
    provider: str,
    base: str,
    config: Any,
    params: Mapping[str, Any],
    options: Mapping[str, Any],
) -> str:
    if urlsplit(base).scheme not in ("http", "https"):
        raise LMNotConfiguredError(f"api_base must begin with http:// or https://, not {base!r}")

    if provider == "azure":
        return _azure_url(model, base, options)

    url: str = config.get_complete_url(
        api_base=base,
        api_key=None,
        model=model,
        optional_params=dict(params),
        litellm_params={},
        stream=True,
    )

    return url


def _azure_url(model: str, base: str, options: Mapping[str, Any]) -> str:
    base = base.rstrip("/")

    if base.endswith("/chat/completions"):
        return base

    if base.endswith("/v1"):
        return f"{base}/chat/completions"

    version = options.get("api_version") or os.environ.get("AZURE_API_VERSION")
    version = version or door.litellm().AZURE_DEFAULT_API_VERSION

    return f"{base}/openai/deployments/{model}/chat/completions?api-version={version}"


def _headers(provider: str, key: str | None, options: Mapping[str, Any]) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}

    if key is not None:
        name, value = (
            ("api-key", key) if provider == "azure" else ("Authorization", f"Bearer {key}")
        )
        headers[name] = value

    if organization := options.get("organization"):
        headers["OpenAI-Organization"] = organization

    return {**headers, **(options.get("extra_headers") or {})}


def _proxy(url: str) -> str | None:
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)

    return None if proxy is None or proxy_bypass(parts.netloc) else proxy


def _first(variables: Sequence[str]) -> str | None:
    values = (os.environ.get(name) for name in variables)

    return next((value for value in values if value), None)


def copied(message: Message) -> Message:
    """A copy that litellm may change: it rewrites the parts of a message in place."""
    content = message.get("content")

    return dict(message) if isinstance(content, str) else deepcopy(message)
