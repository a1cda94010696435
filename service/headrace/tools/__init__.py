"""Tools: functions that programs and agents call, with a schema that models can read."""

from headrace.tools.asking import Asked, read_asked
from headrace.tools.tool import Tool

__all__ = ["Asked", "Tool", "read_asked"]
