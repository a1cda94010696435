"""What tests of the server share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def logging_put_back() -> Iterator[None]:
    """Undoes what a test does to the process's logging."""
    root, ours = logging.getLogger(), logging.getLogger("headrace")
    before = root.handlers[:], root.level, ours.level

    yield

    root.handlers[:], level, own = before
    root.setLevel(level)
    ours.setLevel(own)
