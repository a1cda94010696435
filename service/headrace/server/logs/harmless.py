"""Text from callers, models and providers made harmless for terminals: control characters are spelled out.

A caller can put escape sequences into names and reasons, that would move an operator's cursor, change
titles or hide text.
"""

from __future__ import annotations

import json

CONTROLS = (
    *range(0x20),
    *range(0x7F, 0xA0),  # C1: some terminals take them as escapes too
    *range(0x2028, 0x202F),  # line ends of Unicode's own, and direction overrides
    *range(0x2066, 0x206A),
)

SPELLED = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in CONTROLS}
IN_TEXT = {code: text for code, text in SPELLED.items() if chr(code) not in "\n\t"}
IN_JSON = {code: f"\\u{code:04x}" for code in CONTROLS if code >= 0x20}
"""JSON's own escapes: the value stays what it was. What is below 0x20 `json` writes so by itself."""


def one_line(text: str) -> str:
    """The text on one line: line ends become blanks."""
    return " ".join(text.splitlines()).translate(SPELLED)


def lines(text: str) -> str:
    """The text with its line ends, which are nobody's escapes."""
    return "\n".join(text.splitlines()).translate(IN_TEXT)


def quoted(value: object) -> str:
    """A value behind `name=`: in quotes where it could be taken for more than one."""
    text = one_line(str(value))

    return json.dumps(text, ensure_ascii=False) if not text or set(text) & set(' ="') else text


def json_line(value: object) -> str:
    """The value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=str).translate(IN_JSON)
