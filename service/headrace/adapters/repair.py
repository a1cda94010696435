"""Near-JSON, as models write it, mended by a library that is made for it.

The library's time grows faster than a badly broken text, and it runs on the event loop, where every
other run waits; so a text beyond LIMIT is not mended.
"""

from __future__ import annotations

import json_repair

LIMIT = 65_536
"""Characters."""


def mended(text: str) -> object:
    """The value that nearly-JSON stands for. Raises ValueError or RecursionError for a hopeless text."""
    if len(text) > LIMIT:
        raise ValueError(f"a text of more than {LIMIT} characters is not mended")

    found: object = json_repair.loads(text)

    return found
