"""Cases that every client passes, as in test_matrix.py: forms, sizes and order of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from headrace.runs.limits import MIB, Limits
from interop.road import Road, asked, ended, paved

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MANY = 1_000_000
"""Integers. Of one digit each: 2 MB of JSON text, which a server allows unless it is set otherwise, and
11 MB of Struct. Of seven digits: 8 MB and 11 MB, and 19 MB of both; a client takes 16 MiB."""
BASE = 1_000_000
BULKY = ("struct", "both")
TOO_LARGE = ("RunFailed", "RESOURCE_EXHAUSTED", "PREDICTION_TOO_LARGE")


async def test_output_forms(road: Road) -> None:
    """Outputs are read in any form; JSON text has integers beyond 2^53 exact, a Struct as decimal text."""
    forms = ("json", "both", "struct", "none")
    runs = [
        {**asked("echo", text="é", number=str(2**53 + 1)), "output_form": form} for form in forms
    ]
    *full, none = await road.play("read_each", *runs)

    assert [one.values["number"] for one in full] == [2**53 + 1, 2**53 + 1, str(2**53 + 1)]
    assert [one.values["text"] for one in full] == ["é", "é", "é"]
    assert none.error is None
    assert none.outputs in (None, "{}", "null")


async def test_large_prediction(road: Road) -> None:
    """A million integers arrive as JSON; in a form that is too large for them the client says which fits."""
    order = asked("counter", count=MANY)
    exact, none, *large = await road.play("read_each", *in_forms(order, "json", "none", *BULKY))
    large += await road.play("predict_each", *in_forms(order, *BULKY))
    large += await road.play("get_each", *in_forms(order, *BULKY))

    assert exact.values == {"numbers": [number % 10 for number in range(MANY)]}
    assert none.error is None
    assert [ended(one) for one in large] == [TOO_LARGE] * 6
    assert [(one.failure.metadata["fits"], one.failure.run_state) for one in large] == [
        ("JSON", "SUCCEEDED")
    ] * 6


async def test_answer_beyond_the_client(command: Sequence[str]) -> None:
    """What a server sends and a client by its own limit does not take fails by the same name, at once."""
    order = asked("counter", count=MANY, base=BASE)
    numbers = [BASE + number % 10 for number in range(MANY)]

    async with paved(command, limits=Limits(max_prediction_bytes=64 * MIB)) as road:
        exact, plain, *large = await road.play(
            "read_each", *in_forms(order, "json", "struct", "both")
        )
        large += await road.play("predict_each", *in_forms(order, "both"))
        large += await road.play("get_each", *in_forms(order, "both"))

    assert exact.values == plain.values == {"numbers": numbers}
    assert [ended(one) for one in large] == [TOO_LARGE] * 3


async def test_order_of_properties(road: Road) -> None:
    """Schemas, what is proposed and outputs keep the order in which their authors wrote them."""
    (program,) = await road.play("describe_each", asked("keeper"))
    answers = [{"value": True}]
    order = {
        **asked("keeper", task="set_gate", area="north"),
        "answers": answers,
        "include_data": True,
    }
    (reading,) = await road.play("answer_each", order)
    (question,) = reading.bodies("input_request")
    told = program.described
    assert told is not None

    assert orders(told["inputs"], told["outputs"], told["tools"]["set_gate"]) == [
        ["task", "area"],
        ["trajectory", "reasoning", "report", "grade"],
        ["sluice", "height", "by"],
    ]
    assert orders(question["answer_schema"]) == [["sluice", "height", "by"]]
    assert list(question["proposal"]) == ["sluice", "height"]
    assert list(reading.values) == ["trajectory", "reasoning", "report", "grade"]


def in_forms(order: dict[str, Any], *forms: str) -> list[dict[str, Any]]:
    """The same run, with its outputs in each of some forms."""
    return [{**order, "output_form": form} for form in forms]


def orders(*schemas: dict[str, Any]) -> list[list[str]]:
    """The properties of schemas, as they come."""
    return [list(schema["properties"]) for schema in schemas]
