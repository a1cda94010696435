"""The string form of a signature: `question, k: int -> answer, scores: list[float]`.

A side is a list of fields parted by commas, a field a name and, after a colon, a type: names, dotted
names, subscripts, `|`, literals. Types are read as syntax trees; no part of the text is executed.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_type_hints

from headrace.errors import SignatureError
from headrace.signatures.annotations import is_type
from headrace.signatures.fields import Field, Side

_TOKENS = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|->|[\[\](){},]""")


def parse_signature(text: str, names: Mapping[str, Any]) -> list[Field]:
    """The fields of a signature, inputs first. Raises SignatureError."""
    sides = _split(text)

    if len(sides) != 2:
        count = "no" if len(sides) == 1 else "more than one"
        raise SignatureError(
            f"signature {text!r} has {count} '->'; write one, as in 'question -> answer'"
        )

    fields = [
        *(_field("input", piece, names) for piece in sides[0]),
        *(_field("output", piece, names) for piece in sides[1]),
    ]

    if not sides[1]:
        raise SignatureError(f"signature {text!r} has no output; name one after the '->'")

    return fields


def _split(text: str) -> list[list[str]]:
    """The pieces between commas of each part between arrows, brackets and quotes kept whole.

    Raises SignatureError for brackets that do not match.
    """
    sides: list[list[str]] = [[]]
    depth = start = 0

    for token in _TOKENS.finditer(text):
        sign = token.group()
        depth += (sign in "[({") - (sign in "])}")

        if depth == 0 and sign in (",", "->"):
            sides[-1].append(text[start : token.start()].strip())
            start = token.end()

            if sign == "->":
                sides.append([])

    if depth != 0:
        raise SignatureError(f"signature {text!r}: brackets do not match")

    sides[-1].append(text[start:].strip())

    # The last piece of a side is empty when the side is, or ends in a comma.
    return [side if side[-1] else side[:-1] for side in sides]


def _field(side: Side, piece: str, names: Mapping[str, Any]) -> Field:
    name, colon, type_ = (part.strip() for part in piece.partition(":"))

    if not name.isidentifier() or keyword.iskeyword(name):
        raise SignatureError(
            f"{side} {piece!r} is not a field; write a name, or a name and a type: 'count: int'"
        )

    if not colon:
        return Field(side).named(name)

    if not type_:
        raise SignatureError(f"{side} field {name!r}: there is no type after the colon")

    try:
        annotation = evaluate(type_, names)
    except SignatureError as error:
        raise SignatureError(f"{side} field {name!r}: {error}") from error.__cause__

    return Field(side).named(name, annotation)


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """The type that `text` writes. Raises SignatureError."""
    try:
        tree = ast.parse(f"({text})", mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SignatureError(f"{text!r} is not a type") from None

    try:
        annotation = _type(tree.body, names)
    except (TypeError, AttributeError, RecursionError) as error:
        raise SignatureError(f"{text!r} is not a type: {error}") from error

    if not is_type(annotation):
        raise SignatureError(f"{text!r} is not a type")

    return NoneType if annotation is None else annotation


def _type(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(name):
            return _named(name, names)
        case ast.Attribute(owner, name):
            return getattr(_type(owner, names), name)
        case ast.Subscript(base, index):
            return _subscripted(_type(base, names), index, names)
        case ast.BinOp(left, ast.BitOr(), right):
            return _type(left, names) | _type(right, names)
        case ast.List(items):  # the arguments of a Callable
            return [_type(item, names) for item in items]
        case ast.Constant(value) if value is None or value is ...:
            return value
        case ast.Constant(str(text)):
            return evaluate(text, names)
        case _:
            raise SignatureError(f"{ast.unparse(node)!r} cannot stand in a type")


def _named(name: str, names: Mapping[str, Any]) -> Any:
    try:
        return names[name]
    except KeyError:
        raise SignatureError(
            f"unknown type {name!r}; define it where the signature is written, or pass it: "
            f"Signature(..., custom_types={{{name!r}: {name}}})"
        ) from None


def _subscripted(base: Any, index: ast.expr, names: Mapping[str, Any]) -> Any:
    read = _literal if base is Literal else _type
    items = index.elts if isinstance(index, ast.Tuple) else None

    return base[read(index, names) if items is None else tuple(read(one, names) for one in items)]


def _literal(node: ast.expr, names: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Attribute):  # a member of an Enum
        return _type(node, names)

    try:
        return ast.literal_eval(node)
    except ValueError:
        raise SignatureError(f"{ast.unparse(node)!r} cannot stand in a Literal") from None


def resolve(annotation: Any, names: Mapping[str, Any]) -> Any:
    """An annotation of a class body, with what is written as a string replaced by what it means.

    Raises NameError for unknown names and whatever else evaluating the annotation raises.
    """
    holder = type("Holder", (), {"__annotations__": {"it": annotation}})

    return get_type_hints(holder, globalns={}, localns=names, include_extras=True)["it"]
