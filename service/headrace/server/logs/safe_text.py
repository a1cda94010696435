"""Text made safe to log: secrets are hidden, and control characters are spelled out.

A caller can put escape sequences into names and reasons, that would move an operator's cursor, change
titles or hide text; so can a model and a provider.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping

HIDDEN = "[hidden]"

_NAMES = re.compile(r"(KEY|TOKEN|TOKENS|SECRET|PASSWORD|CREDENTIALS)$")
_PATTERNS = (
    re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|ghp|AKIA|AIza)[-_A-Za-z0-9]{8,}"),
    re.compile(r"(?i)(?<=bearer )[^\s\"',;]+"),
    re.compile(
        r"(?i)(?<=key=)(?!…)[^\s&\"',;]+|(?<=token=)[^\s&\"',;]+|(?<=password=)[^\s&\"',;]+"
    ),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
)
_MIN_LENGTH = 8
"""Shorter values of the environment are no secrets, and would hide half of every line."""

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


class Redactor:
    """Hides secrets in text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({one for one in secrets if len(one) >= _MIN_LENGTH}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """The text without its secrets."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)

        for pattern in _PATTERNS:
            text = pattern.sub(HIDDEN, text)

        return text


def secrets_of(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Values of variables whose names say that they are secrets."""
    values = [value for name, value in environment.items() if _NAMES.search(name.upper())]

    return [part for value in values for part in (value, *re.split(r"[\s=,;]+", value))]


def own_redactor(tokens: str) -> Redactor:
    """For this process: hides the secrets of its environment, and configured `name=token`s."""
    return Redactor([*secrets_of(), *tokens.split("=")])


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
