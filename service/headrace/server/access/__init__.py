"""Who may call, and what: principals by bearer token or client certificate."""

from headrace.server.access.directory import Directory
from headrace.server.access.refusal import Refusal

__all__ = ["Directory", "Refusal"]
