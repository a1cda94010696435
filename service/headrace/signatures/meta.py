"""SignatureMeta: what every signature class knows and can do.

It lives on the metaclass so that a field may have any name, `instructions` and `signature` included.
A signature never changes; editing gives a new one.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack, cast

from headrace.errors import SignatureError
from headrace.signatures.declaring import Body, declared_fields
from headrace.signatures.fields import Field, Side
from headrace.signatures.options import FieldChanges
from headrace.signatures.schemas import JsonSchema, Mode, object_schema

if TYPE_CHECKING:
    from headrace.signatures.signature import Signature


class SignatureMeta(type):
    """The class of signature classes: their fields, instructions and editing methods."""

    input_fields: Mapping[str, Field]
    """Inputs by name, in order."""
    output_fields: Mapping[str, Field]
    """Outputs by name, in order."""
    stated_instructions: str | None
    """Instructions as given; None where they follow the fields."""

    @classmethod
    def __prepare__(mcs, name: str, bases: tuple[type, ...], /, **options: Any) -> Body:
        return Body()

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        *,
        fields: Iterable[Field] | None = None,
        instructions: str | None = None,
    ) -> SignatureMeta:
        plain = {key: value for key, value in body.items() if not isinstance(value, Field)}
        cls = super().__new__(mcs, name, bases, plain)
        parents = [base for base in bases if isinstance(base, SignatureMeta)]

        if fields is None:
            fields = _with_inherited(parents, declared_fields(cls, body))
            instructions = _stated_instructions(parents, body)

        cls.stated_instructions = instructions
        cls.input_fields, cls.output_fields = _sides(fields)

        return cls

    def __init__(
        cls,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        *,
        fields: Iterable[Field] | None = None,
        instructions: str | None = None,
    ) -> None:
        super().__init__(name, bases, body)

    def __repr__(cls) -> str:
        inputs, outputs = (
            ", ".join(f"{field.name}: {field.type_text}" for field in side.values())
            for side in (cls.input_fields, cls.output_fields)
        )

        return f"<signature {cls.__name__}({inputs} -> {outputs})>"

    @property
    def all_fields(cls) -> tuple[Field, ...]:
        """Every field, inputs first."""
        return (*cls.input_fields.values(), *cls.output_fields.values())

    @property
    def fields(cls) -> Mapping[str, Field]:
        """Inputs, then outputs, by name; of a name on both sides, the output."""
        return MappingProxyType({**cls.input_fields, **cls.output_fields})

    @property
    def signature(cls) -> str:
        """The names, as in `question, k -> answer`."""
        return f"{', '.join(cls.input_fields)} -> {', '.join(cls.output_fields)}"

    @property
    def instructions(cls) -> str:
        """What the model is asked to do. Where nothing is said, it follows the fields."""
        if cls.stated_instructions is not None:
            return cls.stated_instructions

        inputs, outputs = _quoted(cls.input_fields), _quoted(cls.output_fields)

        return f"From {inputs}, produce {outputs}." if inputs else f"Produce {outputs}."

    def json_schema(cls, side: Side, mode: Mode = "validation") -> JsonSchema:
        """JSON Schema of the inputs or outputs as one object."""
        fields = cls.input_fields if side == "input" else cls.output_fields
        schema = object_schema({name: field.adapter for name, field in fields.items()}, mode)

        for name, field in fields.items():
            schema["properties"][name] |= field.schema_texts

        required = [name for name, field in fields.items() if field.required]

        return {**schema, "required": required, "additionalProperties": False}

    # Editing: each gives a new signature

    def with_instructions(cls, instructions: str) -> type[Signature]:
        """The same fields under other instructions."""
        return cls._edited(cls.all_fields, instructions)

    def append_instructions(cls, text: str) -> type[Signature]:
        """The same with a paragraph added to the instructions."""
        return cls.with_instructions(f"{cls.instructions}\n\n{text}")

    def prepend(cls, name: str, field: Field, type_: Any = None) -> type[Signature]:
        """With one field more, first of its side. See insert."""
        return cls.insert(0, name, field, type_)

    def append(cls, name: str, field: Field, type_: Any = None) -> type[Signature]:
        """With one field more, last of its side. See insert."""
        return cls.insert(-1, name, field, type_)

    def insert(cls, index: int, name: str, field: Field, type_: Any = None) -> type[Signature]:
        """With one field more, at `index` among the fields of its side; -1 is the end.

        `field` is an InputField() or OutputField(), or a field of another signature, whose type it
        keeps unless `type_` is given. Raises SignatureError for a name its side already has.
        """
        if not isinstance(field, Field):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise SignatureError(f"field {name!r} is no field; give InputField() or OutputField()")

        own = [one for one in cls.all_fields if one.side == field.side]
        others = [one for one in cls.all_fields if one.side != field.side]
        place = index if index >= 0 else len(own) + 1 + index

        if not 0 <= place <= len(own):
            raise SignatureError(f"cannot insert {name!r} at {index} among {len(own)} fields")

        own.insert(place, field.named(name, type_))

        return cls._edited([*own, *others])

    def delete(cls, name: str, side: Side | None = None) -> type[Signature]:
        """Without the field, on both sides unless one is named; the same if it is not there."""
        return cls._edited(
            one for one in cls.all_fields if one.name != name or side not in (None, one.side)
        )

    def with_updated_fields(
        cls,
        name: str,
        type_: Any = None,
        *,
        side: Side | None = None,
        **changes: Unpack[FieldChanges],
    ) -> type[Signature]:
        """With another type, description, default or constraint of one field, where it stands.

        A name on both sides is changed on both unless `side` is given. Raises SignatureError for an
        unknown field or change.
        """
        chosen = [one for one in cls.all_fields if one.name == name and side in (None, one.side)]

        if not chosen:
            raise SignatureError(
                f"{cls.__name__} has no field {name!r} to update; it has {', '.join(cls.fields)}"
            )

        return cls._edited(
            one.changed({**changes}).named(name, type_) if one in chosen else one
            for one in cls.all_fields
        )

    def equals(cls, other: type[Signature]) -> bool:
        """Whether instructions and fields are the same; names of the classes do not count."""
        return cls.instructions == other.instructions and cls.all_fields == other.all_fields

    # What is stored and compared

    def dump_state(cls) -> dict[str, Any]:
        """The texts of the signature, JSON-safe: instructions, descriptions and prefixes."""
        return {
            "instructions": cls.instructions,
            "fields": [
                {"side": one.side, "name": one.name, "desc": one.desc, "prefix": one.prefix}
                for one in cls.all_fields
            ],
        }

    def load_state(cls, state: Mapping[str, Any]) -> type[Signature]:
        """This signature with texts from `dump_state`. Raises SignatureError for other fields."""
        loaded = cls.with_instructions(state["instructions"])

        for field in state["fields"]:
            loaded = loaded.with_updated_fields(
                field["name"], side=field["side"], desc=field["desc"], prefix=field["prefix"]
            )

        return loaded

    def source_text(cls) -> str:
        """All that makes this signature what it is, as text; the same in every process."""
        fields = [
            {
                "side": one.side,
                "name": one.name,
                "type": one.type_text,
                "prefix": one.prefix,
                "constraints": one.constraints,
                "schema": one.json_schema(),
                "default_factory": getattr(one.default_factory, "__qualname__", None),
            }
            for one in cls.all_fields
        ]

        return json.dumps([cls.__name__, cls.instructions, fields], sort_keys=True)

    def _edited(cls, fields: Iterable[Field], instructions: str | None = None) -> type[Signature]:
        stated = cls.stated_instructions if instructions is None else instructions
        root = next(base for base in reversed(cls.__mro__) if isinstance(base, SignatureMeta))

        return root.with_fields(cls.__name__, fields, stated, module=cls.__module__)

    def with_fields(
        cls, name: str, fields: Iterable[Field], instructions: str | None, module: str
    ) -> type[Signature]:
        """A subclass with these fields and no others. Raises SignatureError for a name given twice."""
        body = {"__module__": module, "__doc__": instructions}
        made = SignatureMeta(name, (cls,), body, fields=fields, instructions=instructions)

        return cast("type[Signature]", made)


def _with_inherited(parents: Iterable[SignatureMeta], declared: Iterable[Field]) -> list[Field]:
    """A field declared again takes the inherited one's place, also from the other side."""
    merged = {
        (one.side, one.name): one for parent in reversed([*parents]) for one in parent.all_fields
    }

    for one in declared:
        if (one.side, one.name) not in merged:
            merged.pop(("output" if one.side == "input" else "input", one.name), None)

        merged[one.side, one.name] = one

    return [*merged.values()]


def _stated_instructions(parents: Iterable[SignatureMeta], body: Mapping[str, Any]) -> str | None:
    docstring = inspect.cleandoc(body.get("__doc__") or "")
    stated = [parent.stated_instructions for parent in parents]

    # The docstring of Signature itself speaks to its readers, not to a model.
    return next(
        (text for text in [docstring, *stated] if stated and text),
        None,
    )


def _sides(fields: Iterable[Field]) -> tuple[Mapping[str, Field], Mapping[str, Field]]:
    sides: dict[Side, dict[str, Field]] = {"input": {}, "output": {}}

    for field in fields:
        if field.name in sides[field.side]:
            raise SignatureError(f"there are two {field.side} fields named {field.name!r}")

        sides[field.side][field.name] = field

    return MappingProxyType(sides["input"]), MappingProxyType(sides["output"])


def _quoted(names: Iterable[str]) -> str:
    return ", ".join([f"`{name}`" for name in names])
