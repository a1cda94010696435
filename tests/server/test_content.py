"""Content of calls: taken when they happen, in JSON values, of bounded size."""

from __future__ import annotations

import enum
import json
from typing import Any

from headrace.errors import AdapterParseError, bare
from headrace.events import Kind, Phase, Status
from headrace.log import RunLog
from headrace.runs.sanitize import with_content, without_content
from headrace.values import Prediction
from headrace.values.previews import CUT, MAX_SIZE
from headrace.values.previews import shown as shown_content
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel


def shown(value: object) -> Any:
    return shown_content({"value": value})["value"]


class Point(BaseModel):
    x: int


def test_values_are_shown_as_json() -> None:
    assert shown({"a": [1, (2.5, None)], 3: True}) == {"a": [1, [2.5, None]], "3": True}
    assert shown(float("inf")) == "inf"
    assert shown([Point(x=1), Prediction(answer="why")]) == [{"x": 1}, {"answer": "why"}]
    assert shown(object()) == "<object>"


def test_what_is_deep_or_long_is_cut() -> None:
    deep: list[object] = []
    deep.append(deep)

    assert json.dumps(shown(deep)).count("[") == 12
    assert shown("x" * 2 * MAX_SIZE).endswith(CUT)
    assert shown([10**400, 10**10_000]) == [CUT, CUT]


class Color(enum.Enum):
    RED = "red"


class Silent:
    def __str__(self) -> str:
        raise RuntimeError("no name")

    def toDict(self) -> object:
        return self


def test_a_value_that_cannot_be_looked_at_hurts_no_other() -> None:
    assert shown([{Silent(): 1}, Silent(), Color.RED, 1]) == ["<dict>", "<Silent>", "red", 1]


@given(
    st.recursive(
        st.text() | st.binary() | st.integers() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_content_is_json_of_bounded_size(value: object) -> None:
    assert len(json.dumps(shown([value] * 50), allow_nan=False)) < 12 * MAX_SIZE


def test_a_log_keeps_content_as_it_was_or_not_at_all() -> None:
    inputs: dict[str, object] = {"question": "why?"}
    status = Status(Kind.MODULE, Phase.START, 1, 0, "self", data=inputs)
    keeping, blind = RunLog(prepare=with_content), RunLog(prepare=without_content)
    keeping.append(status)
    blind.append(status)
    inputs["question"] = "changed"

    assert [entry.event.data for entry in keeping.read() if isinstance(entry.event, Status)] == [
        {"question": "why?"}
    ]
    assert [entry.event.data for entry in blind.read() if isinstance(entry.event, Status)] == [None]


def test_errors_are_kept_without_what_they_hold_on_to() -> None:
    error = AdapterParseError("ChatAdapter", "no answer", lm_response="model text")
    error.__cause__ = ValueError("a cause with frames")
    kept = bare(error)

    assert isinstance(kept, AdapterParseError)
    assert (kept.message, kept.reason, kept.metadata) == (
        "no answer",
        "OUTPUT_UNPARSABLE",
        {"adapter": "ChatAdapter"},
    )
    assert (kept.lm_response, kept.__cause__) == ("", None)
    assert error.lm_response == "model text"
