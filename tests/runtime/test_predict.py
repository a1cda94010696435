"""Predict: what a call sends, takes and gives."""

from __future__ import annotations

from typing import Any

import pytest
from headrace.adapters import JSONAdapter
from headrace.chain_of_thought import ChainOfThought
from headrace.errors import AdapterParseError, LMNotConfiguredError, UsageError
from headrace.predict import Predict
from headrace.settings import context
from headrace.signatures import Signature
from scripted_lm import ScriptedLM, chat, prompt_of


async def test_a_prediction_holds_the_outputs_as_their_types() -> None:
    lm = ScriptedLM(chat(answer="because", score="7"))

    with context(lm=lm):
        prediction = await Predict("question -> answer, score: int").acall(question="why?")

    assert prediction.toDict() == {"answer": "because", "score": 7}


def test_sync_code_calls_it_too() -> None:
    with context(lm=ScriptedLM(chat(answer="because"))):
        assert Predict("question -> answer")(question="why?").answer == "because"


async def test_the_lm_of_the_call_comes_before_the_predictors_and_the_settings() -> None:
    lms = {name: ScriptedLM(chat(answer=name)) for name in ("settings", "predictor", "call")}
    predictor = Predict("question -> answer")
    answers: list[str] = []

    with context(lm=lms["settings"]):
        answers.append((await predictor.acall(question="?")).answer)
        predictor.lm = lms["predictor"]
        answers.append((await predictor.acall(question="?")).answer)
        answers.append((await predictor.acall(question="?", lm=lms["call"])).answer)

    assert answers == ["settings", "predictor", "call"]


async def test_options_of_the_call_come_over_those_of_the_predictor() -> None:
    lm = ScriptedLM(chat(answer="1"))

    with context(lm=lm):
        predictor = Predict("question -> answer", temperature=0.2, max_tokens=50)
        await predictor.acall(question="?", config={"max_tokens": 9})

    assert lm.requests[0].options == {"temperature": 0.2, "max_tokens": 9}


async def test_several_completions_need_a_temperature() -> None:
    lm = ScriptedLM(chat(answer="1"))

    with context(lm=lm):
        await Predict("question -> answer", n=2).acall(question="?")

    assert lm.requests[0].options == {"n": 2, "temperature": 0.7}


@pytest.mark.parametrize(
    ("of_the_lm", "config", "sent"),
    [
        ({"temperature": 0.9}, {"n": 2}, {"temperature": 0.9, "n": 2}),
        ({"temperature": 0.1}, {"n": 2}, {"temperature": 0.7, "n": 2}),
        ({"temperature": 0.9}, {"n": 2, "temperature": 0}, {"temperature": 0.7, "n": 2}),
        ({"n": 2}, {}, {"n": 2, "temperature": 0.7}),
        ({"n": 2}, {"n": 1}, {"n": 1}),
        ({"n": 2}, {"n": None}, {"n": None}),
    ],
    ids=str,
)
async def test_a_temperature_is_added_where_several_completions_would_be_equal(
    of_the_lm: dict[str, Any], config: dict[str, Any], sent: dict[str, Any]
) -> None:
    lm = ScriptedLM(chat(answer="1"))
    lm.kwargs = of_the_lm

    await Predict("question -> answer").acall(question="?", config=config, lm=lm)

    assert lm.requests[0].options == sent


async def test_an_lm_that_takes_no_temperature_is_sent_none() -> None:
    class Fixed(ScriptedLM):
        async def takes(self, **options: Any) -> bool:
            return "temperature" not in options

    lm = Fixed(chat(answer="1"))
    await Predict("question -> answer").acall(question="?", config={"n": 2}, lm=lm)

    assert lm.requests[0].options == {"n": 2}


async def test_a_call_may_bring_its_own_signature_and_demos() -> None:
    lm = ScriptedLM(chat(reply="ja"))
    demo = {"question": "demo question", "reply": "demo reply"}

    with context(lm=lm):
        prediction = await Predict("question -> answer").acall(
            question="?", signature=Signature("question -> reply"), demos=[demo]
        )

    assert prediction.toDict() == {"reply": "ja"}
    assert "demo reply" in prompt_of(lm.requests[0])


async def test_an_input_may_have_the_name_of_an_override() -> None:
    lm = ScriptedLM(chat(answer="fine"))

    with context(lm=lm):
        await Predict("config -> answer").acall(config="the configuration")

    assert "the configuration" in prompt_of(lm.requests[0])


async def test_unknown_and_missing_inputs_are_said_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with context(lm=ScriptedLM(chat(answer="1"))):
        await Predict("question -> answer").acall(qestion="?")

    assert "ignored inputs ['qestion']" in caplog.text
    assert "inputs ['question'] are missing" in caplog.text


async def test_a_declared_type_that_does_not_fit_is_said_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with context(lm=ScriptedLM(*[chat(answer="1")] * 2)):
        await Predict("number: int -> answer").acall(number="seven")
        assert "input number is a str, not int" in caplog.text
        caplog.clear()
        await Predict("number -> answer").acall(number=7)
        assert caplog.text == ""


def test_positional_inputs_are_refused_with_the_names_to_use() -> None:
    with pytest.raises(UsageError, match=r"by name: question=…, context=…"):
        Predict("question, context -> answer")("why?")


async def test_without_an_lm_the_error_says_how_to_set_one() -> None:
    with context(lm=None), pytest.raises(LMNotConfiguredError, match=r"headrace\.configure"):
        await Predict("question -> answer").acall(question="?")


async def test_a_model_name_is_no_lm() -> None:
    with context(lm="openai/gpt-4o-mini"), pytest.raises(UsageError, match=r"headrace\.LM"):
        await Predict("question -> answer").acall(question="?")


async def test_an_answer_that_does_not_fit_raises_and_names_the_field() -> None:
    lm = ScriptedLM(chat(score="many"), '{"score": "many"}')

    with context(lm=lm), pytest.raises(AdapterParseError, match="score"):
        await Predict("question -> score: int").acall(question="?")


async def test_the_adapter_in_the_settings_is_used() -> None:
    with context(lm=ScriptedLM('{"answer": "as JSON"}'), adapter=JSONAdapter()):
        assert (await Predict("question -> answer").acall(question="?")).answer == "as JSON"


async def test_chain_of_thought_reasons_before_it_answers() -> None:
    lm = ScriptedLM(chat(reasoning="two and two", answer="4"))

    with context(lm=lm):
        prediction = await ChainOfThought("question -> answer").acall(question="2+2?")

    assert prediction.toDict() == {"reasoning": "two and two", "answer": "4"}
    assert list(ChainOfThought("question -> answer").predict.signature.output_fields) == [
        "reasoning",
        "answer",
    ]


def test_a_signature_that_reasons_in_its_own_way_stays_as_it_is() -> None:
    signature = Signature("question -> answer, reasoning: list[str]")

    assert ChainOfThought(signature).predict.signature is signature
