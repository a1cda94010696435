"""Selection: what one reader of a run wants, and which of its events it therefore gets."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from headrace.errors import FieldViolation, RequestInvalid
from headrace.events import Event, Status, Token

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


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """The options of one reader. Times in seconds."""

    after: int = 0
    """The last sequence it already has."""
    fields: frozenset[str] = frozenset()
    """Selectors "predictor.field" or "*"; empty = every str field."""
    no_tokens: bool = False
    status_detail: StatusDetail = StatusDetail.ALL
    include_data: bool = False
    """With the inputs and outputs of calls."""
    merge_interval: float = 0.0
    """Tokens are collected for so long."""
    heartbeat_interval: float = 15.0
    """0 = no heartbeats."""
    outputs_json: bool = False
    """With the outputs as JSON text too."""


class Selection:
    """Chooses the events that a reader gets."""

    __slots__ = ("_options",)

    def __init__(self, options: ReaderOptions) -> None:
        self._options = options

    def __call__(self, event: Event) -> bool:
        """True for an event to send; what is neither text nor a status always is. A field's tokens are
        chosen alike."""
        if isinstance(event, Token):
            return self._streams(event)

        return self._speaks(event) if isinstance(event, Status) else True

    def _streams(self, token: Token) -> bool:
        wanted = self._options.fields

        if self._options.no_tokens:
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
