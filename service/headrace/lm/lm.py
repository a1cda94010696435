"""`LM`: any model litellm knows, behind two engines that behave alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self, get_args

import orjson

from headrace.calls import Call, current_call
from headrace.errors import UsageError
from headrace.lm.attempts import Attempts, Retries
from headrace.lm.base import BaseLM, Completion, Receive, Request
from headrace.lm.cache.answers import FromDisk, FromMemory, answer_cache, key_of
from headrace.lm.cache.single_flight import SingleFlight
from headrace.lm.deadlines import OPTIONS as DEADLINES
from headrace.lm.deadlines import Deadlines
from headrace.lm.engines import Access, Engine, EngineChoice, engine_for
from headrace.lm.layers import CallRecorder, Layer
from headrace.lm.litellm import find_provider, opened, require_key, supports, takes
from headrace.parsing.reasoning import REASONING_TAGS, ReasoningTags

STREAMING: Mapping[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
NOT_SENT = frozenset({"cache", "rollout_id", *DEADLINES})
OF_THE_LM = frozenset({"api_base", "api_key", "base_url", "engine", "messages", "model"})
"""Options that a call cannot change."""
BY_VALUE = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
MOST_ENGINES = 256
"""Engines an LM keeps, one per set of options."""


class LM(BaseLM):
    """A language model by its litellm name, such as "openai/gpt-4o-mini".

    Key and address come from the arguments, or from the provider's usual environment variables.
    `engine` says who speaks to the provider: "direct" reads OpenAI's dialect itself, "litellm"
    speaks all others; "auto" takes direct where it can. Timeouts are seconds: to connect, to the
    first piece of an answer, between pieces, and for the whole call with its retries. Only failures
    before the first piece are tried again, at most `num_retries` times, with `retry_delay` seconds
    before the first. `stream=False` is for providers that do not stream. `reasoning_tags`
    are those of BaseLM. Further options are sent with every request.
    """

    def __init__(
        self,
        model: str,
        *,
        engine: EngineChoice = "auto",
        api_key: str | None = None,
        api_base: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        cache: bool = True,
        num_retries: int = 2,
        retry_delay: float = 0.5,
        connect_timeout: float = 10.0,
        first_token_timeout: float = 60.0,
        idle_timeout: float = 30.0,
        timeout: float = 600.0,
        reasoning_tags: ReasoningTags | None = REASONING_TAGS,
        callbacks: Sequence[Any] = (),
        **options: Any,
    ) -> None:
        if engine not in get_args(EngineChoice):
            raise UsageError(
                f"engine is {' or '.join(map(repr, get_args(EngineChoice)))}, not {engine!r}"
            )

        if options.pop("model_type", "chat") != "chat":
            raise UsageError("LM speaks chat completions; name others openai/responses/<model>")

        super().__init__(
            model,
            callbacks=callbacks,
            reasoning_tags=reasoning_tags,
            temperature=temperature,
            max_tokens=max_tokens,
            **options,
        )
        self.engine: EngineChoice = engine
        self.cache = cache
        self._access = Access(model, api_key, api_base or self.kwargs.pop("base_url", None))
        self._deadlines = Deadlines(connect_timeout, first_token_timeout, idle_timeout, timeout)
        self._retries = Retries(num_retries, retry_delay)
        self._engines: dict[bytes, Engine] = {}

    async def generate(self, request: Request, receive: Receive) -> Completion:
        """See BaseLM.generate."""
        if misplaced := OF_THE_LM & request.options.keys():
            raise UsageError(f"{', '.join(sorted(misplaced))} belongs to the LM, not to a call")

        records = CallRecorder(self._own_call(), self.model)

        return await self._layers(request).ask(request, receive, records)

    def _layers(self, request: Request) -> Layer:
        """The layers that a request passes through, the first of them."""
        deadlines = self._deadlines.of_call(request.options)
        attempts = Attempts(self.model, self._find_engine, deadlines, self._retries)
        cache, key = answer_cache(), self._cache_key(request)

        if cache is None or key is None:
            return attempts

        disk = FromDisk(cache, key, self.model, attempts)

        return FromMemory(cache, key, self.model, SingleFlight(key, disk))

    async def check(self) -> None:
        """See BaseLM.check: a model of no known provider, no key for the provider's own address."""
        await opened()
        self._engine(self._sent(self.kwargs))

    def supports(self, feature: str) -> bool:
        """See BaseLM.supports. Imports litellm on first use."""
        return supports(self._access, feature)

    async def takes(self, **options: Any) -> bool:
        """See BaseLM.takes."""
        await opened()

        return takes(self._access, self._sent({**self.kwargs, **options}))

    def copy(self, **changes: Any) -> Self:
        """The same LM with other arguments."""
        limits, retries = self._deadlines, self._retries
        arguments: dict[str, Any] = {
            "model": self.model,
            "engine": self.engine,
            "api_key": self._access.api_key,
            "api_base": self._access.api_base,
            "cache": self.cache,
            "num_retries": retries.number,
            "retry_delay": retries.delay,
            "connect_timeout": limits.connect,
            "first_token_timeout": limits.first_token,
            "idle_timeout": limits.idle,
            "timeout": limits.total,
            "reasoning_tags": self.reasoning_tags,
            "callbacks": self.callbacks,
            **self.kwargs,
        }

        return type(self)(**{**arguments, **changes})

    async def _find_engine(self, request: Request) -> Engine:
        await opened()

        return self._engine(self._sent(request.options))

    def _engine(self, options: Mapping[str, Any]) -> Engine:
        key = orjson.dumps(
            options, option=BY_VALUE, default=id
        )  # the engine keeps the object alive
        engine = self._engines.get(key)

        if engine is None:
            if len(self._engines) >= MOST_ENGINES:
                self._engines.clear()

            engine = self._engines[key] = self._make_engine(options)

        return engine

    def _make_engine(self, options: Mapping[str, Any]) -> Engine:
        provider = find_provider(self._access)
        require_key(self._access, provider)

        return engine_for(self.engine, provider, options, self.model)

    def _own_call(self) -> Call | None:
        """The LM call this code runs in: absent where `generate` is called by itself."""
        call = current_call()

        return call if call is not None and call.instance is self else None

    def _cache_key(self, request: Request) -> str | None:
        if answer_cache() is None or not request.options.get("cache", self.cache):
            return None

        return key_of(self._access, request)

    @staticmethod
    def _sent(options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in {**STREAMING, **options}.items()
            if value is not None and name not in NOT_SENT
        }
