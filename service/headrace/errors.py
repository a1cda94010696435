"""Everything headrace raises on purpose.

    HeadraceError
    +-- SignatureError (ValueError)     a signature is written wrongly
    +-- UsageError (ValueError)         the library is used wrongly: settings, listeners, module arguments
    |   +-- CannotAsk                   nobody can answer the code that asks
    +-- RequestRefused                  nothing was started
    |   +-- InputInvalid                inputs do not fit the program's signature
    |   +-- RequestInvalid              another part of the request is malformed
    |   +-- ProgramNotFound, RunNotFound
    |   +-- RunIdReused, RevisionMismatch, CursorAhead
    |   +-- InputNotFound, InputAlreadyResolved
    |   +-- PermissionDenied, QuotaExceeded
    |   +-- ServerBusy, ServerDraining  try again, after retry_delay
    +-- RunError                        the run is over
        +-- RunCancelled, RunTimeout, RunTooLarge
        +-- InputExpired, InputDeclined a question of the run was not answered
        +-- ProgramError                the program raised; the cause is chained and stays in the process
        +-- ProgramResultInvalid, OutputUnserialisable
        +-- ToolError
        +-- AdapterParseError           the model's answer does not fit the signature
        +-- LMError                     see its kin below

Each carries `reason`, the stable name that clients see (`proto/headrace/v1/reasons.toml` says which), and a
message that is safe to show: no prompts, provider bodies, keys or tracebacks. What must stay inside is
chained as `__cause__` or kept in attributes documented as internal. `server/v1`
turns classes into status codes, nobody else does.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from headrace.reasons import REASONS


class HeadraceError(Exception):
    """Root of all errors raised by headrace."""

    reason: ClassVar[str] = REASONS["HeadraceError"]

    def __init_subclass__(cls, **arguments: object) -> None:
        """Our own classes take their reason from the table; a class of a program has its parent's."""
        super().__init_subclass__(**arguments)

        if cls.__module__.startswith("headrace."):
            cls.reason = REASONS.get(cls.__name__, cls.reason)

    def __init__(self, message: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = str(message)  # programs raise ours too, and not always with a text
        self.metadata: dict[str, str] = dict(metadata or {})
        """Short facts for the client (call, model, phase); safe to show."""


class SignatureError(HeadraceError, ValueError):
    """A signature cannot be built: bad grammar, unknown type, a field of neither side."""


class UsageError(HeadraceError, ValueError):
    """headrace is called in a way that cannot work; the message says what to change."""


class CannotAsk(UsageError):
    """Nobody can answer what code asks here: outside of a server, or where a test has no fitting answer."""


class ServerFault(HeadraceError):
    """A defect of headrace itself. The client gets an id; the log has the rest under the same id."""

    def __init__(self) -> None:
        error_id = uuid.uuid4().hex[:12]
        super().__init__(f"internal error {error_id}", metadata={"error_id": error_id})


# Refused before anything started


class RequestRefused(HeadraceError):
    """A request that started nothing."""

    retry_delay: float | None = None
    """Seconds to wait before the same request may succeed; None = it will not."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One thing wrong with one field of a request."""

    field: str
    description: str


class RequestInvalid(RequestRefused):
    """A field of the request is malformed."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = tuple(violations)


class InputInvalid(RequestInvalid):
    """The inputs do not fit the program's signature."""


class ProgramNotFound(RequestRefused):
    """No such program; the message names those there are."""


class RunNotFound(RequestRefused):
    """No such run: never started, expired, or another principal's."""


class RunIdReused(RequestRefused):
    """The run_id belongs to a run with other inputs."""


class RevisionMismatch(RequestRefused):
    """The caller asked for a revision of the program that is not hosted."""


class CursorAhead(RequestRefused):
    """after_sequence lies beyond the end of the run's log."""


class InputNotFound(RequestRefused):
    """The run has asked no such question, or the principal may not answer it."""


class InputAlreadyResolved(RequestRefused):
    """The question is over, and not by the answer that comes now; `outcome` says how."""

    def __init__(self, message: str, *, outcome: str) -> None:
        super().__init__(message, metadata={"outcome": outcome})


class PermissionDenied(RequestRefused):
    """The principal may not do this."""


class QuotaExceeded(RequestRefused):
    """The principal's own limit is reached."""

    def __init__(self, message: str, *, retry_delay: float | None = None) -> None:
        super().__init__(message)
        self.retry_delay = retry_delay


class ServerBusy(RequestRefused):
    """The server's limit on running and queued runs is reached."""

    def __init__(self, message: str, *, retry_delay: float = 1.0) -> None:
        super().__init__(message)
        self.retry_delay = retry_delay


class ServerDraining(ServerBusy):
    """The server is shutting down and takes no new runs."""


# The run is over


class RunError(HeadraceError):
    """Ends a run."""


class RunCancelled(RunError):
    """The run was stopped; `by` says by whom: caller, linger or drain."""

    def __init__(self, by: str, detail: str = "") -> None:
        text = f"run cancelled by {by}" + (f": {detail}" if detail else "")
        super().__init__(text, metadata={"by": by})
        self.by = by


class RunTimeout(RunError):
    """The run's own time budget is spent."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"run exceeded its timeout of {seconds:g} s")
        self.seconds = seconds


class RunTooLarge(RunError):
    """The run's log or its prediction passes the configured size."""


class InputExpired(RunError):
    """Nobody answered a question of the program in time, or approved a tool. The program may catch it."""

    def __init__(self, what: str = "the question", seconds: float | None = None) -> None:
        within = "in time" if seconds is None else f"within {seconds:g} s"
        super().__init__(f"{what} was not answered {within}")


class InputDeclined(RunError):
    """Somebody declined to answer a question of the program, or to approve a tool. It may catch it."""

    def __init__(self, explanation: str = "", what: str = "the question") -> None:
        super().__init__(f"{what} was declined" + (f": {explanation}" if explanation else ""))
        self.explanation = explanation
        """Why, in the words of whoever declined; may be empty."""


class ProgramError(RunError):
    """The program raised something that is not ours; `__cause__` holds it, for logs only."""


class ProgramResultInvalid(RunError):
    """The program returned something that cannot be a prediction, such as None."""


class OutputUnserialisable(RunError):
    """An output has no JSON form."""


class ToolError(RunError):
    """A tool failed and the program did not recover."""


class AdapterParseError(RunError):
    """The model's answer lacks output fields or holds values that do not fit their types.

    `lm_response` and `parsed_result` hold model text: internal, never sent to clients.
    """

    def __init__(
        self,
        adapter_name: str,
        message: str,
        *,
        lm_response: str = "",
        parsed_result: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, metadata={"adapter": adapter_name})
        self.adapter_name = adapter_name
        self.lm_response = lm_response
        self.parsed_result = dict(parsed_result or {})


class LMError(RunError):
    """A language model call failed.

        LMError
        +-- LMNotConfiguredError      no LM, or no key for it
        +-- LMAuthError               the provider refuses the key
        +-- LMBillingError            the provider's account cannot pay
        +-- LMRateLimitError          too many requests; retry_after in seconds when known
        +-- LMUnsupportedError        the model or engine cannot do what was asked
        +-- LMRequestRejectedError    the provider calls the request invalid
        |   +-- ContextWindowExceededError
        |   +-- ContentRefusedError   a content filter stopped the request or the answer
        +-- LMTimeoutError            phase: connect, first_token, idle or total
        +-- LMTransportError          the provider cannot be reached
        +-- LMServerError             the provider failed (5xx), after retries
        +-- LMStreamBrokenError       the answer broke off or is malformed

    `detail` may hold what the provider said: internal, shown only in the log, with `logs.content`.
    """

    def __init__(
        self,
        message: str,
        *,
        model: str = "",
        status_code: int | None = None,
        retry_after: float | None = None,
        detail: str = "",
        provider_type: str = "",
        provider_code: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            message, metadata={**({"model": model} if model else {}), **(metadata or {})}
        )
        self.model = model
        self.status_code = status_code
        """The provider's HTTP status, where there was one."""
        self.retry_after = retry_after
        """Seconds after which the provider asked to be tried again."""
        self.detail = detail
        self.provider_type = provider_type
        """The provider's own name for what went wrong, such as "invalid_request_error"; may be empty."""
        self.provider_code = provider_code
        """Its code beside it, such as "context_length_exceeded"; may be empty."""


class LMNotConfiguredError(LMError, ValueError):
    """No LM is set, or its key is missing."""


class LMAuthError(LMError):
    """The provider refuses the credentials."""


class LMBillingError(LMError):
    """The provider's account is out of credit."""


class LMRateLimitError(LMError):
    """The provider asks to slow down, and retries are spent."""


class LMUnsupportedError(LMError):
    """The model or engine cannot do what was asked of it."""


class LMRequestRejectedError(LMError):
    """The provider calls the request invalid."""


class ContextWindowExceededError(LMRequestRejectedError):
    """The prompt is longer than the model's context window."""


class ContentRefusedError(LMRequestRejectedError):
    """A content filter stopped the request or the answer."""


class LMTimeoutError(LMError):
    """One of our deadlines on the provider passed; `phase` says which, `seconds` how long it was."""

    def __init__(self, phase: str, seconds: float, *, model: str = "") -> None:
        super().__init__(
            f"the LM exceeded its {phase} timeout of {seconds:g} s",
            model=model,
            metadata={"phase": phase},
        )
        self.phase = phase
        self.seconds = seconds


class LMTransportError(LMError):
    """The provider cannot be reached, or dropped the connection before answering."""


class LMServerError(LMError):
    """The provider failed with a server error, and retries are spent."""


class LMStreamBrokenError(LMError):
    """The provider's answer broke off, or is not what it claims to be."""


def bare(error: HeadraceError | None) -> HeadraceError | None:
    """An error with what may be told of it and nothing else: no causes, frames or model text."""
    if error is None:
        return None

    told = _blank(error)
    vars(told).update(vars(error))

    match told:
        case AdapterParseError():
            told.lm_response, told.parsed_result = "", {}
        case LMError():
            told.detail = ""
        case _:
            pass

    return told


def _blank(error: HeadraceError) -> HeadraceError:
    """An error of the same class, without __init__, which differs by class."""
    try:
        return type(error).__new__(type(error), *error.args)
    except Exception:  # noqa: BLE001 - a program's own class may ask for anything
        return RunError("")
