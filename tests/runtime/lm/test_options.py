"""Options: a temperature that nobody set goes only to models that take one; refused ones are named."""

from __future__ import annotations

from typing import Any

import pytest
from headrace.errors import LMNotConfiguredError, LMUnsupportedError
from headrace.lm import LM
from headrace.lm.engines import Access, Provider
from headrace.lm.litellm import find_provider, loading
from headrace.predict import Predict
from headrace_mock import MockLM

ENGINES = ["direct", "litellm"]
SEVERAL = {"n": 3}
FIXED = [
    "openai/gpt-5",
    "openai/gpt-5-mini",
    "openai/gpt-5-nano",
    "openai/o1",
    "openai/o3",
    "openai/o3-mini",
    "openai/o4-mini",
    "openrouter/openai/o3-mini",
    "openrouter/openai/gpt-5-mini",
    "litellm_proxy/o4-mini",
]
FREE = [
    "openai/gpt-4o-mini",
    "openai/gpt-5-chat-latest",
    "openai/no-such-model",
    "together_ai/llama-x",
]


async def asked(lm: LM, **config: Any) -> dict[str, Any]:
    """What of a predictor's options the provider was sent."""
    async with MockLM() as mock:
        lm = lm.copy(api_base=mock.base_url, api_key="k", cache=False)
        prediction = await Predict("question -> answer").acall(question="?", config=config, lm=lm)
        [request] = mock.requests

    assert len(prediction.completions) == config.get("n", 1)

    return {name: request.body[name] for name in ("n", "temperature") if name in request.body}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", FIXED)
async def test_a_model_of_one_temperature_is_asked_for_several_answers_without_one(
    model: str, engine: Any
) -> None:
    assert await asked(LM(model, engine=engine), **SEVERAL) == SEVERAL


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", FREE)
async def test_other_models_are_asked_for_several_answers_with_a_temperature(
    model: str, engine: Any
) -> None:
    assert await asked(LM(model, engine=engine), **SEVERAL) == {**SEVERAL, "temperature": 0.7}


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_temperature_somebody_set_is_the_one_that_is_sent(engine: Any) -> None:
    assert await asked(LM("openai/o3", engine=engine, temperature=1), **SEVERAL) == {
        **SEVERAL,
        "temperature": 1,
    }
    assert await asked(LM("openai/gpt-4o", engine=engine, temperature=0.3), **SEVERAL) == {
        **SEVERAL,
        "temperature": 0.3,
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("temperature", [0, 0.5])
@pytest.mark.parametrize("where", ["lm", "call"])
async def test_a_temperature_that_the_model_refuses_is_named(
    where: str, temperature: float, engine: Any
) -> None:
    lm = LM("openai/o3-mini", engine=engine)
    config: dict[str, Any] = {**SEVERAL}

    if where == "lm":
        lm = lm.copy(temperature=temperature)
    else:
        config["temperature"] = temperature

    with pytest.raises(LMUnsupportedError) as refused:
        await asked(lm, **config)

    assert refused.value.message == (
        "openai does not take temperature for this model, or not with such a value; leave it out, "
        "or set drop_params=True"
    )


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_the_model_refuses_can_be_dropped(engine: Any) -> None:
    lm = LM("openai/o3-mini", engine=engine, temperature=0.5, drop_params=True)

    assert await asked(lm, **SEVERAL) == SEVERAL


async def test_whether_a_temperature_is_taken_may_depend_on_other_options() -> None:
    lm = LM("openai/gpt-5.1")

    assert await lm.takes(temperature=0.7)
    assert not await lm.takes(temperature=0.7, reasoning_effort="high")


async def test_of_several_refused_options_all_are_named() -> None:
    lm = LM("openai/o3-mini", api_key="k", temperature=0.5, presence_penalty=1.0)

    with pytest.raises(LMUnsupportedError, match=r"all of presence_penalty, temperature for"):
        await lm.check()


@pytest.mark.parametrize("model", ["no-provider-of-that-name", "nobody/any", "Qwen/Qwen3-8B"])
async def test_an_unknown_provider_is_asked_for_by_name(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("asked for what it does not know")

    monkeypatch.setattr(loading.litellm(), "get_llm_provider", refuse)

    with pytest.raises(LMNotConfiguredError, match="the model names no known provider"):
        await LM(model).check()

    assert find_provider(Access(model, None, "http://localhost/v1")) == Provider(
        "openai", model, None, "http://localhost/v1", is_own_address=True
    )


@pytest.mark.parametrize(
    ("model", "base", "provider"),
    [
        ("gpt-4o", None, "openai"),
        ("mistral/of-next-year", None, "mistral"),
        ("ft:gpt-4o:me", None, "openai"),
        ("anything", "https://api.groq.com/openai/v1", "groq"),
    ],
)
def test_a_provider_is_known_by_its_models_and_by_its_address(
    model: str, base: str | None, provider: str
) -> None:
    assert find_provider(Access(model, None, base)).name == provider


async def test_a_provider_that_litellm_cannot_make_out_is_not_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no token for sk-canary")

    monkeypatch.setattr(loading.litellm(), "get_llm_provider", fail)

    with pytest.raises(LMNotConfiguredError, match="litellm cannot make out how") as failed:
        await LM("openai/any").check()

    assert "sk-canary" not in str(failed.value)


async def test_a_model_that_nobody_knows_takes_everything() -> None:
    assert await LM("no-provider-of-that-name").takes(temperature=0.7)
