"""The table of faults: what each does to a call, by engine. docs/lm.md shows the same table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from headrace.errors import (
    ContentRefusedError,
    ContextWindowExceededError,
    LMAuthError,
    LMBillingError,
    LMError,
    LMRateLimitError,
    LMRequestRejectedError,
    LMServerError,
    LMStreamBrokenError,
    LMTimeoutError,
    LMTransportError,
)

SOON = 0.15
"""Seconds: the deadline under test."""
TRIES = 3
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Error:
    """The call raises this, and nothing counts as an answer."""

    kind: type[LMError]
    reason: str
    requests: int = 1
    phase: str = ""


@dataclass(frozen=True)
class Right:
    """The call gives this text: whole, or repaired."""

    begins: str
    ends: str = ""
    requests: int = 1
    repaired: bool = False
    """The provider's text was not Unicode."""


Outcome: TypeAlias = Error | Right


@dataclass(frozen=True)
class Fault:
    """One row: the mock's model, and what becomes of a call to it."""

    model: str
    outcome: Outcome
    litellm: Outcome | None = None
    """Where the litellm engine differs."""
    limits: Mapping[str, float] = field(default_factory=dict[str, float])

    def by(self, engine: str) -> Outcome:
        return self.litellm if engine == "litellm" and self.litellm else self.outcome

    def row(self) -> str:
        """The line of the page's table."""
        cells = [f"`{self.model}`", *(_said(self.by(engine)) for engine in ("direct", "litellm"))]

        return f"| {' | '.join(cells)} |"


def late(phase: str) -> Error:
    return Error(LMTimeoutError, "LM_TIMEOUT", phase=phase)


def repaired(begins: str, ends: str = "") -> Right:
    return Right(begins, ends, repaired=True)


def status(number: int, kind: type[LMError], reason: str, requests: int = 1) -> Fault:
    return Fault(f"fault-status-{number}", Error(kind, reason, requests))


FIRST = {"first_token_timeout": SOON}
IDLE = {"idle_timeout": SOON}
TOTAL = {"timeout": SOON}

UNREACHED = Error(LMTransportError, "LM_UNAVAILABLE", TRIES)
BROKEN = Error(LMStreamBrokenError, "LM_STREAM_BROKEN")
FAILED = Error(LMServerError, "LM_SERVER_ERROR")
REFUSED = Error(ContentRefusedError, "CONTENT_REFUSED")
CANNED = Right("This is canned prose from mock-lm")

