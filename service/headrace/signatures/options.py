"""What a field may be given besides its name and type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict

from annotated_types import SupportsGe, SupportsGt, SupportsLe, SupportsLt, SupportsMod

from headrace.errors import SignatureError


class FieldOptions(TypedDict, total=False):
    """Keyword arguments of InputField and OutputField; most mean what they mean to pydantic."""

    desc: str
    """What the field is, for the prompt."""
    description: str
    """Another name for `desc`."""
    prefix: str
    default_factory: Callable[[], Any] | None
    title: str
    examples: list[Any]
    json_schema_extra: dict[str, Any]
    gt: SupportsGt
    ge: SupportsGe
    lt: SupportsLt
    le: SupportsLe
    multiple_of: SupportsMod
    min_length: int
    max_length: int
    pattern: str | re.Pattern[str]
    allow_inf_nan: bool
    max_digits: int
    decimal_places: int
    strict: bool
    coerce_numbers_to_str: bool
    discriminator: str
    union_mode: Literal["smart", "left_to_right"]
    fail_fast: bool


class FieldChanges(FieldOptions, total=False):
    """The same for `with_updated_fields`, which takes the default by name."""

    default: Any


SCHEMA_TEXTS = ("title", "examples", "json_schema_extra")
"""Options that only a JSON Schema shows; the others are constraints."""


def check_options(given: Mapping[str, Any]) -> None:
    """Raises SignatureError for names a field knows nothing of, and for two defaults."""
    known = sorted(FieldChanges.__annotations__)

    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise SignatureError(f"a field has no option {name!r}; {hint}")

    if "default" in given and "default_factory" in given:
        raise SignatureError("a field has a default or a default_factory, not both")
