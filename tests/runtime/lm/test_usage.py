"""Usage: what a provider counts and bills, also where it is no count and no price."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from headrace.errors import UsageError
from headrace.events import LmCall, Usage, count_of, price_of
from headrace.lm import LM, BaseLM, Choice, Completion, Receive, Request, configure_cache
from headrace.lm.engines import Provider
from headrace.lm.litellm import loading
from headrace.lm.litellm.catalog import MAX_COUNT, usage_of
from headrace.server.v1.events import MAX_INT32, usage_message
from headrace_mock import MockLM, Reply
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from runtime.lm.wire_shapes import chunk

UNPRICED = Provider("openai", "no-such-model")
PRICED = Provider("openai", "gpt-4o-mini")
NO_COUNTS: list[Any] = [
    True,
    False,
    5.5,
    "12",
    -3,
    -3.0,
    math.nan,
    math.inf,
    None,
    "",
    [],
    [5],
    {},
    {"a": 1},
]
TOO_MANY: list[Any] = [2**31, 2**40, 10**30, 1e30, 10**400]
NO_PRICES: list[Any] = [
    True,
    False,
    "0.1",
    -1,
    -0.5,
    math.nan,
    math.inf,
    -math.inf,
    10**400,
    None,
    [],
    {},
]
FIELDS = [
    ("prompt_tokens", "input_tokens"),
    ("completion_tokens", "output_tokens"),
    ("prompt_cache_hit_tokens", "cached_input_tokens"),
    ("cache_creation_input_tokens", "cache_write_tokens"),
]


def used(counts: dict[str, Any], provider: Provider = UNPRICED) -> Usage:
    """The usage of one call, without its model's own."""
    usage = usage_of(provider, "m", counts)
    alone = replace(usage, models={})
    assert usage.models == {"m": alone}

    return alone


@pytest.mark.parametrize("value", [*NO_COUNTS, *TOO_MANY], ids=lambda value: str(value)[:12])
@pytest.mark.parametrize("wire", [wire for wire, _ in FIELDS])
def test_what_is_no_count_counts_as_none(wire: str, value: object) -> None:
    assert used({wire: value}) == Usage(lm_calls=1)


@pytest.mark.parametrize("value", [5, 5.0])
@pytest.mark.parametrize(("wire", "name"), FIELDS)
def test_a_count_is_a_whole_number_however_json_writes_it(
    wire: str, name: str, value: object
) -> None:
    assert used({wire: value}) == Usage(lm_calls=1, **{name: 5})  # type: ignore[arg-type]  # a count


@pytest.mark.parametrize("details", [[], [1], "text", None, 5, True, math.nan])
def test_details_that_are_no_object_say_nothing(details: object) -> None:
    counts = {"prompt_tokens": 5, "prompt_tokens_details": details}

    assert used({**counts, "completion_tokens_details": details}) == Usage(5, lm_calls=1)


@pytest.mark.parametrize("value", [*NO_COUNTS, *TOO_MANY], ids=lambda value: str(value)[:12])
def test_details_that_are_no_counts_count_as_none(value: object) -> None:
    counts = {
        "prompt_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": value},
        "completion_tokens_details": {"reasoning_tokens": value},
    }

    assert used(counts) == Usage(5, lm_calls=1)


