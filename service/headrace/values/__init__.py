"""Values: what programs are given and return, and its JSON form."""

from headrace.values.example import Example
from headrace.values.json import JSON, to_jsonable
from headrace.values.prediction import Completions, Prediction

__all__ = ["JSON", "Completions", "Example", "Prediction", "to_jsonable"]
