"""Puts tool calls together from their pieces, also where a provider's indexes or ids are of little use.

OpenAI gives every call an index of its own, and sends its id and name in the first piece only. Others
put all calls under one index or none, repeat id and name in every piece, or leave ids out. The rule:

- A piece continues the newest call under its index, unless it names the id of another one. A piece
  without an index counts by its place among the pieces of its chunk, and one that comes alone continues
  the newest call of all.
- It begins a call instead if it names another function, if it names a function under another id or
  under a new index, or if the call it would continue has its arguments whole and the piece brings a
  name or another id.
- What repeats a whole call, under the same id and index, adds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from headrace.lm.loose_json import mapping, text_of
from headrace.lm.surrogates import mend


@dataclass(frozen=True, slots=True)
class Piece:
    """One chunk's part of one call; an empty text is one that it leaves out."""

    index: int | None
    id: str
    name: str
    arguments: str


class ToolCall:
    """One call as far as it has come."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = self.name = ""
        self._arguments: list[str] = []

    def add(self, piece: Piece) -> None:
        """Takes a piece. An id and a name stay as they first came."""
        self.id = self.id or piece.id
        self.name = self.name or piece.name

        if piece.arguments and not self._repeated_by(piece):
            self._arguments.append(piece.arguments)

    def is_followed_by(self, piece: Piece) -> bool:
        """True for a piece that begins another call, though it would continue this one."""
        other_id = bool(piece.id and self.id) and piece.id != self.id
        other_name = bool(piece.name and self.name) and piece.name != self.name

        if other_name or (other_id and piece.name):
            return True

        return bool(piece.name or other_id) and not self._repeated_by(piece) and self._is_whole()

    def as_sent(self) -> dict[str, Any]:
        """The call as OpenAI writes it."""
        function = {"name": self.name, "arguments": mend(self._joined())}

        return {"id": self.id, "type": "function", "function": function}

    def _repeated_by(self, piece: Piece) -> bool:
        if not self.id or piece.id != self.id or piece.index not in (None, self.index):
            return False

        return not piece.arguments or (
            piece.arguments.endswith("}") and piece.arguments == self._joined()
        )

    def _is_whole(self) -> bool:
        if not self._arguments or not self._arguments[-1].rstrip().endswith("}"):
            return False  # without looking at the whole: this is asked for many pieces

        try:
            return type(orjson.loads(mend(self._joined()))) is dict
        except ValueError:
            return False

    def _joined(self) -> str:
        self._arguments = ["".join(self._arguments)]

        return self._arguments[0]


class ToolCalls:
    """The calls of one completion."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._by_index: dict[int, ToolCall] = {}  # the newest under each
        self._by_id: dict[str, ToolCall] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, pieces: Sequence[Any]) -> None:
        """Takes the pieces of one chunk."""
        for place, piece in enumerate(map(_piece, pieces)):
            index = place if piece.index is None and len(pieces) > 1 else piece.index
            call = self._continued_by(piece, index)

            if call is None or call.is_followed_by(piece):
                call = self._begin(piece, index)

            call.add(piece)

            if piece.id:
                self._by_id[piece.id] = call

    def whole(self) -> list[dict[str, Any]]:
        """The calls in the order of their indexes; those that share one, as they came."""
        return [call.as_sent() for call in sorted(self._calls, key=lambda call: call.index)]

    def _continued_by(self, piece: Piece, index: int | None) -> ToolCall | None:
        newest = self._calls[-1] if self._calls else None
        beside = newest if index is None else self._by_index.get(index)

        if beside is not None and piece.id in ("", beside.id):
            return beside

        known = self._by_id.get(piece.id)

        if known is not None and not (piece.name and piece.index not in (None, known.index)):
            return known

        return beside or (None if piece.name or piece.id else newest)

    def _begin(self, piece: Piece, index: int | None) -> ToolCall:
        call = ToolCall(len(self._calls) if piece.index is None else piece.index)
        self._calls.append(call)

        if index is not None:
            self._by_index[index] = call

        return call


def _piece(sent: object) -> Piece:
    fields = mapping(sent)
    function = mapping(fields.get("function"))
    index = fields.get("index")

    return Piece(
        index if type(index) is int else None,
        text_of(fields.get("id")),
        text_of(function.get("name")),
        _arguments(function.get("arguments")),
    )


def _arguments(arguments: object) -> str:
    """The text of arguments; some providers send the object itself."""
    if arguments is None:
        return ""

    return arguments if isinstance(arguments, str) else json.dumps(arguments)
