"""Recording: what a hosted run's log keeps of events.

A log lives for minutes after its run. It must not hold on to what a program held: objects it passed
around, tracebacks with their frames, model text inside errors.
"""

from __future__ import annotations

from dataclasses import replace

from headrace.errors import AdapterParseError, HeadraceError, LMError, RunError
from headrace.events import Event, PredictionEvent, Status
from headrace.values.previews import shown


def without_content(event: Event) -> Event:
    """An event as it is recorded where nobody may see the content of calls."""
    match event:
        case Status(data=None, failure=None):
            return event
        case Status():
            return replace(event, data=None, failure=bare(event.failure))
        case PredictionEvent():
            return replace(event, value=None)
        case _:
            return event


def with_content(event: Event) -> Event:
    """An event as it is recorded where someone may see the content of calls."""
    match event:
        case Status(data=data) if data is not None:
            return replace(event, data=shown(data), failure=bare(event.failure))
        case _:
            return without_content(event)


def bare(error: HeadraceError | None) -> HeadraceError | None:
    """An error with what may be told of it and nothing else: no causes, frames or model text."""
    if error is None:
        return None

    told = _blank(error)
    vars(told).update(vars(error))

    match told:
        case AdapterParseError():
            told.lm_response, told.parsed_result = "", {}
        case LMError():
            told.detail = ""
        case _:
            pass

    return told


def _blank(error: HeadraceError) -> HeadraceError:
    """An error of the same class, without __init__, which differs by class."""
    try:
        return type(error).__new__(type(error), *error.args)
    except Exception:  # noqa: BLE001 - a program's own class may ask for anything
        return RunError("")
