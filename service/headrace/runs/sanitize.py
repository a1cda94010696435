"""Sanitized events: all that a hosted run's log keeps.

A log lives for minutes after its run. It must not hold on to what a program held: objects it passed
around, tracebacks with their frames, model text inside errors.
"""

from __future__ import annotations

from dataclasses import replace

from headrace.errors import bare
from headrace.events import Event, InputResolved, Status, Token
from headrace.values.previews import shown


def without_content(event: Event) -> Event:
    """An event as it is recorded where nobody may see the content of calls."""
    return event if isinstance(event, Token) else event.without_content()


def with_content(event: Event) -> Event:
    """An event as it is recorded where someone may see the content of calls."""
    if isinstance(event, Status) and (event.data is not None or event.tool is not None):
        data = None if event.data is None else shown(event.data)

        return replace(event, data=data, failure=bare(event.failure))

    if isinstance(event, InputResolved):
        return event  # its answer is JSON text, and no larger than a request may be

    return without_content(event)
