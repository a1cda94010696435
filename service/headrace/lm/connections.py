"""From a connection that failed to an error of ours."""

from __future__ import annotations

import ssl

from headrace.errors import LMError, LMStreamBrokenError, LMTransportError


def broken(model: str, how: str, *, emitted: bool) -> LMError:
    """The error for a connection that failed, before or after a piece of the answer went out."""
    if emitted:
        return LMStreamBrokenError(f"the LM's answer broke off: {how}", model=model)

    return LMTransportError(f"the LM's provider did not answer: {how}", model=model)


def distrust(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate is not trusted, in OpenSSL's words; without the host that they may name."""
    words: str = getattr(error, "verify_message", "")  # absent from errors that libraries derive
    why = words.partition(",")[0]

    return f"its certificate is not trusted ({why})" if why else "its certificate is not trusted"
