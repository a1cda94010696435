"""Events of a run, as immutable values: statuses, tokens, what it tells and asks, and one result.

A run's log holds these and nothing else. They know no wire format; the server is the one place that
turns them into messages. Enum numbers equal those of the contract. Each says by `without_content` what a log
may keep that nobody may see the content of; a token is text that was asked for, and stays as it is.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias, cast

from headrace.errors import HeadraceError, bare


class Kind(enum.IntEnum):
    """The kinds of calls."""

    ADAPTER = 0  # a step of an adapter, of which observers are told and no status speaks
    RUN = 1
    MODULE = 2
    LM = 3
    TOOL = 4


class Phase(enum.IntEnum):
    """Phase of a call's life."""

    START = 1
    UPDATE = 2
    END = 3


class Outcome(enum.IntEnum):
    """Outcome of a call that has ended."""

    OK = 1
    ERROR = 2
    CANCELLED = 3
    ABANDONED = 4


class Token(NamedTuple):
    """Text of one output field of one predictor call. Apply as `text = text[:offset] + chunk`.

    A named tuple, because one is made per chunk and this is the cheapest immutable value there is.
    """

    predictor: str
    """Address of the predictor, as in `named_predictors()`."""
    field: str
    chunk: str
    is_last: bool
    """True exactly once per started field; the chunk may then be empty."""
    offset: int
    """Code points of this field before the chunk."""
    call_id: int
    """The predictor call this text belongs to; tells repeated and parallel calls apart."""
    cached: bool = False
    """The whole text at once, from the LM cache."""
    typed: bool = False
    """The field is not a string: the joined chunks are the text its value is parsed from."""


@dataclass(frozen=True, slots=True)
class LmCall:
    """The engine, model and attempt that served an LM call."""

    model: str
    engine: str = ""
    finish_reason: str = ""
    cached: bool = False
    attempt: int = 1
    time_to_first_token: float | None = None
    """Seconds from the request of this attempt to the first of its answer; None where none came, and for
    an answer that nobody was asked for."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """Content of a tool call, shown only where allowed. What has no JSON form stands as a preview."""

    provider_call_id: str = ""
    """The provider's id of the call, where the model asked for it by the provider's own tool calls."""
    arguments_json: str = ""
    """As a JSON object, on START."""
    result_json: str = ""
    """On END with OK."""


@dataclass(frozen=True, slots=True)
class Usage:
    """LM work done. Adds up with `+`, per model too.

    Whatever a provider or an LM of one's own reports: what is no count counts as 0, what is no price
    is None.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    lm_calls: int = 0
    cache_hits: int = 0
    cost_usd: float | None = None
    """An estimate; None when no price is known."""
    models: Mapping[str, Usage] = field(default_factory=dict[str, "Usage"])
    """Per model, one level deep."""

    def __post_init__(self) -> None:
        for name in COUNTS:
            object.__setattr__(self, name, count_of(getattr(self, name)))

        object.__setattr__(self, "cost_usd", price_of(self.cost_usd))
        object.__setattr__(self, "models", _by_model(self.models))

    def __add__(self, other: Usage) -> Usage:
        models = dict(self.models)

        for model, usage in other.models.items():
            models[model] = models[model] + usage if model in models else usage

        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.lm_calls + other.lm_calls,
            self.cache_hits + other.cache_hits,
            _add_costs(self.cost_usd, other.cost_usd),
            models,
        )


COUNTS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "lm_calls",
    "cache_hits",
)
"""The fields of Usage that are counts."""


def count_of(value: object) -> int:
    """The value as a count; JSON may write 5 as 5.0. What is no count counts as 0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)

    return int(value) if isinstance(value, int) and value is not True and value > 0 else 0


def price_of(value: object) -> float | None:
    """The value as a price, which is finite and not below 0; None for what is none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None

    try:
        price = float(value)
    except OverflowError:
        return None

    return price if math.isfinite(price) and price >= 0 else None


def _by_model(models: Any) -> Mapping[str, Usage]:
    if not isinstance(models, Mapping):
        return {}

    found = cast("Mapping[object, object]", models)

    return {
        str(model): replace(usage, models={}) if usage.models else usage
        for model, usage in found.items()
        if isinstance(usage, Usage)
    }


