"""JSON values as text, as they are kept and sent, and how large a text is."""

from __future__ import annotations

import json


def json_text(value: object) -> str:
    """JSON values as text: without blanks, members in their order, exact integers."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def utf8_size(text: str) -> int:
    """Bytes of a text as UTF-8; half a surrogate pair, which that does not have, counts as one."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
