"""Errors that exist only because there is a server between the program and its caller."""

from __future__ import annotations

from headrace.errors import HeadraceError, RequestRefused
from headrace.events import Usage


class Unauthenticated(RequestRefused):
    """The caller shows no credentials, or none that are valid."""


class StreamAged(HeadraceError):
    """The stream is old enough to be moved; the run goes on and the caller may resume."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"stream ended after {seconds:g} s; resume it")
        self.retry_delay = 0.0


class PredictionTooLarge(HeadraceError):
    """The outputs of a run that succeeded are too large in the form that one caller asked for."""

    def __init__(self, form: str, most: int, fits: str) -> None:
        super().__init__(
            f"the outputs take more than {most} bytes in output_form {form}, which is the most that is "
            f"sent; ask for {fits}",
            metadata={"form": form, "fits": fits},
        )


class RunOver(Exception):
    """The run of a call is over, and the call ends with a failure: the run's, or what kept its prediction.

    A run's failure belongs to the run and is told to many readers; it is not raised itself, because
    each time it would gather frames.
    """

    def __init__(self, failure: HeadraceError, cause: str = "", usage: Usage | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.cause = cause
        """Text of what led to it, as far as the caller may be told."""
        self.usage = usage
        """LM work of the run."""
