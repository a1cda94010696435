"""Structured logs: what each line is about, in two forms, with nothing secret in them."""

from headrace.server.logs.output import start_logging
from headrace.server.logs.prints import prints_logged
from headrace.server.logs.redaction import Redactor, own_redactor

__all__ = ["Redactor", "own_redactor", "prints_logged", "start_logging"]
