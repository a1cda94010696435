"""Numbers and values as people read them."""

from __future__ import annotations

import json
import time
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from headrace_client import Failure, InputResolved, Usage
from headrace_client.cli.clean import clean, clean_json, one_line


def seconds(length: float) -> str:
    """A length of time: 0.4 s, 12 s, 3:05."""
    if length < 10:
        return f"{length:.1f} s"

    if length < 60:
        return f"{length:.0f} s"

    return f"{int(length) // 60}:{int(length) % 60:02}"


def clock(moment: float) -> str:
    """A moment, in seconds since 1970, as this machine's clock shows it: 14:05:03."""
    return time.strftime("%H:%M:%S", time.localtime(moment))


def counted(number: int, noun: str) -> str:
    """1 call, 2 calls, 1,000 calls."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def field_label(predictor: str, field: str) -> str:
    """A field as it is named to people; that of a program that is one predictor by itself."""
    return one_line(field if predictor == "self" else f"{predictor}.{field}")


def usage_line(usage: Usage) -> str:
    """LM work in a line: 3 LM calls, 1 from the cache, 1,234 tokens in, 56 out, $0.0012."""
    parts = [counted(usage.lm_call_count, "LM call")]

    if usage.cache_hit_count:
        parts.append(f"{usage.cache_hit_count:,} from the cache")

    if usage.input_token_count or usage.output_token_count:
        parts.append(f"{counted(usage.input_token_count, 'token')} in")
        parts.append(f"{usage.output_token_count:,} out")

    if usage.HasField("cost_usd"):
        parts.append(money(usage.cost_usd))

    return ", ".join(parts)


def money(dollars: float) -> str:
    """Dollars with as many digits as say something: $1.20, $0.0012, $0.000004."""
    digits = 2 if dollars == 0 or dollars >= 0.1 else 4 if dollars >= 0.001 else 6

    return f"${dollars:.{digits}f}"


def failure_text(failure: Failure) -> str:
    """A failure as `REASON: message`; empty for none."""
    return ": ".join(filter(None, (failure.reason, failure.message)))


def outcome_text(resolved: InputResolved) -> str:
    """How a question ended: answered, declined with its reason, expired, withdrawn."""
    outcome = InputResolved.Outcome.Name(resolved.outcome).removeprefix("OUTCOME_").lower()

    return ": ".join(filter(None, (outcome, resolved.reason)))


def value_text(value: Any) -> str:
    """An output as text: strings as they are, everything else as JSON."""
    if isinstance(value, str):
        return clean(value)

    return clean(json.dumps(value, ensure_ascii=False, indent=2))


def message_json(message: Message, indent: int | None = None) -> str:
    """A message of the contract as JSON, on one line unless indented."""
    return clean_json(json_format.MessageToJson(message, indent=indent, ensure_ascii=False))
