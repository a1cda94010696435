"""Editing: the fields of a signature with one more, one less, or one changed; and its texts, stored.

Nothing here knows a signature: each function takes fields and gives others, and SignatureMeta makes
a new signature of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headrace.errors import SignatureError
from headrace.signatures.fields import Field, Side


def inserted(
    fields: Sequence[Field], index: int, name: str, field: Field, type_: Any
) -> list[Field]:
    """The fields with one more, at `index` among those of its side; -1 is the end.

    Raises SignatureError for what is no field, and for a place that is not there.
    """
    if not isinstance(field, Field):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise SignatureError(f"field {name!r} is no field; give InputField() or OutputField()")

    own = [one for one in fields if one.side == field.side]
    others = [one for one in fields if one.side != field.side]
    place = index if index >= 0 else len(own) + 1 + index

    if not 0 <= place <= len(own):
        raise SignatureError(f"cannot insert {name!r} at {index} among {len(own)} fields")

    own.insert(place, field.named(name, type_))

    return [*own, *others]


def deleted(fields: Iterable[Field], name: str, side: Side | None) -> list[Field]:
    """The fields without those of the name, on both sides unless one is named."""
    return [one for one in fields if not _is_named(one, name, side)]


def updated(
    owner: str,
    fields: Sequence[Field],
    name: str,
    type_: Any = None,
    side: Side | None = None,
    changes: Mapping[str, Any] | None = None,
) -> list[Field]:
    """The fields of `owner` with those of the name changed where they stand.

    Raises SignatureError for an unknown change, and where no field has the name.
    """
    if not any(_is_named(one, name, side) for one in fields):
        there = ", ".join(dict.fromkeys(one.name for one in fields))
        raise SignatureError(f"{owner} has no field {name!r} to update; it has {there}")

    return [
        one.changed(changes or {}).named(name, type_) if _is_named(one, name, side) else one
        for one in fields
    ]


def dump_texts(instructions: str, fields: Iterable[Field]) -> dict[str, Any]:
    """The texts of a signature, JSON-safe: instructions, descriptions and prefixes."""
    return {
        "instructions": instructions,
        "fields": [
            {"side": one.side, "name": one.name, "desc": one.desc, "prefix": one.prefix}
            for one in fields
        ],
    }


def load_texts(owner: str, fields: Sequence[Field], state: Mapping[str, Any]) -> Sequence[Field]:
    """The fields of `owner` with texts from `dump_texts`. Raises SignatureError for others than these."""
    for stored in state["fields"]:
        texts = {"desc": stored["desc"], "prefix": stored["prefix"]}
        fields = updated(owner, fields, stored["name"], side=stored["side"], changes=texts)

    return fields


def source_text(name: str, instructions: str, fields: Iterable[Field]) -> str:
    """All that makes a signature the one it is, as text; the same in every process."""
    facts = [
        {
            "side": one.side,
            "name": one.name,
            "type": one.type_text,
            "prefix": one.prefix,
            "constraints": one.constraints,
            "schema": one.json_schema(),
            "default_factory": getattr(one.default_factory, "__qualname__", None),
        }
        for one in fields
    ]

    return json.dumps([name, instructions, facts], sort_keys=True)


def _is_named(field: Field, name: str, side: Side | None) -> bool:
    return field.name == name and side in (None, field.side)
