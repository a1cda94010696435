"""Signature: what goes into a predictor and what comes out, as a class.

Inputs and outputs are two namespaces: one name may stand on both sides. What every signature can do
lives on its metaclass, so that a field may have any name, `instructions` and `signature` included. A
signature never changes; editing gives a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, Unpack, cast

from headrace.errors import SignatureError
from headrace.signatures import editing
from headrace.signatures.declaring import (
    Body,
    declared_fields,
    sides_of,
    stated_instructions,
    with_inherited,
)
from headrace.signatures.fields import Field, Side
from headrace.signatures.grammar import parse_signature
from headrace.signatures.names import TypeNames
from headrace.signatures.options import FieldChanges
from headrace.signatures.schemas import JsonSchema, Mode, object_schema

Fields: TypeAlias = Sequence[Field] | Mapping[str, Field | tuple[Any, Field]]


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
            inherited = (one for parent in reversed(parents) for one in parent.all_fields)
            fields = with_inherited(inherited, declared_fields(cls, body))
            instructions = stated_instructions(body, [one.stated_instructions for one in parents])

        cls.stated_instructions = instructions
        cls.input_fields, cls.output_fields = sides_of(fields)

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
        """The task, as the model is told it. Where nothing is stated, it follows the fields."""
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
        return cls._edited(editing.inserted(cls.all_fields, index, name, field, type_))

    def delete(cls, name: str, side: Side | None = None) -> type[Signature]:
        """Without the field, on both sides unless one is named; the same if it is not there."""
        return cls._edited(editing.deleted(cls.all_fields, name, side))

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
        return cls._edited(
            editing.updated(cls.__name__, cls.all_fields, name, type_, side, {**changes})
        )

    def equals(cls, other: type[Signature]) -> bool:
        """True if instructions and fields are the same; names of the classes do not count."""
        return cls.instructions == other.instructions and cls.all_fields == other.all_fields

    def dump_state(cls) -> dict[str, Any]:
        """The texts of the signature, JSON-safe: instructions, descriptions and prefixes."""
        return editing.dump_texts(cls.instructions, cls.all_fields)

    def load_state(cls, state: Mapping[str, Any]) -> type[Signature]:
        """This signature with texts from `dump_state`. Raises SignatureError for other fields."""
        fields = editing.load_texts(cls.__name__, cls.all_fields, state)

        return cls._edited(fields, state["instructions"])

    def source_text(cls) -> str:
        """All that makes this signature what it is, as text; the same in every process."""
        return editing.source_text(cls.__name__, cls.instructions, cls.all_fields)

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


class Signature(metaclass=SignatureMeta):
    """Inputs, outputs and instructions. Subclass it, or call it with a string:

        class Answer(Signature):
            \"\"\"Answer in one sentence.\"\"\"

            question: str = InputField()
            answer: str = OutputField(max_length=200)

        Signature("question, k: int -> answer", "Answer in one sentence.")

    A docstring is the instructions. A name without a type is str. The string form also takes types
    found where it is written, or in `custom_types`. Raises SignatureError.
    """

    def __new__(  # type: ignore[misc]  # calling it makes a class, not an instance
        cls,
        signature: str | Fields = "",
        instructions: str | None = None,
        *,
        name: str = "StringSignature",
        custom_types: Mapping[str, Any] | None = None,
        **inputs: object,
    ) -> type[Signature]:
        if cls is not Signature or inputs:
            raise SignatureError(
                f"{cls.__name__} has no instances; give it to a predictor: Predict({cls.__name__})"
            )

        return make_signature(signature, instructions, name, custom_types)


def make_signature(
    signature: str | Fields,
    instructions: str | None = None,
    name: str = "StringSignature",
    custom_types: Mapping[str, Any] | None = None,
) -> type[Signature]:
    """A signature class from its string form, from fields, or from fields (or type and field) by name.

    Raises SignatureError.
    """
    fields = _fields(signature, custom_types)

    return Signature.with_fields(name, fields, instructions, module=__name__)


def ensure_signature(
    signature: str | type[Signature], instructions: str | None = None
) -> type[Signature]:
    """The signature itself, or the one that a string writes; with other instructions, if given."""
    if isinstance(signature, str):
        return make_signature(signature, instructions)

    if not isinstance(signature, SignatureMeta):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise SignatureError(f"{signature!r} is no signature; give a string or a Signature class")

    return signature if instructions is None else signature.with_instructions(instructions)


def _fields(signature: str | Fields, custom_types: Mapping[str, Any] | None) -> Iterable[Field]:
    if isinstance(signature, str):
        return parse_signature(signature, TypeNames(custom_types))

    if isinstance(signature, Mapping):
        return [_named(name, field) for name, field in signature.items()]

    return signature


def _named(name: str, field: Field | tuple[Any, Field]) -> Field:
    type_, field = field if isinstance(field, tuple) else (None, field)

    return field.named(name, type_)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join([f"`{name}`" for name in names])
