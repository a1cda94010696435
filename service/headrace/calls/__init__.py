"""The one instrument of calls: whatever runs begins, moves and ends here, and observers are told.

A new observer is a class with `begin`, `update` and `end`, given to the registry or an execution.
"""

from headrace.callbacks import BaseCallback
from headrace.calls.call import Call, CallEnd, Leave, Observer, current_call, failure_of
from headrace.calls.field_writer import FieldWriter
from headrace.calls.observers import UsageTotal, track_usage
from headrace.calls.scope import (
    MAX_CUSTOM_EVENT_BYTES,
    RunScope,
    current_run,
    enter_run,
    open_call,
)
from headrace.calls.statuses import StatusMessageProvider, StatusMessages
from headrace.calls.telling import emit

__all__ = [
    "MAX_CUSTOM_EVENT_BYTES",
    "BaseCallback",
    "Call",
    "CallEnd",
    "FieldWriter",
    "Leave",
    "Observer",
    "RunScope",
    "StatusMessageProvider",
    "StatusMessages",
    "UsageTotal",
    "current_call",
    "current_run",
    "emit",
    "enter_run",
    "failure_of",
    "open_call",
    "track_usage",
]
