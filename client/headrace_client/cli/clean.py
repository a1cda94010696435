"""Text from callers, models and providers made harmless for terminals.

Any of them can be led to write escape sequences that move the cursor, change titles or hide text. Where
people read, each control character is shown as its picture; in logs it is spelled out; in JSON it is
escaped, and the value stays what it was.
"""

from __future__ import annotations

PICTURES = {
    **{code: chr(0x2400 + code) for code in range(0x20)},  # ␛ and kin
    0x7F: "␡",
    **dict.fromkeys(range(0x80, 0xA0), "�"),  # C1: some terminals take them as escapes too
    **dict.fromkeys((0x2028, 0x2029), "\n"),
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "�"),  # direction overrides
}
KEPT = {ord("\n"): "\n", ord("\t"): "\t"}

HARMLESS = {**PICTURES, **KEPT}

CONTROLS = (
    *range(0x20),
    *range(0x7F, 0xA0),  # C1
    *range(0x2028, 0x202F),  # line ends of Unicode's own, and direction overrides
    *range(0x2066, 0x206A),
)
SPELLED = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in CONTROLS}
SPELLED_IN_LINES = {code: text for code, text in SPELLED.items() if code not in KEPT}
ESCAPED = {code: f"\\u{code:04x}" for code in CONTROLS if code >= 0x20}
"""For JSON, whose text escapes the other control characters by itself."""


def clean(text: str) -> str:
    """The text without control characters other than line ends and tabs."""
    return text.translate(HARMLESS)


def one_line(text: str) -> str:
    """The text cleaned, on one line."""
    return " ".join(clean(text).split())


def clean_json(text: str) -> str:
    """JSON text of the same value without control characters."""
    return text.translate(ESCAPED)


def spelled_line(text: str) -> str:
    """The text on one line, control characters spelled out; line ends become blanks."""
    return " ".join(text.splitlines()).translate(SPELLED)


def spelled_lines(text: str) -> str:
    """The text with its line ends, other control characters spelled out."""
    return "\n".join(text.splitlines()).translate(SPELLED_IN_LINES)
