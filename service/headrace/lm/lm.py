"""`LM`: any model litellm knows, behind two engines that behave alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self, TypeAlias

import orjson

from headrace.calls import Call, current_call
from headrace.errors import LMUnsupportedError, UsageError
from headrace.lm.asking import Question, Records
from headrace.lm.base import BaseLM, Completion, Receive, Request
from headrace.lm.cache.answers import answer_cache, key_of
from headrace.lm.cache.single_flight import share
from headrace.lm.deadlines import Deadlines
from headrace.lm.litellm import loading
from headrace.lm.litellm.features import supports, takes
from headrace.lm.litellm.providers import Access
from headrace.lm.litellm.routes import Route, find_route
from headrace.lm.recording import Recorder
from headrace.lm.retries import Retries
from headrace.parsing.reasoning import REASONING_TAGS, ReasoningTags

Engine: TypeAlias = Literal["auto", "direct", "litellm"]

STREAMING: Mapping[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
LIMITS: Mapping[str, str] = {
    "connect_timeout": "connect",
    "first_token_timeout": "first_token",
    "idle_timeout": "idle",
    "timeout": "total",
}
"""Options of a call that are deadlines."""
NOT_SENT = frozenset({"cache", "rollout_id", *LIMITS})
OF_THE_LM = frozenset({"api_base", "api_key", "base_url", "engine", "messages", "model"})
"""What a call cannot change."""
BY_VALUE = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
ROUTES = 256
"""Routes an LM keeps, one per set of parameters."""


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
        engine: Engine = "auto",
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
        if engine not in ("auto", "direct", "litellm"):
            raise UsageError(f"engine is 'auto', 'direct' or 'litellm', not {engine!r}")

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
        self.engine: Engine = engine
        self.cache = cache
        self._access = Access(model, api_key, api_base or self.kwargs.pop("base_url", None))
        self._deadlines = Deadlines(connect_timeout, first_token_timeout, idle_timeout, timeout)
        self._retries = Retries(num_retries, retry_delay)
        self._routes: dict[bytes, Route] = {}

    async def generate(self, request: Request, receive: Receive) -> Completion:
        """See BaseLM.generate."""
        if misplaced := OF_THE_LM & request.options.keys():
            raise UsageError(f"{', '.join(sorted(misplaced))} belongs to the LM, not to a call")

        records = Recorder(self._own_call(), self.model)
        key = self._cache_key(request)

        if key is None:
            return await self._ask(request, receive, records)

        return await self._recall_or_share(key, request, receive, records)

    async def check(self) -> None:
        """See BaseLM.check: a model of no known provider, no key for the provider's own address."""
        await loading.opened()
        self._route(self._sent(self.kwargs))

    def supports(self, feature: str) -> bool:
        """See BaseLM.supports. Imports litellm on first use."""
        return supports(self._access, feature)

    async def takes(self, **options: Any) -> bool:
        """See BaseLM.takes."""
        await loading.opened()

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

    async def _recall_or_share(
        self, key: str, request: Request, receive: Receive, records: Recorder
    ) -> Completion:
        cache = answer_cache()

        if cache is None:
            return await self._ask(request, receive, records)

        if hit := cache.recall(key, self.model):
            return hit

        async def work(receive: Receive, records: Records) -> Completion:
            if hit := await cache.recall_from_disk(key, self.model):
                return hit

            completion = await self._ask(request, receive, records)
            cache.keep(key, completion)

            return completion

        return await share(key, work, receive, records)

    async def _ask(self, request: Request, receive: Receive, records: Records) -> Completion:
        await loading.opened()
        route = self._route(self._sent(request.options))
        deadlines = self._deadlines_of(request.options)

        if not route.options.get("stream"):
            deadlines = replace(deadlines, first_token=deadlines.total)  # it comes all at once

        question = Question(
            self.model, route, self._engine_for(route), request.messages, deadlines, self._retries
        )

        return await question.ask(receive, records)

    def _deadlines_of(self, options: Mapping[str, Any]) -> Deadlines:
        changed = {limit: options[name] for name, limit in LIMITS.items() if name in options}

        return replace(self._deadlines, **changed) if changed else self._deadlines

    def _route(self, options: Mapping[str, Any]) -> Route:
        key = orjson.dumps(options, option=BY_VALUE, default=id)  # the route keeps the object alive
        route = self._routes.get(key)

        if route is None:
            if len(self._routes) >= ROUTES:
                self._routes.clear()

            route = self._routes[key] = find_route(self._access, options)

        return route

    def _engine_for(self, route: Route) -> str:
        if self.engine == "direct" and route.obstacle:
            raise LMUnsupportedError(
                f"the direct engine cannot serve this: {route.obstacle}", model=self.model
            )

        return "litellm" if route.obstacle or self.engine == "litellm" else "direct"

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
