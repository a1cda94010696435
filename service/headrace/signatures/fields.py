"""Fields: one input or output of a signature, and the two functions that declare them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, Unpack

from pydantic import TypeAdapter

from headrace.errors import SignatureError
from headrace.signatures.annotations import allows_none, is_text, is_type, type_text
from headrace.signatures.defaults import open_type, type_of_default
from headrace.signatures.options import SCHEMA_TEXTS, FieldOptions, check_options, constraint_text
from headrace.signatures.schemas import (
    JsonSchema,
    Mode,
    adapter_for,
    default_text,
    validated,
    value_schema,
)
from headrace.values.aliases import going_out

Side: TypeAlias = Literal["input", "output"]


@dataclass(frozen=True)
class Field:
    """One input or output. Immutable: `named` and `changed` give other fields."""

    side: Side
    name: str = ""
    """Empty until the field stands in a signature."""
    annotation: Any = str
    annotated: bool = False
    """True where the signature states the type; if not, it is that of the default, or text, as which
    numbers are taken too."""
    desc: str = ""
    prefix: str = ""
    """A label for people, such as `Search Query:`."""
    default: Any = ...
    """`...` where there is none."""
    default_factory: Callable[[], Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Constraints and schema texts, as pydantic.Field names them."""

    def named(self, name: str, annotation: Any = None) -> Field:
        """This field under a name and, if one is given, a type. Raises SignatureError."""
        named = replace(
            self,
            name=name,
            annotation=self._type() if annotation is None else annotation,
            annotated=self.annotated or annotation is not None,
            prefix=_label(name) if self.prefix == _label(self.name) else self.prefix,
        )
        named._check()

        return named

    def changed(self, changes: Mapping[str, Any]) -> Field:
        """This field with other texts, default or options. Raises SignatureError for unknown ones."""
        check_options(changes)
        options = dict(self.options)
        direct: dict[str, Any] = {}

        for name, value in changes.items():
            if name == "description":
                direct["desc"] = value
            elif name in ("desc", "prefix", "default", "default_factory"):
                direct[name] = value
            else:
                options[name] = value

        if "default" in direct:
            direct["default_factory"] = None
        elif "default_factory" in direct:
            direct["default"] = ...

        return replace(self, **direct, options=options)

    @cached_property
    def required(self) -> bool:
        """True where a value must be given: there is no default, and the type does not allow None."""
        return not self.has_default and not allows_none(self.annotation)

    @property
    def has_default(self) -> bool:
        """True where the signature names a default."""
        return self.default is not ... or self.default_factory is not None

    def default_value(self) -> Any:
        """The default; None for a field that is optional without one.

        What JSON can hold is a fresh copy. What it cannot may be known by its identity, and is itself.
        """
        if self.default_factory is not None:
            return self.default_factory()

        if self.default is ...:
            return None

        return copy.deepcopy(self.default) if default_text(self.default) else self.default

    @property
    def shown_default(self) -> JsonSchema:
        """The default as JSON Schema states it; empty where there is none that JSON can hold."""
        return {} if self.required else default_text(self.going_out(self.default_value()))

    @cached_property
    def type_text(self) -> str:
        """The type as one writes it: `list[str]`, `Literal['a', 'b']`, `Person`."""
        return type_text(self.annotation)

    @cached_property
    def streams_text(self) -> bool:
        """True where the value is its text, so that parts of it mean something: str, Optional[str], Reasoning."""
        return is_text(self.annotation)

    @cached_property
    def constraints(self) -> str:
        """Constraints in words, such as `at least 1, at most 5`; empty for none."""
        return constraint_text(self.annotation, self._constraints)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """pydantic's validator of this field, constraints included."""
        open_text = not self.annotated and self.annotation is str
        lenient = {"coerce_numbers_to_str": True} if open_text else {}

        return adapter_for(self.annotation, {**lenient, **self._constraints})

    def validate(self, value: object) -> Any:
        """The value as the field's type. Raises pydantic.ValidationError if it does not fit."""
        return validated(self.adapter, value)

    def going_out(self, value: object) -> Any:
        """The value with the names that the parts of plain dicts, typed ones too, have outside."""
        return going_out(self.adapter, value)

    def json_schema(self, mode: Mode = "validation") -> JsonSchema:
        """JSON Schema of the value, complete in itself."""
        return {**value_schema(self.adapter, mode), **self.schema_texts}

    @cached_property
    def schema_texts(self) -> JsonSchema:
        """The part of a JSON Schema beyond this field's type: description, default, examples …"""
        texts = {"description": self.desc} if self.desc else {}
        shown = {name: self.options[name] for name in ("title", "examples") if name in self.options}

        default = {} if self.default is ... else self.shown_default

        return {**texts, **shown, **default, **self.options.get("json_schema_extra", {})}

    @property
    def _constraints(self) -> Mapping[str, Any]:
        return {name: one for name, one in self.options.items() if name not in SCHEMA_TEXTS}

    def _type(self) -> Any:
        """The type as it is stated, or as the default says."""
        if self.annotated or not self.has_default:
            return self.annotation

        if self.default_factory is not None:
            return self.default_factory if isinstance(self.default_factory, type) else Any

        is_held = self.side == "output" or self._constraints

        return type_of_default(self.default) if is_held else open_type(self.default)

    def _check(self) -> None:
        where = f"{self.side} field {self.name!r}"

        if not self.name.isidentifier() or self.name.startswith("_"):
            raise SignatureError(f"{where}: a field's name is an identifier without leading _")

        if not is_type(self.annotation):
            raise SignatureError(f"{where}: {self.annotation!r} is not a type")

        try:
            _ = self.adapter, self.constraints
        except Exception as error:  # pydantic's own, or whatever a custom type raises
            reason = str(error).partition("\n")[0]
            raise SignatureError(f"{where}: {self.type_text} does not work: {reason}") from error


def InputField(default: Any = ..., **options: Unpack[FieldOptions]) -> Any:
    """Declares an input in the body of a signature class.

    `desc` goes into the prompt, and so do constraints such as `gt` or `max_length`. Values are held to
    them, but for outputs that are text: what a model writes there is the value. Typed Any so that it
    may stand as the value of any annotation.
    """
    return _declared("input", default, options)


def OutputField(default: Any = ..., **options: Unpack[FieldOptions]) -> Any:
    """Declares an output in the body of a signature class; takes what InputField takes."""
    return _declared("output", default, options)


def _declared(side: Side, default: Any, options: FieldOptions) -> Field:
    return Field(side).changed({**options} if default is ... else {**options, "default": default})


_BETWEEN_WORDS = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|_+"
)


def infer_prefix(name: str) -> str:
    """A field's name in words: `searchQuery2` and `search_query_2` give `Search Query 2`."""
    words = _BETWEEN_WORDS.sub(" ", name).split()

    return " ".join(word if word.isupper() else word.capitalize() for word in words)


def _label(name: str) -> str:
    return f"{infer_prefix(name)}:" if name else ""
