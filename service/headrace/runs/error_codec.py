"""Codec of errors: a failure as JSON values, and back.

A client learns of a failure by its reason, message, metadata, delay and violations; these come back
whole, whatever class of the program's own it was, and the attributes of our classes with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from headrace import errors
from headrace.errors import FieldViolation, HeadraceError

FACTS: Mapping[type[HeadraceError], Mapping[str, object]] = {
    errors.RequestRefused: {"retry_delay": None},
    errors.RunCancelled: {"by": ""},
    errors.RunTimeout: {"seconds": 0.0},
    errors.InputDeclined: {"explanation": ""},
    errors.AdapterParseError: {"adapter_name": ""},
    errors.LMError: {
        "model": "",
        "status_code": None,
        "retry_after": None,
        "provider_type": "",
        "provider_code": "",
    },
    errors.LMTimeoutError: {"phase": "", "seconds": 0.0},
}
"""Attributes of errors that a row keeps, with what stands for them where it does not tell."""


def failure_members(error: HeadraceError) -> list[Any]:
    """An error as JSON values; a class of the program's own as the class of ours beneath it."""
    kind = next(one for one in type(error).__mro__ if one in _classes().values())
    violations = getattr(error, "violations", ())

    return [
        kind.__name__,
        error.reason,
        error.message,
        {str(name): str(value) for name, value in error.metadata.items()},
        {name: getattr(error, name, blank) for name, blank in _attributes(kind).items()},
        [[one.field, one.description] for one in violations],
    ]


def failure_of(members: list[Any]) -> HeadraceError:
    """The error that was written so. A class that is not known here is made of one of its reason.

    Made without __init__, which differs by class and puts the message in its own words.
    """
    name, reason, message, metadata, facts, violations, *_ = members
    kind = _classes().get(name) or _by_reason().get(reason, HeadraceError)
    error = kind.__new__(kind, message)
    known = _attributes(kind)
    told = {name: value for name, value in facts.items() if name in known}
    vars(error).update({**known, **told}, message=message, metadata=metadata)

    if reason != kind.reason:
        vars(error)["reason"] = reason

    match error:
        case errors.RequestInvalid():
            error.violations = tuple(FieldViolation(*one[:2]) for one in violations)
        case errors.AdapterParseError():
            error.lm_response, error.parsed_result = "", {}
        case errors.LMError():
            error.detail = ""
        case _:
            pass

    return error


def _attributes(kind: type[HeadraceError]) -> Mapping[str, object]:
    return {
        name: value
        for one, attributes in FACTS.items()
        if issubclass(kind, one)
        for name, value in attributes.items()
    }


@cache
def _classes() -> Mapping[str, type[HeadraceError]]:
    """The errors of ours by name, the general before the special."""
    return {
        kind.__name__: kind for kind in _kin(HeadraceError) if kind.__module__ == errors.__name__
    }


@cache
def _by_reason() -> Mapping[str, type[HeadraceError]]:
    """The most general class of each reason, for a name that is not known here."""
    return {kind.reason: kind for kind in reversed([*_classes().values()])}


def _kin(kind: type[HeadraceError]) -> Iterator[type[HeadraceError]]:
    yield kind

    for one in kind.__subclasses__():
        yield from _kin(one)
