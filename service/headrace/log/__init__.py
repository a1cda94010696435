"""The log of a run: events in order, readers with cursors, and the rule by which tokens merge."""

from headrace.log.memory import RunLog
from headrace.log.merging import merge
from headrace.log.port import Cursor, Entry, EventLog

__all__ = ["Cursor", "Entry", "EventLog", "RunLog", "merge"]