@pytest.mark.parametrize(
    "counts",
    [
        {"prompt_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 300}},
        {"prompt_tokens_details": {"cached_tokens": 200, "cache_creation_tokens": 300}},
        {"prompt_tokens_details": {"cached_tokens": 200, "cache_creation_input_tokens": 300}},
        {"prompt_tokens_details": {"cached_tokens": 200}, "cache_creation_input_tokens": 300},
        {
            "prompt_tokens_details": {"cached_tokens": 200, "cache_write_tokens": "many"},
            "cache_creation_input_tokens": 300,
        },
    ],
    ids=["openrouter", "bedrock", "dashscope", "anthropic", "odd"],
)
def test_what_a_provider_wrote_to_its_cache_counts_under_whatever_name(
    counts: dict[str, Any],
) -> None:
    usage = used({"prompt_tokens": 1000, **counts})

    assert usage == Usage(1000, 0, 200, 300, lm_calls=1)


def test_what_was_written_to_the_cache_has_a_price_of_its_own() -> None:
    provider = Provider("anthropic", "claude-sonnet-4-5")
    counts = {
        "prompt_tokens": 1000,
        "prompt_tokens_details": {"cached_tokens": 200},
        "cache_creation_input_tokens": 300,
    }
    plain, read, written = 500 * 3e-6, 200 * 0.3e-6, 300 * 3.75e-6

    assert used(counts, provider).cost_usd == pytest.approx(plain + read + written)


@pytest.mark.parametrize("billed", NO_PRICES, ids=lambda value: str(value)[:12])
def test_what_is_no_price_is_estimated_where_the_price_is_known(billed: object) -> None:
    counts = {"prompt_tokens": 1000, "cost": billed}

    assert used(counts).cost_usd is None
    assert used(counts, PRICED).cost_usd == pytest.approx(1000 * 0.15e-6)


@pytest.mark.parametrize("billed", [0, 0.0, 3, 0.25])
def test_what_the_provider_billed_is_the_price(billed: float) -> None:
    assert used({"prompt_tokens": 1000, "cost": billed}, PRICED).cost_usd == billed


@pytest.mark.parametrize(
    "prices", [None, (), ("a", "b"), (math.nan, 1.0), (-5.0, 1.0), (1e308, 1e308)]
)
def test_an_estimate_that_is_no_price_is_none(
    prices: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def estimate(**asked: object) -> object:
        return prices

    monkeypatch.setattr(loading.litellm(), "cost_per_token", estimate)

    assert used({"prompt_tokens": 5}, PRICED).cost_usd is None


def test_an_estimate_that_fails_is_no_price(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**asked: object) -> object:
        raise RuntimeError("no such model")

    monkeypatch.setattr(loading.litellm(), "cost_per_token", fail)

    assert used({"prompt_tokens": 5}, PRICED) == Usage(5, lm_calls=1)


ODD_USAGES: dict[str, Any] = {
    "a list": [],
    "a list of numbers": [1, 2],
    "text": "many",
    "a number": 5,
    "true": True,
    "NaN counts": {"prompt_tokens": math.nan, "completion_tokens": 2},
    "true as a count": {"prompt_tokens": True, "completion_tokens": True},
    "halves": {"prompt_tokens": 0.5, "completion_tokens": 2.5},
    "negative": {"prompt_tokens": -5, "completion_tokens": -2},
    "beyond 64 bits": {"prompt_tokens": 10**30, "completion_tokens": 10**400},
    "objects": {"prompt_tokens": {"a": 1}, "completion_tokens": [2]},
    "lists of details": {"prompt_tokens": 5, "prompt_tokens_details": [1]},
    "odd details": {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": "many"}},
    "a price in words": {"prompt_tokens": 5, "cost": "0.1"},
    "a price that is NaN": {"prompt_tokens": 5, "cost": math.nan},
    "a price without end": {"prompt_tokens": 5, "cost": 10**400},
    "a lone surrogate": {"prompt_tokens": "\ud800", "completion_tokens": "\ud800"},
}


@pytest.mark.parametrize("engine", ["direct", "litellm"])
@pytest.mark.parametrize("odd", ODD_USAGES)
async def test_an_answer_stands_whatever_its_usage_says(engine: Any, odd: str) -> None:
    last: dict[str, Any] = {**chunk({}), "choices": [], "usage": ODD_USAGES[odd]}

    async def play(reply: Reply) -> None:
        await reply.open()

        for event in (chunk({"content": "fine"}), chunk({}, "stop"), last):
            await reply.send(b"data: " + json.dumps(event).encode() + b"\n\n")

        await reply.end()

    configure_cache(enabled=False)

    async with MockLM({"gpt-4o-mini": play}) as mock:
        lm = LM("openai/gpt-4o-mini", engine=engine, api_base=mock.base_url, api_key="k")
        completion = await lm.complete([{"role": "user", "content": "hi"}])

    usage = completion.usage
    sent = pb.Usage.FromString(usage_message(usage).SerializeToString())
    assert (completion.text, len(mock.requests)) == ("fine", 1)
    assert max(usage.input_tokens, usage.output_tokens) <= MAX_COUNT
    assert (sent.input_token_count, sent.lm_call_count) == (usage.input_tokens, 1)
    assert usage.cost_usd is None or 0 <= usage.cost_usd < math.inf


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
USAGES = st.builds(
    Usage,
    *[ANYTHING] * 7,
    ANYTHING | st.dictionaries(ANYTHING.filter(str.__instancecheck__), ANYTHING),
)


@given(st.lists(USAGES, max_size=4))
def test_any_usage_adds_up_and_can_be_sent(usages: list[Usage]) -> None:
    total = sum(usages, Usage(models={"m": Usage(models={"deeper": Usage()})}))
    sent = pb.Usage.FromString(usage_message(total).SerializeToString())

    assert sent.input_token_count == min(total.input_tokens, MAX_INT32)
    assert math.isfinite(sent.cost_usd)
    assert sent.models == [pb.ModelUsage(model="m")]


def test_sums_beyond_what_a_message_holds_stay_at_its_most() -> None:
    total = sum([Usage(MAX_COUNT)] * 3, Usage())

    assert total == Usage(3 * MAX_COUNT)
    assert usage_message(total).input_token_count == MAX_INT32


@given(ANYTHING)
def test_counts_and_prices_are_numbers_of_their_kind(value: object) -> None:
    price = price_of(value)

    assert type(count_of(value)) is int
    assert count_of(value) >= 0
    assert price is None or (type(price) is float and 0 <= price < math.inf)


class OddLM(BaseLM):
    """An LM of a user's own, which gives what it was made with."""

    def __init__(self, completion: Any) -> None:
        super().__init__("odd")
        self.completion = completion

    async def generate(self, request: Request, receive: Receive) -> Completion:
        return self.completion  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("text", "OddLM.generate must return a Completion, not str"),
        (None, "OddLM.generate must return a Completion, not NoneType"),
        (Completion([Choice("x")], {"input": 1}), "usage of a Completion is a Usage, not dict"),  # type: ignore[arg-type]
        (Completion([Choice("x")], None), "usage of a Completion is a Usage, not NoneType"),  # type: ignore[arg-type]
    ],
    ids=["text", "nothing", "a dict for usage", "no usage"],
)
async def test_an_lm_of_ones_own_that_gives_something_else_is_told(given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        await OddLM(given).acall("hi")


async def test_an_lm_of_ones_own_may_count_oddly() -> None:
    usage = Usage(True, 5.5, "12", cost_usd=math.nan, models=None)  # type: ignore[arg-type]
    completion = Completion([Choice("x")], usage, lm=LmCall("m"))

    assert (await OddLM(completion).complete([])).usage == Usage()
