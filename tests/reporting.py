"""How a failed test is reported: always, soon, and with a line number for every frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, cast

import pytest

LONG: Mapping[type, int] = {str: 20_000, bytes: 20_000, list: 1_000, tuple: 1_000}
"""From this length on pytest's own comparison may take minutes, where CI wants it whole."""
SHOWN = 200


def explain_long(op: str, left: Any, right: Any) -> Sequence[str] | None:
    """Where two long values differ first; None for what pytest explains in time itself."""
    if op != "==" or type(left) is not type(right) or type(left) not in LONG:
        return None

    if max(len(left), len(right)) < LONG[type(left)]:
        return None

    shorter = min(len(left), len(right))
    at = next((at for at in range(shorter) if left[at] != right[at]), shorter)

    return [
        f"two long values ({len(left)} and {len(right)}) that differ first at {at}:",
        f"left  {left[at : at + SHOWN]!r:.{SHOWN}}",
        f"right {right[at : at + SHOWN]!r:.{SHOWN}}",
    ]


def with_lines(error: BaseException) -> pytest.ExceptionInfo[BaseException]:
    """The error for a report, with a line number for every frame of it, and of what it came from.

    A time-out strikes wherever the code stands, also at an instruction that has no line; pytest
    takes such a frame for a defect of its own and ends the whole run.
    """
    for one in _chain(error):
        one.__traceback__ = _numbered(one.__traceback__)

    return pytest.ExceptionInfo[BaseException].from_exception(error)


def _numbered(traceback: TracebackType | None) -> TracebackType | None:
    if traceback is None:
        return None

    line = cast("int | None", traceback.tb_lineno)  # typed int, and None where there is no line

    return TracebackType(
        _numbered(traceback.tb_next),
        traceback.tb_frame,
        traceback.tb_lasti,
        traceback.tb_frame.f_code.co_firstlineno if line is None else line,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those it came from or holds."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]

    while rest:
        one = rest.pop()

        if one is not None and id(one) not in seen:
            seen.add(id(one))
            rest += [one.__cause__, one.__context__]
            rest += getattr(one, "exceptions", ())
            yield one
