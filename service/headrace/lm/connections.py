"""From a connection that failed to an error of ours."""

from __future__ import annotations

from headrace.errors import LMError, LMStreamBrokenError, LMTransportError


def broken(model: str, how: str, *, emitted: bool) -> LMError:
    """The error for a connection that failed, before or after a piece of the answer went out."""
    if emitted:
        return LMStreamBrokenError(f"the LM's answer broke off: {how}", model=model)

    return LMTransportError(f"the LM's provider did not answer: {how}", model=model)
