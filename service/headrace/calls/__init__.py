"""Calls: what happens inside a run, each from its START to its END, and who is told of it."""

from headrace.calls.call import Call, open_call, track_usage
from headrace.calls.callbacks import BaseCallback
from headrace.calls.scope import (
    CallMessages,
    RunScope,
    current_call,
    current_run,
    enter_run,
    told_of,
)

__all__ = [
    "BaseCallback",
    "Call",
    "CallMessages",
    "RunScope",
    "current_call",
    "current_run",
    "enter_run",
    "open_call",
    "told_of",
    "track_usage",
]
