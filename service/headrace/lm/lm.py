"""`LM`: any model litellm knows, behind two engines that behave alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import orjson

from headrace.context import Call, current_call
from headrace.errors import LMError, LMUnsupportedError, UsageError
from headrace.events import LmCall, Usage
from headrace.lm import door
from headrace.lm.assembly import Assembly
from headrace.lm.base import BaseLM, Completion, Message, Receive, Request
from headrace.lm.costs import per_model, usage_of
from headrace.lm.deadlines import Deadlines, Total
from headrace.lm.retries import Retries
from headrace.lm.routes import Access, Route, find_route

Engine: TypeAlias = Literal["auto", "direct", "litellm"]
Ask: TypeAlias = Callable[[Route, Sequence[Message], Assembly, Deadlines, str], Awaitable[None]]

STREAMING: Mapping[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
NOT_SENT = frozenset({"cache", "rollout_id"})


class LM(BaseLM):
    """A language model by its litellm name, such as "openai/gpt-4o-mini".

    Key and address come from the arguments, or from the provider's usual environment variables.
    `engine` says who speaks to the provider: "direct" reads OpenAI's dialect itself, "litellm"
    speaks all others; "auto" takes direct where it can. Timeouts are seconds: to connect, to the
    first piece of an answer, between pieces, and for the whole call with its retries. `attempts`
    counts the first; only failures before the first piece are tried again. `stream=False` is for
    providers that do not stream. Further options are sent with every request.
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
        attempts: int = 3,
        retry_delay: float = 0.5,
        connect_timeout: float = 10.0,
        first_token_timeout: float = 60.0,
        idle_timeout: float = 30.0,
        timeout: float = 600.0,
        callbacks: Sequence[Any] = (),
        **options: Any,
    ) -> None:
        if engine not in ("auto", "direct", "litellm"):
            raise UsageError(f"engine is 'auto', 'direct' or 'litellm', not {engine!r}")

        super().__init__(
            model, callbacks=callbacks, temperature=temperature, max_tokens=max_tokens, **options
        )
        self.engine: Engine = engine
        self.cache = cache
        self._access = Access(model, api_key, api_base)
        self._deadlines = Deadlines(connect_timeout, first_token_timeout, idle_timeout, timeout)
        self._retries = Retries(attempts, retry_delay)
        self._routes: dict[bytes, Route] = {}

    async def generate(self, request: Request, receive: Receive) -> Completion:
        """See BaseLM.generate."""
        await door.opened()
        options = {**STREAMING, **request.options}
        route = self._route(
            {k: v for k, v in options.items() if v is not None and k not in NOT_SENT}
        )
        call = current_call()

        if call is None or call.instance is not self:
            call = None

        return await self._answer(route, request.messages, receive, call)

    def _route(self, options: Mapping[str, Any]) -> Route:
        key = orjson.dumps(options, option=orjson.OPT_SORT_KEYS, default=repr)
        route = self._routes.get(key)

        if route is None:
            route = self._routes[key] = find_route(self._access, options)

        return route

    async def _answer(
        self, route: Route, messages: Sequence[Message], receive: Receive, call: Call | None
    ) -> Completion:
        """Asks, and asks again where that is right."""
        name = self._engine_for(route)
        ask = _engine(name)
        attempt = 1

        async with Total(self._deadlines.total, self.model) as total:
            while True:
                assembly = Assembly(receive, self.model)
                lm = LmCall(self.model, name, attempt=attempt)

                if call is not None:
                    call.lm = lm
                    call.usage = per_model(self.model, Usage(lm_calls=1))

                try:
                    await ask(route, messages, assembly, self._deadlines, self.model)
                    return self._completion(route, assembly, lm)
                except LMError as error:
                    if assembly.emitted:
                        raise

                    pause = self._retries.pause(attempt, error, total.remaining)

                    if pause is None:
                        raise

                    if call is not None:
                        call.update(failure=error)

                await asyncio.sleep(pause)
                attempt += 1

    def _completion(self, route: Route, assembly: Assembly, lm: LmCall) -> Completion:
        choices = assembly.choices()
        usage = usage_of(route, self.model, assembly.usage)
        lm = replace(lm, finish_reason=choices[0].finish_reason)

        return Completion(choices, usage, assembly.served_by or route.model, lm)

    def _engine_for(self, route: Route) -> str:
        if self.engine == "direct" and route.obstacle:
            raise LMUnsupportedError(
                f"the direct engine cannot serve this: {route.obstacle}", model=self.model
            )

        return "litellm" if route.obstacle or self.engine == "litellm" else "direct"


def _engine(name: str) -> Ask:
    """The engine of that name. Imported when first used: their HTTP libraries take their time."""
    if name == "direct":
        from headrace.lm import direct

        return direct.ask

    from headrace.lm import via_litellm

    return via_litellm.ask
