"""Signature: what goes into a predictor and what comes out, as a class.

Inputs and outputs are two namespaces: one name may stand on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from headrace.errors import SignatureError
from headrace.signatures.fields import Field
from headrace.signatures.grammar import parse_signature
from headrace.signatures.meta import SignatureMeta
from headrace.signatures.names import Names

Fields: TypeAlias = Sequence[Field] | Mapping[str, Field | tuple[Any, Field]]


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
        return parse_signature(signature, Names(custom_types))

    if isinstance(signature, Mapping):
        return [_named(name, field) for name, field in signature.items()]

    return signature


def _named(name: str, field: Field | tuple[Any, Field]) -> Field:
    type_, field = field if isinstance(field, tuple) else (None, field)

    return field.named(name, type_)
