"""Hosting: programs made ready for callers, who know them by what they say of themselves."""

from headrace.hosting.interface_revision import interface_revision_of
from headrace.hosting.port import HostedProgram, ProgramInfo
from headrace.hosting.program import Program

__all__ = ["HostedProgram", "Program", "ProgramInfo", "interface_revision_of"]
