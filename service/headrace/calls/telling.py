"""Telling: what a program or a tool says of itself while it runs, in its author's own words."""

from __future__ import annotations

from headrace.calls.scope import current_run
from headrace.errors import OutputUnserialisable, UsageError
from headrace.values import json_text, to_jsonable, utf8_size

MAX_NAME = 64
"""Characters of a name."""


def emit(name: str, data: object = None) -> None:
    """Tells whoever follows the current run: records a `CustomEvent` in its order, of the current call.

    name: yours to choose, such as "progress"; 1 to 64 printable characters. data: anything that has a
    JSON form, as outputs have; as JSON text it may take `max_custom_event_bytes`, 64 KiB by default.

    From async and sync code, and from any thread that the call's context was carried to: those of
    headrace carry it. Outside of a run, and once the run is over, nobody listens and nothing happens.
    Raises UsageError for another name, and for data that is too large or has no JSON form; RunTooLarge
    once the run has recorded more than its server allows, which fails it in any case.
    """
    run = current_run()

    if run is None:
        return

    _check_name(name)
    text = _json_text(name, data)
    size = utf8_size(text)

    if size > run.max_custom_event_bytes:
        raise UsageError(
            f"emit({name!r}, data): data takes {size} bytes of JSON, and an event at most "
            f"{run.max_custom_event_bytes}; tell less at a time, or a summary"
        )

    run.tell(name, text)


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise UsageError(
            f"emit(name, data): name is text such as 'progress', not of type {type(name).__name__}"
        )

    if not (0 < len(name) <= MAX_NAME and name.isprintable()):
        raise UsageError(
            f"emit(name, data): name takes 1 to {MAX_NAME} printable characters, without line breaks "
            f"and other control characters; {name[:MAX_NAME]!r} has {len(name)}"
        )


def _json_text(name: str, data: object) -> str:
    try:
        value = to_jsonable(data, "data")
    except OutputUnserialisable as error:
        raise UsageError(
            f"emit({name!r}, data): {error.message}; tell what JSON has, or a model or dataclass of it"
        ) from error

    return json_text(value)
