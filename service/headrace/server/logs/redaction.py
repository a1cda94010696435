"""Redaction: takes secrets out of text, the known ones and what looks like one."""

from __future__ import annotations

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
