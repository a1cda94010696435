"""Everything this client raises on purpose.

    HeadraceError
    +-- RequestRefused            the server refused the request; nothing was started
    |   +-- RequestInvalid        a field of the request is malformed: see `violations`
    |   |   +-- InputInvalid      the inputs do not fit the program
    |   +-- ProgramNotFound, RunNotFound
    |   +-- RunIdReused, RevisionMismatch, CursorAhead
    |   +-- InputNotFound, InputAlreadyResolved
    |   +-- Unauthenticated, PermissionDenied, QuotaExceeded
    |   +-- ServerBusy            try again, after `retry_delay`
    +-- RunFailed                 the run is over and has no prediction
    |   +-- RunCancelled, RunTimeout, RunTooLarge
    |   +-- InputExpired, InputDeclined
    |   +-- PredictionTooLarge    it succeeded; ask for its outputs in another form
    |   +-- ProgramError, ToolError, OutputUnparsable, LMError
    |   +-- RunLost               the server no longer knows a run it had begun
    +-- RunSuspended              the run is not over, and reading on would not help now
    +-- ServerUnreachable         no answer, or the connection broke and did not come back
    |   +-- DeadlineExceeded      no answer within the time given
    +-- ServerFault               an answer that the contract does not foresee

    StreamMisused (RuntimeError)  your code uses a stream in a way that cannot work
    +-- StreamNotOpen, StreamConsumed, StreamClosed
    +-- ClientMisplaced       a client in a forked process, or on a second event loop

`reason` is the stable name to decide by; messages may change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
from headrace_proto.v1.headrace_pb2 import Usage


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One thing wrong with one field of a request."""

    field: str
    """Path of the field, such as `inputs.question`."""
    description: str


class HeadraceError(Exception):
    """Root of all failures; misuse of a stream is a `StreamMisused` instead."""

    advice: str = ""
    """A remedy, where the client itself knows one, as when it found out why no server answers."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        run_id: str = "",
        run_state: str = "",
        retry_delay: float | None = None,
        violations: Sequence[FieldViolation] = (),
        metadata: Mapping[str, str] | None = None,
        cause: str = "",
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """gRPC status code."""
        self.reason = reason
        """Stable name of what went wrong, such as LM_RATE_LIMITED; empty when nobody gave one."""
        self.run_id = run_id
        self.run_state = run_state
        """SUCCEEDED, FAILED or CANCELLED where the server says that the run is over; mostly empty else."""
        self.retry_delay = retry_delay
        """Seconds after which trying again makes sense, where the server said so."""
        self.violations = tuple(violations)
        """One for each field that is wrong, for a malformed request."""
        self.metadata = dict(metadata or {})
        """Further facts, such as the model or the call that failed."""
        self.cause = cause
        """Its history, in lines: exception, model text, provider's words. Only from `serve --dev`."""
        self.usage = usage
        """LM work done before the run failed, where the server tells."""

    def __str__(self) -> str:
        return f"{self.message}; {self.advice}" if self.advice else self.message


# Refused before anything started


class RequestRefused(HeadraceError):
    """The server refused the request and started nothing."""


class RequestInvalid(RequestRefused):
    """A field of the request is malformed; `violations` names each."""


class InputInvalid(RequestInvalid):
    """The inputs do not fit the program; `violations` names each."""


class ProgramNotFound(RequestRefused):
    """No such program; the message names those there are."""


class RunNotFound(RequestRefused):
    """No such run: never started, expired, or another principal's."""


class RunIdReused(RequestRefused):
    """The run_id belongs to a run with other inputs."""


class RevisionMismatch(RequestRefused):
    """The revision asked for is not the one hosted."""


class CursorAhead(RequestRefused):
    """after_sequence lies beyond the end of the run's log."""


class InputNotFound(RequestRefused):
    """The run has asked no such question, or these credentials may not answer it."""


class InputAlreadyResolved(RequestRefused):
    """The question was answered otherwise, or is over; `metadata["outcome"]` says how."""


class Unauthenticated(RequestRefused):
    """The server wants credentials, or refuses those given."""


class PermissionDenied(RequestRefused):
    """These credentials do not allow this."""


class QuotaExceeded(RequestRefused):
    """A limit is reached: the principal's own, or the size of a message."""


class ServerBusy(RequestRefused):
    """The server takes no new runs just now; `retry_delay` says when to ask again."""


# The run is over


class RunFailed(HeadraceError):
    """The run is over and has no prediction. It stays failed: a new try is a new run."""


class RunCancelled(RunFailed):
    """The run was stopped; `metadata["by"]` says by whom: caller, linger or drain."""


class RunTimeout(RunFailed):
    """The run's own time budget was spent."""


class RunTooLarge(RunFailed):
    """The run's log or its prediction passed the server's limit."""


class InputExpired(RunFailed):
    """Nobody answered a question of the run in time, and the program did not recover."""


class InputDeclined(RunFailed):
    """Somebody declined to answer the run, or to approve a tool, and the program did not recover."""


class PredictionTooLarge(RunFailed):
    """The run succeeded, and its outputs are too large in the form asked for, or for this client's channel.

    `metadata["fits"]` names a form that is not, such as JSON: `client.attach(error.run_id, output_form="json")`.
    """


class ProgramError(RunFailed):
    """The program raised, or returned something that cannot be sent."""


class ToolError(RunFailed):
    """A tool failed and the program did not recover."""


class OutputUnparsable(RunFailed):
    """The model's answer does not fit the program's signature."""


class LMError(RunFailed):
    """A language model call failed; `reason` tells apart rate limits, keys, timeouts and the rest."""


class RunLost(RunFailed):
    """The server no longer knows the run: it restarted, or kept it no longer. How far it got is unknown."""


# It goes on, but not here


class RunSuspended(HeadraceError):
    """The run is not over, and reading on would not help now: `run_state` says why.

    `client.get_run(error.run_id)` tells how it stands; once that changes, `client.attach` reads on.
    """

    advice = "the run is not over: ask `get_run` how it stands before you read on"


# No usable answer


class ServerUnreachable(HeadraceError):
    """No answer from the server, or the connection broke and did not come back in time.

    A run that had begun may still be going: `client.attach(error.run_id)` reads it.
    """


class DeadlineExceeded(ServerUnreachable):
    """No answer within the time given."""


class ServerFault(HeadraceError):
    """An answer that the contract does not foresee."""


# Misuse


class StreamMisused(RuntimeError):
    """Your code uses a client or a run in a way that cannot work; the message says what to change."""


class StreamNotOpen(StreamMisused):
    """A run is read outside of its `with` block."""


class StreamConsumed(StreamMisused):
    """A run is read a second time, or both by events and by fields."""


class StreamClosed(StreamMisused):
    """A client or a run is used after it was closed."""


class ClientMisplaced(StreamMisused):
    """A client or a run is used in another process, or on another event loop, than the one it is open in."""
