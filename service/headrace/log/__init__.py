"""The record of a run: events in order, readers with cursors, and the rule by which tokens merge."""

from headrace.log.merging import Entry, merge
from headrace.log.record import Cursor, RunLog

__all__ = ["Cursor", "Entry", "RunLog", "merge"]
