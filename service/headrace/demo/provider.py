"""Which model the demo asks: the one in HEADRACE_LM, or a mock that says so."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from headrace_mock import MockLM

PACE = 0.02
"""Seconds between the mock's chunks: about as fast as a model writes."""


class Provider(NamedTuple):
    """A model, and what programs that ask it need in their environment."""

    model: str
    environment: Mapping[str, str]
    said: str
    """What to tell the person who watches."""


@asynccontextmanager
async def provider() -> AsyncGenerator[Provider]:
    """The model to ask, for as long as the block lasts."""
    model = os.environ.get("HEADRACE_LM", "")

    if model:
        yield Provider(model, {}, f"The model is {model}, from HEADRACE_LM.")
        return

    async with MockLM(pace=PACE) as mock:
        yield Provider(
            "openai/mock-lm",
            {"OPENAI_API_BASE": mock.base_url, "OPENAI_API_KEY": "unused"},
            "No model is asked: mock-lm answers with canned prose. "
            "For a real one set HEADRACE_LM, such as openai/gpt-4o-mini, and the provider's key.",
        )
