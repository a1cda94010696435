"""Reasoning: the type that asks for the thinking a provider sends apart from its answer."""

from __future__ import annotations

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema


class Reasoning(str):
    """Annotates an output field that holds the provider's native reasoning content.

    Such a field is text like any other: it streams, and its value in a prediction is a str.
    """

    __slots__ = ()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler(str)
