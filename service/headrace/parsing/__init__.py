"""Field parsers: text in, deltas of fields out. No I/O, no shared state, one parser per completion."""

from headrace.parsing.base import FieldDelta, FieldParser, joined, read_whole
from headrace.parsing.chat import ChatParser
from headrace.parsing.json import JSONParser
from headrace.parsing.reasoning import ReasoningParser
from headrace.parsing.xml import XMLParser

__all__ = [
    "ChatParser",
    "FieldDelta",
    "FieldParser",
    "JSONParser",
    "ReasoningParser",
    "XMLParser",
    "joined",
    "read_whole",
]
