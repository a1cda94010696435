"""Plain Python values as the wire has them. What has no such form is refused, by the name of its argument."""

from __future__ import annotations

import datetime
import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TypeVar, cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

T = TypeVar("T")


class Misused(TypeError):
    """An option has a value of the wrong kind."""

    def __init__(self, name: str, value: object, wanted: str) -> None:
        super().__init__(f"{name} is an option and wants {wanted}, not {value!r}")
        self.name = name


@contextmanager
def beside_inputs() -> Generator[None, None, None]:
    """For calls whose other keywords are inputs: a misused option is most likely an input of its name."""
    try:
        yield
    except Misused as error:
        raise TypeError(
            f"{error}; an input of that name goes into inputs={{{error.name!r}: ...}}"
        ) from None


def json_text(what: str, value: object) -> str:
    """A value as JSON text, integers exact; TypeError or ValueError say what has no such form."""
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
        written.encode()  # a lone surrogate has no place in JSON that travels
    except TypeError as error:
        raise TypeError(f"{what} has no JSON form: {error}") from None
    except ValueError as error:
        raise ValueError(f"{what} has no JSON form: {error}") from None

    return written


def duration(name: str, seconds: object) -> Duration | None:
    """Seconds; None stays unset."""
    if seconds is None:
        return None

    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise Misused(name, seconds, "a number of seconds")

    length = Duration()

    try:
        length.FromTimedelta(datetime.timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        raise ValueError(f"{name}: {seconds:g} s is no length of time") from None

    return length


def timestamp(name: str, moment: object) -> Timestamp | None:
    """A moment with its time zone; None stays unset."""
    if moment is None:
        return None

    if not isinstance(moment, datetime.datetime):
        raise Misused(name, moment, "a datetime")

    if moment.utcoffset() is None:
        raise ValueError(f"{name}: {moment} names no time zone; give one, as datetime.now(UTC) has")

    stamp = Timestamp()

    try:
        stamp.FromDatetime(moment)
    except (OverflowError, ValueError):
        raise ValueError(f"{name}: {moment} is beyond the calendar") from None

    return stamp


def text(name: str, value: object) -> str:
    """A string; None is the empty one."""
    if value is not None and not isinstance(value, str):
        raise Misused(name, value, "a string")

    return value or ""


def flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise Misused(name, value, "True or False")

    return value


def labels(value: object) -> dict[str, str]:
    """Labels by name; None is none."""
    if value is None:
        return {}

    if not isinstance(value, Mapping):
        raise Misused("labels", value, "a mapping of strings to strings")

    pairs = cast("Mapping[object, object]", value).items()

    return {text("labels", name): text("labels", label) for name, label in pairs}


def listed(name: str, value: object, example: str) -> list[object]:
    """The members of a list or a tuple; a string is neither."""
    if not isinstance(value, list | tuple):
        raise Misused(name, value, f"a list such as {example}")

    return list(cast("Iterable[object]", value))


def chosen(name: str, value: object, choices: Mapping[str, T]) -> T:
    """What one of several names stands for."""
    if not isinstance(value, str) or value not in choices:
        *most, last = [f'"{choice}"' for choice in choices]
        raise Misused(name, value, f"{', '.join(most)} or {last}")

    return choices[value]