FAULTS: Sequence[Fault] = [
    # silence
    Fault("fault-hang-before-headers", late("first_token"), limits=FIRST),
    Fault("fault-slow-headers", late("first_token"), limits=FIRST),
    Fault("fault-hang-after-headers", late("first_token"), limits=FIRST),
    Fault("fault-trickle-comments", late("first_token"), limits=FIRST),
    Fault("fault-hang-mid-stream", late("idle"), limits=IDLE),
    Fault("fault-trickle-mid-stream", late("idle"), limits=IDLE),
    Fault("fault-endless", late("total"), limits=TOTAL),
    # broken connections
    Fault("fault-reset-before-headers", UNREACHED),
    Fault("fault-close-before-headers", UNREACHED),
    Fault("fault-garbage-status-line", UNREACHED),
    Fault("fault-reset-after-headers", UNREACHED),
    Fault("fault-reset-mid-stream", BROKEN),
    Fault("fault-close-mid-stream", BROKEN),
    # streams that end too early, yet cleanly
    Fault("fault-no-finish-reason", BROKEN),
    Fault("fault-done-without-finish-reason", BROKEN),
    Fault("fault-truncated-json", BROKEN),
    Fault("fault-empty-body", BROKEN),
    Fault("fault-only-done", BROKEN),
    # answers that are not what they claim to be
    Fault("fault-html", BROKEN),
    Fault("fault-html-as-stream", BROKEN),
    Fault("fault-malformed-json", BROKEN),
    Fault("fault-not-an-object", BROKEN),
    Fault("fault-endless-line", BROKEN, late("first_token"), limits={"first_token_timeout": 2.0}),
    Fault("fault-error-event", Error(LMServerError, "LM_SERVER_ERROR", TRIES)),
    Fault("fault-error-event-rate-limit", Error(LMRateLimitError, "LM_RATE_LIMITED", TRIES)),
    Fault("fault-error-event-mid-stream", FAILED),
    # refusals
    Fault(
        "fault-hang-in-refusal",
        Error(LMAuthError, "LM_AUTH"),
        late("first_token"),
        limits={"first_token_timeout": 1.0},
    ),
    Fault("fault-context-window", Error(ContextWindowExceededError, "CONTEXT_TOO_LONG")),
    Fault("fault-content-filter-prompt", REFUSED),
    Fault("fault-content-filter", REFUSED),
    Fault("fault-refusal", REFUSED, BROKEN),
    Fault("fault-quota", Error(LMBillingError, "LM_BILLING")),
    status(302, LMTransportError, "LM_UNAVAILABLE"),
    status(400, LMRequestRejectedError, "LM_REQUEST_REJECTED"),
    status(401, LMAuthError, "LM_AUTH"),
    status(402, LMBillingError, "LM_BILLING"),
    status(403, LMAuthError, "LM_AUTH"),
    status(404, LMRequestRejectedError, "LM_REQUEST_REJECTED"),
    status(408, LMServerError, "LM_SERVER_ERROR", TRIES),
    status(409, LMServerError, "LM_SERVER_ERROR", TRIES),
    status(413, LMRequestRejectedError, "LM_REQUEST_REJECTED"),
    status(422, LMRequestRejectedError, "LM_REQUEST_REJECTED"),
    status(429, LMRateLimitError, "LM_RATE_LIMITED", TRIES),
    status(500, LMServerError, "LM_SERVER_ERROR", TRIES),
    status(502, LMServerError, "LM_SERVER_ERROR", TRIES),
    status(503, LMServerError, "LM_SERVER_ERROR", TRIES),
    status(504, LMServerError, "LM_SERVER_ERROR", TRIES),
    status(529, LMServerError, "LM_SERVER_ERROR", TRIES),
    # faults that pass
    Fault("fault-status-503-once", Right(CANNED.begins, requests=2)),
    Fault("fault-status-429-twice-retry-after-0.05", Right(CANNED.begins, requests=3)),
    # oddities that still are right answers, or are repaired
    Fault("fault-hang-after-finish", CANNED, limits=IDLE),
    Fault("fault-length", CANNED),
    Fault("fault-bad-utf8", repaired(f"caf{UNKNOWN} This"), BROKEN),
    Fault("fault-cut-utf8", repaired("olé This"), BROKEN),
    Fault("fault-cut-utf8-at-end", repaired(CANNED.begins, f"ol{UNKNOWN}"), BROKEN),
    Fault("fault-split-surrogates", repaired("😀 This")),
    Fault("fault-lone-surrogate", repaired(f"a{UNKNOWN}b This")),
    Fault("fault-repeated-chunk", Right("ha " * 200)),
    Fault("fault-huge-event", Right("x" * 1_000_000)),
    Fault("fault-split-bytes", Right(CANNED.begins, "é漢😀")),
    Fault("fault-json-for-stream", Right("all at once"), BROKEN),
    Fault("fault-noise", Right("fine"), BROKEN),
]


def _said(outcome: Outcome) -> str:
    if isinstance(outcome, Right):
        said = "REPAIRED" if outcome.repaired else "right"
    else:
        phase = f", {outcome.phase}" if outcome.phase else ""
        said = f"ERROR {outcome.kind.__name__}{phase}"

    return said if outcome.requests == 1 else f"{said}, {outcome.requests} requests"
