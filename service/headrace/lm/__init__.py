"""Language models: messages in, text deltas out."""

from headrace.lm.base import BaseLM, Choice, Completion, Delta, Message, Receive, Request, ignore
from headrace.lm.cache.answers import cache_scope, configure_cache, set_cache_scope
from headrace.lm.engines import preload
from headrace.lm.history import configure_history, inspect_history
from headrace.lm.lm import LM

__all__ = [
    "LM",
    "BaseLM",
    "Choice",
    "Completion",
    "Delta",
    "Message",
    "Receive",
    "Request",
    "cache_scope",
    "configure_cache",
    "configure_history",
    "ignore",
    "inspect_history",
    "preload",
    "set_cache_scope",
]
