"""Errors of ours, from what a provider says and from how a connection failed.

Messages are ours alone. The provider's type and code are kept as names; what it wrote goes into
`detail`, which stays in the process: it may quote the prompt, or a key.
"""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Iterable, Mapping

from headrace.errors import (
    ContentRefusedError,
    ContextWindowExceededError,
    LMAuthError,
    LMBillingError,
    LMError,
    LMRateLimitError,
    LMRequestRejectedError,
    LMServerError,
    LMStreamBrokenError,
    LMTimeoutError,
    LMTransportError,
    LMUnsupportedError,
)
from headrace.lm.error_names import error_names
from headrace.lm.loose_json import mapping

DETAIL_LIMIT = 2000
"""Characters of a provider's words that are kept."""

CONTEXT_WINDOW = re.compile(
    r"context_length_exceeded|context (?:length|window)|maximum context|max_tokens_exceeded"
    r"|prompt is too long|input is too long|too many (?:input )?tokens|string_above_max_length"
    r"|exceeds? (?:the )?(?:model'?s? )?(?:maximum|max|available) (?:context|input|number of tokens)",
    re.IGNORECASE,
)
CONTENT = re.compile(
    r"content_filter|content[_ ]policy|content management policy|responsibleaipolicy"
    r"|invalid_prompt|moderation|flagged|safety system",
    re.IGNORECASE,
)
BILLING = re.compile(
    r"insufficient[_ ](?:quota|credits?|balance|funds)|exceeded your current quota|billing"
    r"|credit balance|payment required|requires more credits",
    re.IGNORECASE,
)

STATUS = re.compile("[45][0-9]{2}")
"""The HTTP statuses of errors."""
OF_EVERY_CALL = frozenset({"stream", "stream_options"})
"""Options that no caller wrote."""
LONGEST_WAIT = 366 * 24 * 3600.0
"""Seconds a provider can ask to wait; a longer wish is none, and not every message could hold it."""


def refused(
    status: int,
    said: str,
    *,
    model: str,
    headers: Mapping[str, str] | None = None,
    body: object = None,
) -> LMError:
    """The error for an HTTP status, or for the same number inside a stream.

    `said` is the provider's body or message; only its kind is taken from it, and the names in it
    unless the `body` itself is at hand.
    """
    kind, text = _kind(status, said)

    return kind(
        f"{text} (HTTP {status})",
        model=model,
        status_code=status,
        retry_after=retry_after(headers or {}),
        detail=said[:DETAIL_LIMIT],
        **error_names(body or said),
    )


def _kind(status: int, said: str) -> tuple[type[LMError], str]:
    if status in (400, 404, 413, 422) and CONTEXT_WINDOW.search(said):
        return ContextWindowExceededError, "the prompt is longer than the model's context window"

    if status in (400, 403, 422, 451) and CONTENT.search(said):
        return ContentRefusedError, "the provider's content filter refused the request"

    if status == 402 or (status in (400, 403, 429) and BILLING.search(said)):
        return LMBillingError, "the provider's account cannot pay for the request"

    if status in (401, 403):
        return LMAuthError, "the provider refuses the credentials"

    if status == 429:
        return LMRateLimitError, "the provider asks to slow down"

    if status in (408, 409) or status >= 500:
        return LMServerError, "the provider failed"

    if status == 404:
        return LMRequestRejectedError, "the provider knows no such model or address"

    if status < 400:
        return LMTransportError, "the provider redirects elsewhere; set api_base to the final URL"

    return LMRequestRejectedError, "the provider calls the request invalid"


def said_in_stream(error: object, *, model: str) -> LMError:
    """The error for an error object inside a stream that began with status 200."""
    fields = mapping(error) or {"message": error}
    said = " ".join(str(fields.get(name, "")) for name in ("type", "code", "message"))

    for name in ("code", "status", "status_code", "http_status"):
        status = str(fields.get(name, ""))

        if STATUS.fullmatch(status):
            return refused(int(status), said, model=model, body=fields)

    if "rate_limit" in said or "rate limit" in said.lower():
        return refused(429, said, model=model, body=fields)

    kind, text = _kind(400, said)

    if kind is LMRequestRejectedError and "invalid_request" not in said:
        kind, text = LMServerError, "the provider reported an error inside its answer"

    return kind(text, model=model, detail=said[:DETAIL_LIMIT], **error_names(fields))


def broken(model: str, how: str, *, emitted: bool) -> LMError:
    """The error for a connection that failed, before or after a piece of the answer went out."""
    if emitted:
        return LMStreamBrokenError(f"the LM's answer broke off: {how}", model=model)

    return LMTransportError(f"the LM's provider did not answer: {how}", model=model)


def distrust(error: Exception) -> str:
    """Why a certificate is not trusted, in OpenSSL's words; without the host that they may name."""
    words: str = getattr(error, "verify_message", "")  # absent from errors that libraries derive
    why = words.partition(",")[0]

    return f"its certificate is not trusted ({why})" if why else "its certificate is not trusted"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asks to wait, from its Retry-After or retry-after-ms header."""
    wish = _wish(headers.get("retry-after-ms", ""), headers.get("retry-after", ""))

    return max(0.0, wish) if wish <= LONGEST_WAIT else None


def _wish(milliseconds: str, value: str) -> float:
    """The seconds, however they are written; NaN for what is no time."""
    try:
        return float(milliseconds) / 1000 if milliseconds else float(value)
    except ValueError:
        pass

    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return math.nan


def unsupported(provider: str, options: Iterable[str], model: str, said: str) -> LMError:
    """The error for parameters that a provider or model does not take."""
    names = sorted(set(options) - OF_EVERY_CALL)
    several = len(names) > 1

    return LMUnsupportedError(
        f"{provider} does not take {'all of ' * several}{', '.join(names)} for this model, or not "
        f"with such a value; leave {'one' if several else 'it'} out, or set drop_params=True",
        model=model,
        detail=said[:DETAIL_LIMIT],
    )


def may_retry(error: LMError) -> bool:
    """True where the same request, sent again, may succeed: 408, 409, 429, 5xx, connection errors."""
    if isinstance(error, LMTimeoutError):
        return error.phase == "connect"

    if isinstance(error, LMTransportError):
        return error.status_code is None

    return isinstance(error, LMRateLimitError | LMServerError) and error.status_code is not None
