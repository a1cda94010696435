"""Structured logs: what each line is about, in two forms, with nothing secret in them."""

from headrace.server.logs.output import start_logging
from headrace.server.logs.prints import prints_logged

__all__ = ["prints_logged", "start_logging"]
