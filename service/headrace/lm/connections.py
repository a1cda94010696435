"""From a connection that failed to an error of ours."""

from __future__ import annotations

import aiohttp

from headrace.errors import LMError, LMStreamBrokenError, LMTransportError


def broken(model: str, error: Exception, *, emitted: bool) -> LMError:
    """The error for a connection that failed, before or after a piece of the answer went out."""
    how = _how(error)

    if emitted:
        return LMStreamBrokenError(f"the LM's answer broke off: {how}", model=model)

    return LMTransportError(f"the LM's provider did not answer: {how}", model=model)


def _how(error: Exception) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its host name is unknown"
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorError():
            return "it cannot be reached"
        case _:
            return "the connection broke"
