"""Inputs of a run: the questions that it asked people, as its log has them.

Whoever wants to know of them reads the log (law 2), for runs that have ended too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from headrace.errors import ServerFault
from headrace.events import InputRequest, InputResolved
from headrace.log import EventLog


class Asked(NamedTuple):
    """A question, and how it ended."""

    request: InputRequest
    resolved: InputResolved | None
    """None while it is open."""


def questions_in(log: EventLog) -> Iterable[Asked]:
    """The questions of a run, oldest first."""
    asked: dict[str, Asked] = {}

    for entry in log.read():
        match entry.event:
            case InputRequest() as request:
                asked[request.input_id] = Asked(request, None)
            case InputResolved() as resolved if resolved.input_id in asked:
                asked[resolved.input_id] = Asked(asked[resolved.input_id].request, resolved)
            case _:
                pass

    return asked.values()


def question_in(log: EventLog, input_id: str) -> Asked | None:
    """One question; None if the run has not asked it."""
    return next((one for one in questions_in(log) if one.request.input_id == input_id), None)


async def end_recorded(log: EventLog, input_id: str) -> None:
    """Waits until the log has how a question ended. Raises ServerFault where the store lost the run."""
    while True:
        last, closed = log.last_sequence, log.closed
        asked = question_in(log, input_id)

        if asked is not None and asked.resolved is not None:
            return

        if closed:
            raise ServerFault

        await log.follow(last, patient=True)
