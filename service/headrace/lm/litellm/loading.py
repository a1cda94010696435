"""Opens litellm: late, in a thread, without network, and quiet.

It costs seconds to import, so nothing in headrace imports it at module level.

Warnings about litellm's own code are no news for whoever uses headrace, and as errors (python -W error)
they make it lose parameters and mistake providers: while its code runs there are none.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any, cast

LOOK_UPS = re.compile(r"/api/show$|^https://huggingface\.co/")
"""Addresses that litellm asks about models of its own accord, by calls that block the event loop."""

_lock = threading.Lock()


class _AtWork:
    """Matches what happens while code of litellm runs; stands where a filter has its pattern."""

    def match(self, module: str) -> bool:
        """Called for a warning, with the module that it is put down to: litellm's, or one below it."""
        frame = inspect.currentframe()

        while frame is not None:
            if f"{frame.f_globals.get('__name__')}.".startswith("litellm."):
                return True

            frame = frame.f_back

        return False


_QUIET = ("ignore", None, Warning, _AtWork(), 0)


def litellm() -> Any:
    """The litellm module. Blocks for seconds on the first call of a process; see `opened`."""
    _hush()
    module = sys.modules.get("litellm")

    if module is not None and getattr(module, "_headrace_tuned", False):
        return module

    with _lock:
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks the network
        module = importlib.import_module("litellm")
        _tune(module)

    return module


async def opened() -> Any:
    """`litellm()` for coroutines: the first import does not block the loop."""
    _hush()
    module = sys.modules.get("litellm")

    if module is not None and getattr(module, "_headrace_tuned", False):
        return module

    return await asyncio.to_thread(litellm)


def warm_up() -> None:
    """Imports what litellm itself imports late, by an answer that asks nobody."""
    module = litellm()
    importlib.import_module("openai.resources.chat")
    question = [{"role": "user", "content": "ready?"}]

    for _ in module.completion(
        model="openai/preload", messages=question, mock_response="ready", stream=True
    ):
        pass


def _hush() -> None:
    """Puts our filter before the others, where it is not: a program may change them at any time."""
    filters = cast("list[Any]", warnings.filters)

    if not filters or filters[0] is not _QUIET:
        filters[:] = [_QUIET, *(one for one in filters if one is not _QUIET)]


def _tune(module: Any) -> None:
    module.suppress_debug_info = True  # it prints to stdout otherwise
    module.telemetry = False
    module.REPEATED_STREAMING_CHUNK_LIMIT = sys.maxsize  # repetition is not an error
    module.disable_token_counter = True  # it fetches tokenizers, and counts on the event loop
    module.disable_hf_tokenizer_download = True  # for what counts all the same
    client = module.module_level_client

    for name in ("get", "post"):
        setattr(client, name, _without_look_ups(getattr(client, name)))

    module._headrace_tuned = True


def _without_look_ups(ask: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(ask)
    def asked(url: str, *args: Any, **options: Any) -> Any:
        if LOOK_UPS.search(url):
            raise OSError("nobody is asked about models: litellm's tables have to do")

        return ask(url, *args, **options)

    return asked
