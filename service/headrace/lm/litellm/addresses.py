"""The address and the headers of a request in OpenAI's dialect."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from headrace.errors import LMNotConfiguredError
from headrace.lm.litellm import loading


def url_of(
    provider: str,
    model: str,
    base: str,
    config: Any,
    params: Mapping[str, Any],
    options: Mapping[str, Any],
) -> str:
    """The URL to post the request to. Raises LMNotConfiguredError for a base that is no URL."""
    if urlsplit(base).scheme not in ("http", "https"):
        raise LMNotConfiguredError(f"api_base must begin with http:// or https://, not {base!r}")

    if provider == "azure":
        return _azure_url(model, base.rstrip("/"), options)

    url: str = config.get_complete_url(
        api_base=base,
        api_key=None,
        model=model,
        optional_params=dict(params),
        litellm_params={},
        stream=True,
    )

    return url


def headers_of(provider: str, key: str | None, options: Mapping[str, Any]) -> dict[str, str]:
    """The request's headers, those of the option `extra_headers` last."""
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}

    if key is not None and provider == "azure":
        headers["api-key"] = key
    elif key is not None:
        headers["Authorization"] = f"Bearer {key}"

    if organization := options.get("organization"):
        headers["OpenAI-Organization"] = organization

    return {**headers, **(options.get("extra_headers") or {})}


def _azure_url(model: str, base: str, options: Mapping[str, Any]) -> str:
    if base.endswith("/chat/completions"):
        return base

    if base.endswith("/v1"):
        return f"{base}/chat/completions"

    version = options.get("api_version") or os.environ.get("AZURE_API_VERSION")
    version = version or loading.litellm().AZURE_DEFAULT_API_VERSION

    return f"{base}/openai/deployments/{model}/chat/completions?api-version={version}"
