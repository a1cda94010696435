"""Text from models made harmless for terminals.

A model can be led to write escape sequences that move the cursor, change titles or hide text; every
control character is shown as its picture instead.
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

ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
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
