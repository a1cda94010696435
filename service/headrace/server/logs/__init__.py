"""Structured logs: each line tells the run or call it is about, in two forms, with nothing secret in it."""

from headrace.server.logs.output import start_logging
from headrace.server.logs.redaction import Redactor, own_redactor
from headrace.server.logs.strays import prints_logged

__all__ = ["Redactor", "own_redactor", "prints_logged", "start_logging"]
