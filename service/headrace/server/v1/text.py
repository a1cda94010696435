"""Strings that are safe to send: encodable, and in statuses short and without control characters."""

from __future__ import annotations

import re

MAX_MESSAGE = 500
"""Code points of a status message."""

MAX_ENCODED = 1024
"""Bytes of a status message as gRPC sends it, percent-encoded."""

_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def sound(text: str) -> str:
    """The text with every lone surrogate replaced, code point for code point."""
    if text.isascii():
        return text

    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)

    return text


def line(text: str, limit: int = MAX_MESSAGE) -> str:
    """The text as one line of at most `limit` code points, without control characters."""
    flat = _CONTROLS.sub(" ", sound(text)).strip()

    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def status_message(text: str) -> str:
    """The text as the message of a status: one line that stays small in its encoding too."""
    flat = line(text)

    while _encoded(flat) > MAX_ENCODED:
        flat = flat[: len(flat) * 3 // 4] + "…"

    return flat


def ascii_value(text: str) -> str:
    """The text as a metadata value: printable ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in line(text))


def sized(text: str, most: int) -> str:
    """The text, or its beginning, in at most `most` bytes of UTF-8."""
    whole = sound(text)
    encoded = whole.encode()

    return whole if len(encoded) <= most else encoded[: most - 3].decode(errors="ignore") + "…"


def _encoded(text: str) -> int:
    return sum(1 if 0x20 <= byte <= 0x7E and byte != 0x25 else 3 for byte in text.encode())
