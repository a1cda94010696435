"""The tokens of the bench: each carries the moment it was sent, so that lag needs no bookkeeping.

A token is " t" and nine digits: microseconds of the monotonic clock, which all processes of a machine
share, modulo a thousand seconds. Tokens that are not timed carry their number instead, so that a
reader can prove that none is missing.
"""

from __future__ import annotations

import re
import time

CYCLE = 1_000_000_000
"""Microseconds after which stamps begin again."""

_TOKEN = re.compile(r"t(\d{9})")


def token(number: int) -> str:
    """The token of a number or a stamp."""
    return f" t{number % CYCLE:09}"


def now() -> int:
    """The stamp of this moment."""
    return time.monotonic_ns() // 1000 % CYCLE


def numbers(text: str) -> list[int]:
    """The numbers or stamps in a text, in order."""
    return [int(one) for one in _TOKEN.findall(text)]


def lag(stamp: int, moment: int) -> int:
    """Microseconds from a stamp to a moment."""
    return (moment - stamp) % CYCLE
