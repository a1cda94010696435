"""The cache of answers: keys of requests, answers in memory and on disk, and its two layers.

Values are kept as bytes, so what goes in and what comes out are copies. An answer served from here
is marked as cached, cost nothing, and streams nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from headrace.events import LmCall, Usage
from headrace.lm.base import Choice, Completion, Receive, Request
from headrace.lm.cache.disk import DiskCache
from headrace.lm.cache.memory import MemoryCache
from headrace.lm.deadlines import OPTIONS as DEADLINES
from headrace.lm.engines import Access
from headrace.lm.layers import Layer, Records, per_model
from headrace.lm.litellm import address_of

logger = logging.getLogger(__name__)

MEMORY_BYTES = 64 * 1024 * 1024
SHAPELESS = frozenset({"cache", "stream", "stream_options", *DEADLINES})
"""Options that do not shape the answer."""
BY_VALUE = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
DISK_BYTES = 1024 * 1024 * 1024

_scope: ContextVar[str] = ContextVar("headrace_cache_scope", default="")


@contextmanager
def cache_scope(name: str) -> Generator[None, None, None]:
    """Keeps the answers of a `with` block apart from those of other scopes, such as principals."""
    token = _scope.set(name)

    try:
        yield
    finally:
        _scope.reset(token)


def set_cache_scope(name: str) -> None:
    """Puts the rest of the current context into a scope; see `cache_scope`."""
    _scope.set(name)


class AnswerCache:
    """Completions by key, in memory and perhaps on disk."""

    def __init__(
        self, memory: MemoryCache, disk: DiskCache | None = None, *, shared: bool = False
    ) -> None:
        self._memory = memory
        self._disk = disk
        self.shared = shared
        """All scopes see each other's answers."""

    def recall(self, key: str, model: str) -> Completion | None:
        """The answer, if it is in memory."""
        return _decoded(self._memory.get(key), model)

    async def recall_from_disk(self, key: str, model: str) -> Completion | None:
        """The answer, if it is on disk."""
        if self._disk is None:
            return None

        value = await asyncio.to_thread(self._disk.get, key)

        if value is not None:
            self._memory.put(key, value)

        return _decoded(value, model)

    def keep(self, key: str, completion: Completion) -> None:
        """Keeps an answer. The disk is written behind the caller's back."""
        try:
            value = orjson.dumps(
                {"model": completion.model, "choices": [asdict(one) for one in completion.choices]}
            )
        except TypeError:
            logger.debug("an answer that is no JSON is not cached")
            return

        self._memory.put(key, value)

        if self._disk is not None:
            self._disk.put_later(key, value)

    def close(self) -> None:
        """Lets go of the disk."""
        if self._disk is not None:
            self._disk.close()


@dataclass(frozen=True, slots=True)
class FromMemory:
    """The layer that answers from memory."""

    cache: AnswerCache
    key: str
    model: str
    below: Layer

    async def ask(self, request: Request, receive: Receive, records: Records) -> Completion:
        """See Layer.ask."""
        hit = self.cache.recall(self.key, self.model)

        return hit or await self.below.ask(request, receive, records)


@dataclass(frozen=True, slots=True)
class FromDisk:
    """The layer that answers from disk, and keeps what is answered below."""

    cache: AnswerCache
    key: str
    model: str
    below: Layer

    async def ask(self, request: Request, receive: Receive, records: Records) -> Completion:
        """See Layer.ask."""
        if hit := await self.cache.recall_from_disk(self.key, self.model):
            return hit

        completion = await self.below.ask(request, receive, records)
        self.cache.keep(self.key, completion)

        return completion


_cache: AnswerCache | None = AnswerCache(MemoryCache(MEMORY_BYTES))


def configure_cache(
    *,
    enabled: bool = True,
    memory_bytes: int = MEMORY_BYTES,
    disk: str | os.PathLike[str] | None = None,
    disk_bytes: int = DISK_BYTES,
    shared: bool = False,
) -> None:
    """Replaces the process's cache of answers by an empty one; `disk` is a file that outlives it.

    Where it is not enabled, no LM caches or shares requests, whatever its own `cache` says. `shared`:
    scopes see each other's answers.
    """
    global _cache

    if _cache is not None:
        _cache.close()

    on_disk = DiskCache(Path(disk), disk_bytes) if enabled and disk is not None else None
    _cache = AnswerCache(MemoryCache(memory_bytes), on_disk, shared=shared) if enabled else None


def answer_cache() -> AnswerCache | None:
    """The process's cache of answers; None while it is off."""
    return _cache


def key_of(access: Access, request: Request) -> str | None:
    """The same key for requests that ask the same; None for one that cannot be told from others.

    Everything that shapes the answer counts, the address included; keys and streaming do not.
    """
    options = {
        name: value
        for name, value in request.options.items()
        if value is not None and name not in SHAPELESS
    }
    scope = "" if _cache is not None and _cache.shared else _scope.get()
    facts = [scope, access.model, address_of(access), request.messages, options]

    try:
        written = orjson.dumps(facts, option=BY_VALUE, default=_schema)
    except TypeError:
        return None

    return hashlib.sha256(written).hexdigest()


def _schema(value: object) -> Any:
    """A response format given as a class stands for its schema."""
    if isinstance(value, type) and issubclass(value, BaseModel):
        return value.model_json_schema()

    raise TypeError


def _decoded(value: bytes | None, model: str) -> Completion | None:
    if value is None:
        return None

    kept = orjson.loads(value)
    choices = [Choice(**choice) for choice in kept["choices"]]
    lm = LmCall(model, "", choices[0].finish_reason, cached=True, attempt=0)

    return Completion(choices, per_model(model, Usage(cache_hits=1)), kept["model"], lm)
