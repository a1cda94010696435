"""The names that providers give to what went wrong: found in every shape, and never more than names."""

from __future__ import annotations

from typing import Any

import pytest
from headrace.errors import LMError
from headrace.lm import LM
from headrace.lm.error_names import error_names
from headrace_mock import MockLM, Reply
from hypothesis import given
from hypothesis import strategies as st

OPENAI = {"message": "hi", "type": "invalid_request_error", "code": "context_length_exceeded"}


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ({"error": OPENAI}, "invalid_request_error", "context_length_exceeded"),
        ({"type": "error", "error": {"type": "overloaded_error"}}, "overloaded_error", ""),
        ({"error": {"code": 400, "status": "INVALID_ARGUMENT"}}, "INVALID_ARGUMENT", "400"),
        ('[{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}]', "RESOURCE_EXHAUSTED", "429"),
        ({"error": "Input is too long", "error_type": "validation"}, "validation", ""),
        ({"object": "error", "type": "BadRequestError", "code": 400}, "BadRequestError", "400"),
        ({"detail": [{"type": "missing", "loc": ["body"]}]}, "missing", ""),
        ({"errors": [{"code": "invalid_input"}]}, "", "invalid_input"),
        (
            {"__type": "com.amazon.coral#Throttling", "message": "m"},
            "com.amazon.coral#Throttling",
            "",
        ),
        ({"code": "InvalidParameter", "message": "m"}, "", "InvalidParameter"),
        ('litellm.BadRequestError: X - {"error": {"type": "t", "code": null}} hi', "t", ""),
        ('{"error": {"message": "\\"type\\": \\"object\\"", "type": "cut_off", "co', "cut_off", ""),
        ({"error": {"type": "has blanks in it", "code": True}}, "", ""),
        ({"error": {"type": "x" * 65, "code": "line\nend"}}, "", ""),
        ("the model is on fire", "", ""),
        ("[" * 100_000 + '{"error":' * 1000, "", ""),
        (None, "", ""),
    ],
)
def test_names_are_found_in_every_shape(said: object, kind: str, code: str) -> None:
    assert error_names(said) == {"provider_type": kind, "provider_code": code}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "type", "code"]), inner)
    ),
)


@given(json_values | st.text())
def test_whatever_was_said_names_are_short_and_plain(said: Any) -> None:
    found = error_names(said)

    for name in (found["provider_type"], found["provider_code"]):
        assert len(name) <= 64
        assert name.isascii()
        assert not set(name) & set(" \n\x1b\"'")


@pytest.mark.parametrize("engine", ["direct", "litellm"])
@pytest.mark.parametrize("provider", ["openai", "deepseek"])
async def test_both_engines_keep_them(engine: Any, provider: str) -> None:
    async def refuse(reply: Reply) -> None:
        await reply.body(400, {"error": OPENAI})

    async with MockLM({"m": refuse}) as mock:
        lm = LM(f"{provider}/m", engine=engine, api_key="k", api_base=mock.base_url)

        with pytest.raises(LMError) as raised:
            await lm.acall("hi")

    error = raised.value
    assert (error.provider_type, error.provider_code) == (OPENAI["type"], OPENAI["code"])
    assert not {OPENAI["type"], OPENAI["code"]} & {*error.metadata.values(), *error.message.split()}


@pytest.mark.parametrize("engine", ["direct", "litellm"])
async def test_so_do_errors_inside_a_stream(engine: Any) -> None:
    async def fail_late(reply: Reply) -> None:
        await reply.open()
        await reply.chunks(["once "])
        await reply.event({"error": {"message": "m", "type": "server_error", "code": "overloaded"}})
        await reply.close_body()

    async with MockLM({"m": fail_late}) as mock:
        with pytest.raises(LMError) as raised:
            await LM("openai/m", engine=engine, api_key="k", api_base=mock.base_url).acall("hi")

    assert (raised.value.provider_type, raised.value.provider_code) == (
        "server_error",
        "overloaded",
    )
