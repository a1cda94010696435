"""Tools: functions that programs and agents call, with a schema that models can read."""

from headrace.tools.request import ToolRequest, read_request
from headrace.tools.tool import Tool

__all__ = ["Tool", "ToolRequest", "read_request"]
