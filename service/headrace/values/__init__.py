"""Values: what programs are given and return, and its JSON form."""

from headrace.values.example import Example
from headrace.values.json import JSON, to_jsonable
from headrace.values.prediction import Completions, Prediction
from headrace.values.text import json_text, utf8_size

__all__ = ["JSON", "Completions", "Example", "Prediction", "json_text", "to_jsonable", "utf8_size"]