def _add_costs(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one

    return one + other


@dataclass(frozen=True, slots=True)
class Status:
    """A call began, moved or ended."""

    kind: Kind
    phase: Phase
    call_id: int
    parent_call_id: int
    """0 for the run itself."""
    name: str
    """Module path, tool name or model."""
    message: str = ""
    """From the program's status message provider."""
    outcome: Outcome | None = None
    """On END."""
    elapsed: float = 0.0
    """Seconds, on END."""
    usage: Usage | None = None
    """On END of LM calls."""
    failure: HeadraceError | None = None
    """On END with ERROR; on UPDATE for an attempt that will be retried."""
    data: Mapping[str, object] | None = None
    """Of a module or LM call: its inputs on START, its outputs on END: content, shown only where allowed."""
    lm: LmCall | None = None
    """On LM calls."""
    tool: ToolCall | None = None
    """On tool calls, where content is told."""

    def without_content(self) -> Status:
        """The same without inputs, outputs and model text."""
        if self.data is None and self.failure is None and self.tool is None:
            return self

        return replace(self, data=None, failure=bare(self.failure), tool=None)


@dataclass(frozen=True, slots=True)
class PredictionEvent:
    """The result of a run; its last event, if it succeeded."""

    value: object
    """As the program returned it."""
    outputs: Mapping[str, object] = field(default_factory=dict[str, object])
    """The same as JSON-safe values by output name; empty where the run is not hosted."""
    usage: Usage = field(default_factory=Usage)
    elapsed: float = 0.0
    """Seconds since the run began."""
    cut_fields: Sequence[str] = ()
    """Fields whose text was cut as an answer reached its token limit, as "predictor.field"."""
    reask_count: int = 0
    """How often an answer that could not be read was asked for again."""

    def without_content(self) -> PredictionEvent:
        """The same without the program's own objects."""
        return replace(self, value=None)


@dataclass(frozen=True, slots=True)
class CustomEvent:
    """What a program or a tool told of itself, by `headrace.emit`."""

    name: str
    """The author's name for it, such as "progress"."""
    call_id: int
    """The call that told it."""
    data_json: str = "null"
    """What it told, as JSON text."""

    @property
    def data(self) -> Any:
        """What it told."""
        return json.loads(self.data_json)

    def without_content(self) -> CustomEvent:
        """The same: it was told to be seen."""
        return self


class InputKind(enum.IntEnum):
    """What a run asks for."""

    QUESTION = 1
    APPROVAL = 2
    """Leave to call a tool."""


class InputOutcome(enum.IntEnum):
    """How a question ended."""

    ANSWERED = 1
    DECLINED = 2
    EXPIRED = 3
    WITHDRAWN = 4
    """The call that asked ended without an answer."""


@dataclass(frozen=True, slots=True)
class InputRequest:
    """A run asks, and waits. Each gets exactly one InputResolved."""

    input_id: str
    call_id: int
    """The call that waits: that of the tool where leave is asked for."""
    kind: InputKind
    message: str
    """The question, for people."""
    answer_schema_json: str
    """JSON Schema of the answer, as JSON text; on APPROVAL of the tool's arguments."""
    proposal_json: str = ""
    """On APPROVAL: the arguments as proposed, a JSON object."""
    tool: str = ""
    """On APPROVAL: the name of the tool."""
    expire_time: float | None = None
    """When it stops waiting, in seconds since the epoch; None = with the run's timeout."""

    def without_content(self) -> InputRequest:
        """The same: it was asked to be seen."""
        return self


@dataclass(frozen=True, slots=True)
class InputResolved:
    """A question is over."""

    input_id: str
    call_id: int
    outcome: InputOutcome
    answer_json: str = ""
    """The answer as JSON text: content, shown only where allowed."""
    reason: str = ""
    """In the words of whoever answered or declined."""
    digest: str = ""
    """Equal for equal answers, so that one that comes again can be told from another one."""

    def without_content(self) -> InputResolved:
        """The same without the answer."""
        return replace(self, answer_json="")


Event: TypeAlias = Status | Token | PredictionEvent | CustomEvent | InputRequest | InputResolved
