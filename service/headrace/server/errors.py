"""Errors that exist only because there is a server between the program and its caller."""

from __future__ import annotations

from headrace.errors import HeadraceError, RequestRefused


class Unauthenticated(RequestRefused):
    """The caller shows no credentials, or none that are valid."""


class StreamAged(HeadraceError):
    """The stream is old enough to be moved; the run goes on and the caller may resume."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"stream ended after {seconds:g} s; resume it")
        self.retry_delay = 0.0
