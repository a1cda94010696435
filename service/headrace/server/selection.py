"""Selection: what one reader of a run wants, and which of its events it therefore gets."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from headrace.errors import FieldViolation, RequestInvalid
from headrace.events import (
    CustomEvent,
    Event,
    InputRequest,
    InputResolved,
    PredictionEvent,
    Status,
    Token,
)

PREDICT = ".predict"


def wire_name(address: str) -> str:
    """A module's address as clients know it, without the `.predict` that ChainOfThought adds."""
    return address.removesuffix(PREDICT)


class StatusDetail(enum.IntEnum):
    """The statuses that a reader gets. Numbers equal those of the contract."""

    ALL = 1
    MESSAGES = 2
    """Only those with a message of the program's."""
    NONE = 3


class TokenDetail(enum.IntEnum):
    """The tokens that a reader gets. Numbers equal those of the contract."""

    ALL = 1
    WHOLE = 2
    """Each field once, when it is complete."""
    NONE = 3


class OutputForm(enum.IntEnum):
    """A form of outputs. Numbers equal those of the contract."""

    STRUCT = 1
    JSON = 2
    BOTH = 3
    NONE = 4


class EventKind(enum.IntEnum):
    """Kinds of event that a reader gets only if it accepts them. Numbers equal those of the contract."""

    CUSTOM = 1
    INPUT = 2
    BATCH = 3


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """The options of one reader. Times in seconds."""

    after: int = 0
    """The last sequence it already has."""
    fields: frozenset[str] = frozenset()
    """Selectors "predictor.field" or "*"; empty = every str field."""
    token_detail: TokenDetail = TokenDetail.ALL
    status_detail: StatusDetail = StatusDetail.ALL
    include_data: bool = False
    """With the inputs and outputs of calls."""
    merge_interval: float = 0.0
    """Tokens are collected for so long."""
    heartbeat_interval: float = 15.0
    """0 = no heartbeats."""
    output_form: OutputForm = OutputForm.STRUCT
    accept: frozenset[EventKind] = frozenset()
    """Kinds of event that it wants beyond those that everybody gets."""


class Selection:
    """Chooses the events that a reader gets."""

    __slots__ = ("_options",)

    def __init__(self, options: ReaderOptions) -> None:
        self._options = options

    def __call__(self, event: Event) -> bool:
        """True for an event to send; a field's tokens are chosen alike."""
        match event:
            case Token():
                return self._streams(event)
            case Status():
                return self._speaks(event)
            case CustomEvent():
                return EventKind.CUSTOM in self._options.accept
            case InputRequest() | InputResolved():
                return EventKind.INPUT in self._options.accept
            case PredictionEvent():
                return True
            case _:
                assert_never(event)

    def _streams(self, token: Token) -> bool:
        wanted = self._options.fields

        if self._options.token_detail is TokenDetail.NONE:
            return False

        if not wanted:
            return not token.typed

        return "*" in wanted or f"{wire_name(token.predictor)}.{token.field}" in wanted

    def _speaks(self, status: Status) -> bool:
        detail = self._options.status_detail

        match detail:
            case StatusDetail.ALL:
                return True
            case StatusDetail.MESSAGES:
                return bool(status.message)
            case StatusDetail.NONE:
                return False
            case _:
                assert_never(detail)


def selector(name: str) -> str:
    """A selector as callers write it, with the predictor's address as clients know it."""
    predictor, _, field = name.rpartition(".")

    return f"{wire_name(predictor)}.{field}" if predictor else field


def check_selectors(options: ReaderOptions, streamable: Mapping[str, Iterable[str]]) -> None:
    """Raises RequestInvalid for selectors that name nothing; `streamable` is fields by address."""
    known = {
        f"{wire_name(name)}.{field}" for name, fields in streamable.items() for field in fields
    }
    violations = list(_unknown(options.fields - {"*"} - known, known))

    if violations:
        raise RequestInvalid(violations)


def _unknown(names: Iterable[str], known: Iterable[str]) -> Iterator[FieldViolation]:
    for name in sorted(names)[:10]:
        near = difflib.get_close_matches(name[:200], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"

        yield FieldViolation("options.fields", f"{name[:200]!r} cannot stream; {hint}")
