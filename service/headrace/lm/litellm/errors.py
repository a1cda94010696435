"""Errors of ours, from what litellm raises.

Neither the class nor the words of litellm's errors are trusted: both change from one release to the
next, and a failed connection has the made-up status 500. What counts is what lies beneath them: a
response's status, a connection that failed, a body; and whether the answer had begun, because one that
cannot be read on is broken, whatever the reason.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp
import httpx

from headrace.errors import LMError, LMServerError, LMStreamBrokenError, LMTimeoutError
from headrace.lm.deadlines import Deadlines
from headrace.lm.errors import DETAIL_LIMIT, broken, distrust, refused, said_in_stream, unsupported
from headrace.lm.litellm import loading
from headrace.lm.litellm.providers import refused_of
from headrace.lm.litellm.routes import Route
from headrace.lm.loose_json import mapping

HTTP_LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp")
"""Those below litellm and its SDKs. What they raise without a response is a failed connection."""
FACE = "litellm.exceptions"
"""litellm's errors for its users, with numbers of its own."""


def translated(
    error: Exception, route: Route, deadlines: Deadlines, model: str, *, begun: bool, emitted: bool
) -> LMError:
    """The error for one of litellm's.

    begun: there was an answer to read. emitted: a piece of it went out.
    """
    chain = list(_chain(error))
    said = " ".join(dict.fromkeys(str(one) for one in chain))

    if isinstance(error, getattr(loading.litellm().exceptions, "UnsupportedParamsError", ())):
        provider = route.provider
        refused_options = refused_of(provider.model, provider.name, route.options)
        return unsupported(provider.name, refused_options, model, said)

    for response in filter(None, map(_refusal, chain)):
        return refused(
            response.status_code,
            said,
            model=model,
            headers=response.headers,
            body=_body(response),
        )

    if any(isinstance(one, httpx.ConnectTimeout | httpx.PoolTimeout) for one in chain):
        return LMTimeoutError("connect", deadlines.connect, model=model)

    if failed := [one for one in chain if _is_of(one, *HTTP_LIBRARIES)]:
        return broken(model, _distrust(chain) or _how(failed), emitted=emitted)

    if any(isinstance(one, UnicodeError | json.JSONDecodeError) for one in chain):
        return LMStreamBrokenError("the LM's answer has malformed JSON", model=model)

    return _reported(chain, said, model, begun=begun)


def _reported(chain: Sequence[Exception], said: str, model: str, *, begun: bool) -> LMError:
    """For errors that are told apart by attributes only: `body` as OpenAI's, or a status.

    litellm's own for its users count only before the answer, and with nothing beneath them.
    """
    for one in reversed(chain):
        if _is_of(one, FACE) and (begun or one is not chain[-1]):
            continue  # a made-up number

        if body := mapping(getattr(one, "body", None)):
            return said_in_stream(body, model=model)

        status = getattr(one, "status_code", None)

        if isinstance(status, int) and status >= 400:
            return refused(status, said, model=model)

    detail = said[:DETAIL_LIMIT]

    if begun:
        text = "the LM's answer broke off: litellm could not read on"
        return LMStreamBrokenError(text, model=model, detail=detail)

    text = f"litellm failed with {type(chain[-1]).__name__}"

    return LMServerError(text, model=model, detail=detail)


def _refusal(error: Exception) -> Any:
    """The response that a provider refused with. Those of litellm's own errors are made up."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    refuses = isinstance(status, int) and status >= 300

    return response if refuses and not _is_of(error, "litellm") else None


def _body(response: Any) -> str:
    """The body of a refusal, where litellm has read it."""
    try:
        return str(response.text)
    except httpx.ResponseNotRead:
        return ""


def _distrust(chain: Sequence[Exception]) -> str:
    """Why the provider's certificate is not trusted, if that is what lies at the bottom."""
    found = [one for one in chain if isinstance(one, ssl.SSLCertVerificationError)]

    return distrust(found[-1]) if found else ""


def _how(failed: Sequence[Exception]) -> str:
    """A few words on how a connection failed. The HTTP library at the bottom tells more."""
    match next((one for one in failed if isinstance(one, aiohttp.ClientError)), failed[-1]):
        case aiohttp.ClientConnectorDNSError():
            return "its host name is unknown"
        case aiohttp.ClientConnectorError():
            return "it cannot be reached"
        case _:
            return "the connection broke"


def _is_of(error: Exception, *modules: str) -> bool:
    """True for an error whose class comes from one of these modules, or from inside one."""
    return f"{type(error).__module__}.".startswith(tuple(f"{module}." for module in modules))


def _chain(error: BaseException) -> Iterator[Exception]:
    """The error and what it came from, outermost first."""
    seen: list[BaseException] = []
    rest: list[BaseException | None] = [error]

    while rest:
        one = rest.pop(0)

        if isinstance(one, Exception) and not any(one is other for other in seen):
            seen.append(one)
            rest += [getattr(one, "original_exception", None), one.__cause__, one.__context__]
            yield one
