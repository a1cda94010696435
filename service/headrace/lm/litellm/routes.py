"""Routes: how the messages of one LM, with one set of parameters, reach its provider.

A route is found once per LM and set of parameters; afterwards only the messages change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from headrace.lm.base import Message
from headrace.lm.litellm.addresses import headers_of, proxy_for, url_of
from headrace.lm.litellm.providers import (
    DIRECT_PROVIDERS,
    Access,
    Provider,
    beyond_openai,
    chat_config,
    find_provider,
    model_facts,
    parameters,
    require_key,
)

OLLAMA = frozenset({"ollama", "ollama_chat"})
"""Asked at the OpenAI-compatible address of an ollama server."""
EMULATED = frozenset({"fake_stream", "json_mode"})
"""litellm's marks for parameters it emulates in code of its own."""


@dataclass(frozen=True, slots=True)
class Route:
    """How to ask one model with one set of parameters."""

    provider: Provider
    options: Mapping[str, Any]
    """What was asked for, in OpenAI's words."""
    obstacle: str = ""
    """Why the direct engine cannot take this route; empty = it can."""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The options as the provider takes them."""
    proxy: str | None = None
    config: Any = None
    """litellm's description of the provider."""

    @property
    def count(self) -> int:
        """The completions that are asked for."""
        count = self.options.get("n")

        return count if type(count) is int and count > 1 else 1

    def body(self, messages: Sequence[Message]) -> dict[str, Any]:
        """The request's body. The messages are left as they are."""
        body: dict[str, Any] = self.config.transform_request(
            model=self.provider.model,
            messages=[copied(message) for message in messages],
            optional_params=dict(self.params),
            litellm_params={},
            headers={},
        )
        body.update(body.pop("extra_body", None) or {})

        return body


def find_route(access: Access, options: Mapping[str, Any]) -> Route:
    """The route for the options of one call. Needs litellm; see `loading`.

    Raises LMNotConfiguredError without a key that the provider needs, LMUnsupportedError for
    parameters the provider does not take.
    """
    provider = find_provider(access)
    require_key(access, provider)
    route = Route(provider, options, _obstacle(provider, options))

    return route if route.obstacle else _direct(route)


def _obstacle(provider: Provider, options: Mapping[str, Any]) -> str:
    name, model = provider.name, provider.model

    if name not in DIRECT_PROVIDERS:
        return f"{name} does not speak OpenAI's chat completions"

    if name == "azure" and provider.api_key is None:
        return "azure without api_key takes tokens that litellm fetches"

    if model.startswith("responses/") or model_facts(model, name).get("mode") == "responses":
        return "the model is served by the responses API"

    if name in OLLAMA and (beyond := beyond_openai(options)):
        return f"ollama takes {', '.join(sorted(beyond))} in its own dialect only"

    return "" if provider.api_base or DIRECT_PROVIDERS[name] else f"{name} has no api_base"


def _direct(route: Route) -> Route:
    """The route with all that the direct engine needs."""
    provider, options = route.provider, route.options
    name, model = provider.name, provider.model
    base = provider.api_base or DIRECT_PROVIDERS[name]

    if name in OLLAMA:
        name, base = "openai", base.removesuffix("/").removesuffix("/v1") + "/v1"

    config = chat_config(model, name)
    params = parameters(model, name, options)

    if EMULATED & params.keys():
        return replace(route, obstacle=f"litellm emulates a parameter that {name} lacks")

    url = url_of(name, model, base, config, params, options)

    return replace(
        route,
        url=url,
        headers=headers_of(name, provider.api_key, options),
        params=params,
        proxy=proxy_for(url),
        config=config,
    )


def copied(message: Message) -> Message:
    """A copy that litellm may change: it rewrites the parts of a message in place."""
    content = message.get("content")

    return dict(message) if isinstance(content, str) else deepcopy(message)
