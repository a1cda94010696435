"""Structured logs: what each line is about, in two forms, with nothing secret in them."""

from headrace.server.logs.output import start_logging

__all__ = ["start_logging"]
