"""What code inside a program can see of its surroundings: settings, the current run and call."""

from headrace.context.callbacks import BaseCallback
from headrace.context.calls import Call, open_call, track_usage
from headrace.context.scope import (
    CallMessages,
    RunScope,
    current_call,
    current_run,
    enter_run,
    told_of,
)
from headrace.context.settings import captured_context, configure, context, settings

__all__ = [
    "BaseCallback",
    "Call",
    "CallMessages",
    "RunScope",
    "captured_context",
    "configure",
    "context",
    "current_call",
    "current_run",
    "enter_run",
    "open_call",
    "settings",
    "told_of",
    "track_usage",
]
