"""Routes: how requests in OpenAI's dialect, with one set of options, reach a provider.

A route is found once per LM and set of options; afterwards only the messages change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from headrace.lm.base import Message
from headrace.lm.engines import Obstacle, Provider
from headrace.lm.litellm.addresses import headers_of, url_of
from headrace.lm.litellm.providers import (
    DIRECT_PROVIDERS,
    beyond_openai,
    chat_config,
    model_facts,
    parameters,
)

OLLAMA = frozenset({"ollama", "ollama_chat"})
"""Asked at the OpenAI-compatible address of an ollama server."""
EMULATED = frozenset({"fake_stream", "json_mode"})
"""litellm's marks for parameters it emulates in code of its own."""


@dataclass(frozen=True, slots=True)
class Route:
    """The way to ask one model with one set of options; without a URL, by litellm only."""

    provider: Provider
    options: Mapping[str, Any]
    """As they were asked for, in OpenAI's words."""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The options as the provider takes them."""
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


def find_route(provider: Provider, options: Mapping[str, Any]) -> Route:
    """The route to a provider that speaks OpenAI's dialect. Needs litellm; see `loading`.

    Raises Obstacle for one that does not, or not with these options, and LMUnsupportedError for options
    that it does not take.
    """
    _check(provider, options)
    name, model = provider.name, provider.model
    base = provider.api_base or DIRECT_PROVIDERS[name]

    if name in OLLAMA:
        name, base = "openai", base.removesuffix("/").removesuffix("/v1") + "/v1"

    config = chat_config(model, name)
    params = parameters(model, name, options)

    if EMULATED & params.keys():
        raise Obstacle(f"litellm emulates a parameter that {name} lacks")

    return Route(
        provider,
        options,
        url=url_of(name, model, base, config, params, options),
        headers=headers_of(name, provider.api_key, options),
        params=params,
        config=config,
    )


def _check(provider: Provider, options: Mapping[str, Any]) -> None:
    """Raises Obstacle for what can be told without a look at the parameters."""
    name, model = provider.name, provider.model

    if name not in DIRECT_PROVIDERS:
        raise Obstacle(f"{name} does not speak OpenAI's chat completions")

    if name == "azure" and provider.api_key is None:
        raise Obstacle("azure without api_key takes tokens that litellm fetches")

    if model.startswith("responses/") or model_facts(model, name).get("mode") == "responses":
        raise Obstacle("the model is served by the responses API")

    if name in OLLAMA and (beyond := beyond_openai(options)):
        raise Obstacle(f"ollama takes {', '.join(sorted(beyond))} in its own dialect only")

    if not provider.api_base and not DIRECT_PROVIDERS[name]:
        raise Obstacle(f"{name} has no api_base")


def copied(message: Message) -> Message:
    """A copy that litellm may change: it rewrites the parts of a message in place."""
    content = message.get("content")

    return dict(message) if isinstance(content, str) else deepcopy(message)
