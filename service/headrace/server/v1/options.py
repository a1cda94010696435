"""What one reader wants, decoded, and the choice of events that follows from it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.errors import FieldViolation, RequestInvalid
from headrace.events import Event, PredictionEvent, Status, Token
from headrace.runs.limits import Limits
from headrace.server.v1.durations import seconds

MAX_MERGE_INTERVAL = 60.0
MIN_HEARTBEAT_INTERVAL = 0.05

PREDICT = ".predict"


def wire_name(address: str) -> str:
    """A module's address as clients know it, without the `.predict` that ChainOfThought adds."""
    return address.removesuffix(PREDICT)


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """StreamOptions, checked. Times in seconds."""

    fields: frozenset[str] = frozenset()
    """Selectors "predictor.field" or "*"; empty = every str field."""
    no_tokens: bool = False
    status_detail: int = pb.STATUS_DETAIL_ALL
    include_data: bool = False
    merge_interval: float = 0.0
    heartbeat_interval: float = 15.0
    """0 = no heartbeats."""
    outputs_json: bool = False


def reader_options(options: pb.StreamOptions, limits: Limits) -> ReaderOptions:
    """Decodes StreamOptions. Raises RequestInvalid."""
    heartbeat = limits.heartbeat_interval

    if options.HasField("heartbeat_interval"):
        asked = seconds(options.heartbeat_interval, "options.heartbeat_interval", 3600.0)
        heartbeat = max(asked, MIN_HEARTBEAT_INTERVAL) if asked else 0.0

    return ReaderOptions(
        fields=frozenset(_selector(field) for field in options.fields),
        no_tokens=options.no_tokens,
        status_detail=options.status_detail,
        include_data=options.include_data,
        merge_interval=seconds(
            options.merge_interval, "options.merge_interval", MAX_MERGE_INTERVAL
        ),
        heartbeat_interval=heartbeat,
        outputs_json=options.outputs_json,
    )


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


def _selector(name: str) -> str:
    predictor, _, field = name.rpartition(".")

    return f"{wire_name(predictor)}.{field}" if predictor else field


class Selection:
    """Which events a reader gets."""

    def __init__(self, options: ReaderOptions) -> None:
        self._options = options
        self._fields: dict[tuple[str, str, bool], bool] = {}

    def __call__(self, event: Event) -> bool:
        """Whether to send an event."""
        match event:
            case Token():
                key = (event.predictor, event.field, event.typed)
                known = self._fields.get(key)

                if known is None:
                    known = self._fields[key] = self._streams(event)

                return known
            case Status():
                return self._speaks(event)
            case PredictionEvent():
                return True

    def _streams(self, token: Token) -> bool:
        wanted = self._options.fields

        if self._options.no_tokens:
            return False

        if not wanted:
            return not token.typed

        return "*" in wanted or f"{wire_name(token.predictor)}.{token.field}" in wanted

    def _speaks(self, status: Status) -> bool:
        match self._options.status_detail:
            case pb.STATUS_DETAIL_NONE:
                return False
            case pb.STATUS_DETAIL_MESSAGES:
                return bool(status.message)
            case _:
                return True
