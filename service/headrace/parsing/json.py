r"""The JSON dialect: one object whose keys are the field names.

    {"reasoning": "It is the seat of government.", "answer": "Paris", "tags": ["city"]}

The text of a `str` field is its decoded string; of any other field, the JSON text of its value.

Rules:

- The object begins at the first `{` that is followed by a quote, whatever stands before it (prose, a
  code fence, a bracket), and ends at its `}`. One that holds no field is passed over. What follows
  the object is not read.
- Only keys of that object name fields: the same key deeper down does not. The first one wins.
  Unknown keys are skipped, but an object before any field, under a key that names an envelope
  (`json_input`, `response` …), is read as if its keys stood outside it. Between a value and the next key anything but a quote or `}` is skipped
  too, so a trailing or doubled comma does no harm.
- Strings may stand in double or single quotes. One that is a key's value ends at a quote followed by
  `}`, by commas and then a quote or `}`, or by nothing more (whitespace aside): other quotes are
  text, so unescaped ones in a string survive. For valid JSON this is where JSON ends it.
- Escapes are decoded, surrogate pairs joined; half a pair becomes U+FFFD. An unknown escape is text
  (`\d`), as are raw line breaks and control characters. An escape cut off by the end is dropped.
- A `str` field with another value has that value's JSON text; with `null` (or `None`) it counts as
  not given. A value without quotes or brackets ends at a comma or `}`.

Held back: in a string an unfinished escape, at most 11 characters, or a quote and the whitespace and
commas after it; in an array or object a backslash; in a bare value trailing whitespace, and for a
`str` field 4 characters that may be null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from headrace.parsing.escapes import unescape, unescape_end
from headrace.parsing.machine import SOLID, Machine, beginnings, spelled

ENVELOPES = frozenset(
    {
        "arguments",
        "input",
        "json",
        "json_input",
        "json_object",
        "json_tool_call",
        "output",
        "outputs",
        "parameter",
        "parameters",
        "response",
        "result",
        "values",
    }
)
"""Keys under which models that answer through a tool call, or think they do, put the whole object."""

_QUOTE_OR_ESCAPE = {'"': re.compile(r'["\\]'), "'": re.compile(r"['\\]")}
_KEY_OR_END = re.compile("[\"'}]")
_AFTER_KEY = re.compile("[:,}\"']")
_STRUCTURE = re.compile(r'[\[\]{}"]')
_SCALAR_END = re.compile("[,}]")
_NULL = re.compile(r"(?:null|None)(?=[\s,}])")
_NULL_BEGINNING = re.compile(f"{beginnings(spelled('null'))}|{beginnings(spelled('None'))}")


class JSONParser(Machine):
    """Reads a completion in the JSON dialect. `fields` says of each field whether it is a `str`."""

    def __init__(self, fields: Mapping[str, bool]) -> None:
        super().__init__(JSONParser._outside)
        self._fields = dict(fields)
        self._quote = '"'
        self._key: list[str] = []
        self._name = ""
        self._decodes = False
        self._tail: list[str] = []
        """A quote that may end the string, and what came after it."""
        self._depth = 0
        self._envelopes = 0
        """Those around the keys that are read."""

    # Around values

    def _outside(self, text: str, at: int) -> int:
        """Before the object."""
        brace = text.find("{", at)

        if brace < 0:
            return len(text)

        self._state = JSONParser._brace

        return brace + 1

    def _brace(self, text: str, at: int) -> int:
        """After a `{` that may begin the object."""
        solid = SOLID.search(text, at)

        if solid is None:
            return len(text)

        self._state = JSONParser._object if solid[0] in "\"'" else JSONParser._outside

        return solid.start()

    def _object(self, text: str, at: int) -> int:
        """Before a key, or the object's end."""
        mark = _KEY_OR_END.search(text, at)

        if mark is None:
            return len(text)

        if mark[0] != "}":
            self._quote = mark[0]
            self._state = JSONParser._in_key
        elif self._envelopes:
            self._envelopes -= 1
        else:
            self._state = JSONParser._ignore if self._seen else JSONParser._outside

        return mark.end()

    def _in_key(self, text: str, at: int) -> int:
        mark = _QUOTE_OR_ESCAPE[self._quote].search(text, at)

        if mark is None:
            self._key.append(text[at:])

            return len(text)

        end = mark.start()

        if mark[0] == "\\":
            if end + 1 == len(text):
                self._key.append(text[at:end])

                return self._hold(text, end)

            self._key.append(text[at : end + 2])

            return end + 2

        self._name = _key("".join(self._key) + text[at:end])
        self._key.clear()
        self._state = JSONParser._colon

        return end + 1

    def _colon(self, text: str, at: int) -> int:
        mark = _AFTER_KEY.search(text, at)

        if mark is None:
            return len(text)

        if mark[0] == ":":
            self._state = JSONParser._value

            return mark.end()

        self._state = JSONParser._object

        return mark.start()

    def _value(self, text: str, at: int) -> int:
        """Before a value."""
        solid = SOLID.search(text, at)

        if solid is None:
            return len(text)

        first, start = solid[0], solid.start()

        if first in "\"'":
            return self._begin_string(first, start)

        if first == "{" and self._is_envelope():
            self._envelopes += 1
            self._state = JSONParser._object
            start += 1
        elif first in "{[":
            self._begin(JSONParser._container)
        elif first in ",}":
            self._state = JSONParser._object
        else:
            return self._begin_scalar(text, start)

        return start

    def _is_envelope(self) -> bool:
        return self._name in ENVELOPES and self._name not in self._fields and not self._seen

    def _begin(self, state: Callable[[JSONParser, str, int], int], *, strips: bool = False) -> None:
        if self._name in self._fields:
            self._open(self._name, strips=strips)

        self._state = state

    # Strings

    def _begin_string(self, quote: str, at: int) -> int:
        self._begin(JSONParser._string)
        self._quote = quote
        self._decodes = self._fields.get(self._name, False)

        if not self._decodes:
            self._say(quote)

        return at + 1

    def _string(self, text: str, at: int) -> int:
        """Inside a string that is a value."""
        mark = _QUOTE_OR_ESCAPE[self._quote].search(text, at)

        if mark is None:
            self._say(text[at:])

            return len(text)

        self._say(text[at : mark.start()])

        if mark[0] == "\\":
            return self._escape(text, mark.start())

        self._tail = [self._quote]
        self._state = JSONParser._after_quote

        return mark.end()

    def _escape(self, text: str, at: int) -> int:
        if not self._decodes:
            return self._pass_escape(text, at)

        escape = unescape(text, at)

        if escape is None:
            return self._hold(text, at)

        self._say(escape.text)

        return escape.end

    def _after_quote(self, text: str, at: int) -> int:
        """After a quote that may end the string."""
        return self._end_string_at("}", text, at)

    def _after_comma(self, text: str, at: int) -> int:
        """After such a quote and commas."""
        return self._end_string_at("\"'}", text, at)

    def _end_string_at(self, ends: str, text: str, at: int) -> int:
        solid = SOLID.search(text, at)
        mark = solid.start() if solid else len(text)
        self._tail.append(text[at:mark])

        if solid is None:
            return mark

        if solid[0] in ends:
            self._end_string()
        elif solid[0] == ",":
            self._tail.append(",")
            self._state = JSONParser._after_comma
            mark += 1
        else:
            self._say("".join(self._tail))
            self._state = JSONParser._string

        return mark

    def _end_string(self) -> None:
        if not self._decodes:
            self._say(self._quote)

        self._end()
        self._state = JSONParser._object

    # Other values

    def _container(self, text: str, at: int) -> int:
        """Inside an array or object that is a value, outside its strings."""
        mark = _STRUCTURE.search(text, at)

        if mark is None:
            self._say(text[at:])

            return len(text)

        self._say(text[at : mark.end()])

        if mark[0] == '"':
            self._state = JSONParser._inner_string
        elif mark[0] in "[{":
            self._depth += 1
        else:
            self._depth -= 1

            if not self._depth:
                self._end()
                self._state = JSONParser._object

        return mark.end()

    def _inner_string(self, text: str, at: int) -> int:
        """Inside a string of such an array or object."""
        mark = _QUOTE_OR_ESCAPE['"'].search(text, at)

        if mark is None:
            self._say(text[at:])

            return len(text)

        if mark[0] == '"':
            self._say(text[at : mark.end()])
            self._state = JSONParser._container

            return mark.end()

        self._say(text[at : mark.start()])

        return self._pass_escape(text, mark.start())

    def _pass_escape(self, text: str, at: int) -> int:
        """An escape that stays as it is; what matters is that it ends no string."""
        if at + 1 == len(text):
            return self._hold(text, at)

        self._say(text[at : at + 2])

        return at + 2

    def _begin_scalar(self, text: str, at: int) -> int:
        if self._fields.get(self._name, False):
            if null := _NULL.match(text, at):
                self._seen.add(self._name)
                self._state = JSONParser._object

                return null.end()

            if _NULL_BEGINNING.fullmatch(text, at):
                return self._hold(text, at)

        self._begin(JSONParser._scalar, strips=True)

        return at

    def _scalar(self, text: str, at: int) -> int:
        """Inside a number, a word, or whatever stands there without quotes."""
        end = _SCALAR_END.search(text, at)
        mark = end.start() if end else len(text)
        self._say(text[at:mark])

        if end:
            self._end()
            self._state = JSONParser._object

        return mark

    def _finish(self, held: str) -> None:
        if self._state is JSONParser._string and self._decodes:
            held = unescape_end(held)
        elif self._state in (JSONParser._after_quote, JSONParser._after_comma):
            self._end_string()

        self._say(held)


def _key(raw: str) -> str:
    """A key with its escapes decoded, where they can be."""
    if "\\" not in raw:
        return raw

    try:
        return str(json.loads(f'"{raw}"'))
    except ValueError:
        return raw
