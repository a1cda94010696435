"""Language models: messages in, text deltas out. The only rooms that know litellm."""

from headrace.lm.base import BaseLM, Choice, Completion, Delta, Message, Receive, Request, ignore
from headrace.lm.door import preload
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
    "ignore",
    "preload",
]
