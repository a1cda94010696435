"""Answers: what somebody says to a question, and whether it is what was said before.

Two answers are the same when they have the same JSON form, as they came or after coercion. A question
that is over keeps digests of both, so that this can be told from the run's log alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from headrace.errors import InputInvalid
from headrace.events import InputKind, InputOutcome, InputRequest, InputResolved
from headrace.values import JSON, json_text


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody says to a question: an answer, or that there will be none."""

    answer: object = None
    """As JSON."""
    declines: bool = False
    reason: str = ""
    """Why, in a few words."""


class Answer(NamedTuple):
    """An answer that fits its question."""

    value: Any
    """As whoever asked takes it."""
    plain: JSON
    """The same as JSON."""


Read: TypeAlias = Callable[[Any], Answer]
"""Reads an answer that came as JSON. Raises InputInvalid, with paths that begin with "answer"."""


def meant(request: InputRequest, answer: object) -> object:
    """The answer as it is meant: where leave is asked for, true means the arguments proposed."""
    if request.kind is InputKind.APPROVAL and answer is True:
        return json.loads(request.proposal_json)

    return answer


def resolved_by(request: InputRequest, reply: Reply, answer: Answer | None) -> InputResolved:
    """The end of a question by a reply; `answer` is what was read of it, None if it declines."""
    if answer is None:
        return InputResolved(
            request.input_id, request.call_id, InputOutcome.DECLINED, reason=reply.reason
        )

    return InputResolved(
        request.input_id,
        request.call_id,
        InputOutcome.ANSWERED,
        json_text(answer.plain),
        reply.reason,
        f"{_digest(meant(request, reply.answer))} {_digest(answer.plain)}",
    )


def repeats(
    request: InputRequest, resolved: InputResolved, reply: Reply, read: Read | None = None
) -> bool:
    """True for a reply that says what ended the question. `read` reads its answer, where that is known."""
    if reply.declines:
        return resolved.outcome is InputOutcome.DECLINED

    given = meant(request, reply.answer)
    forms = {_digest(given)}

    if read is not None:
        with suppress(InputInvalid):
            forms.add(_digest(read(given).plain))

    return not forms.isdisjoint(resolved.digest.split())


def same(one: object, other: object) -> bool:
    """True for equal JSON values."""
    return _digest(one) == _digest(other)


def _digest(plain: object) -> str:
    """Equal for equal JSON, whatever the order of members; 3.0 is 3."""
    whole = json.loads(json.dumps(plain), parse_float=_number)
    text = json.dumps(whole, sort_keys=True)

    return hashlib.sha256(text.encode()).hexdigest()


def _number(text: str) -> float:
    value = float(text)

    return int(value) if value.is_integer() else value
