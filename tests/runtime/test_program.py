"""Program: what callers may know of a module before it runs, and what goes in and comes out."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from datetime import date
from typing import Annotated, Any

import pytest
from headrace.adapters import JSONAdapter
from headrace.chain_of_thought import ChainOfThought
from headrace.errors import (
    FieldViolation,
    InputInvalid,
    OutputUnserialisable,
    ProgramResultInvalid,
    SignatureError,
    UsageError,
)
from headrace.execution import Execution
from headrace.hosting import Program
from headrace.hosting.port import FieldInfo
from headrace.module import Module
from headrace.predict import Predict
from headrace.react import ReAct
from headrace.settings import context
from headrace.signatures import InputField, OutputField, Signature
from headrace.streaming import StatusMessageProvider
from headrace.values import Prediction
from pydantic import AfterValidator, BaseModel
from scripted_lm import ScriptedLM, chat


class Address(BaseModel):
    street: str
    number: int = 1


def weekday(day: str) -> str:
    raise ValueError("must be a weekday")


class Books(Module):
    async def aforward(self, day: Annotated[str, AfterValidator(weekday)]) -> str:
        return day


class Router(Module):
    """Finds a way.

    More about it.
    """

    def __init__(self) -> None:
        self.ask = Predict("question -> answer")
        self.think = ChainOfThought("question -> answer, score: float")

    async def aforward(
        self, start: Address, stops: list[str], fast: bool = True, **rest: Any
    ) -> Prediction:
        return await self.ask.acall(question=f"{start} {stops} {fast}")


class Varying(Module):
    async def aforward(self, question: str) -> Prediction:
        return Prediction(**{question: 1})


def facts(program: Program) -> list[tuple[str, str, bool]]:
    return [(field.name, field.type_text, field.required) for field in program.inputs]


def test_the_inputs_of_a_module_are_the_parameters_of_its_work() -> None:
    assert facts(Program(Router())) == [
        ("start", "Address", True),
        ("stops", "list[str]", True),
        ("fast", "bool", False),
    ]


def test_a_parameter_without_annotation_is_text() -> None:
    class Plain(Module):
        def forward(self, question) -> str:  # type: ignore[no-untyped-def]
            return "fine"

    assert facts(Program(Plain())) == [("question", "str", True)]


def test_a_built_in_module_has_the_fields_of_its_signature() -> None:
    program = Program(ChainOfThought("question, k: int -> answer"))

    assert facts(program) == [("question", "str", True), ("k", "int", True)]
    assert [field.name for field in program.outputs] == ["reasoning", "answer"]


def test_outputs_are_declared_annotated_seen_or_open() -> None:
    class Counts(Module):
        def forward(self, text: str) -> int:
            return len(text)

    declared = Program(Router(), outputs="answer, score: int")

    assert [field.type_text for field in declared.outputs] == ["str", "int"]
    assert [(one.name, one.type_text) for one in Program(Counts()).outputs] == [("result", "int")]
    assert [one.name for one in Program(Router()).outputs] == ["answer"]
    assert Program(Varying()).outputs == []
    assert Program(Varying()).output_schema == {"type": "object"}


def test_predictors_are_listed_with_what_they_stream() -> None:
    predictors = Program(Router()).describe().predictors

    assert [(one.address, one.module, one.signature) for one in predictors] == [
        ("ask", "Predict", "question -> answer"),
        ("think.predict", "Predict", "question -> reasoning, answer, score"),
    ]
    assert [(field.name, field.streams_text) for field in predictors[1].outputs] == [
        ("reasoning", True),
        ("answer", True),
        ("score", False),
    ]


def test_tools_are_listed_but_for_the_one_that_ends_an_agent() -> None:
    def search(query: str) -> str:
        """Search for facts."""
        return query

    (tool,) = Program(ReAct("question -> answer", tools=[search])).describe().tools

    assert (tool.name, tool.description) == ("search", "Search for facts.")
    assert tool.parameters_schema["required"] == ["query"]


def test_a_program_describes_itself_as_data() -> None:
    program = Program(Router(), examples=[{"start": {"street": "s"}, "stops": ["a"]}])
    info = program.describe()

    assert info == pickle.loads(pickle.dumps(info))
    assert (info.name, info.revision, info.description) == (
        "router",
        program.revision,
        "Finds a way.",
    )
    assert info.inputs == [
        FieldInfo("start", "Address", required=True),
        FieldInfo("stops", "list[str]", required=True),
        FieldInfo("fast", "bool", default=True),
    ]
    assert info.outputs == [FieldInfo("answer", streams_text=True)]
    assert (info.input_schema, info.output_schema) == (program.input_schema, program.output_schema)
    assert info.example_inputs == {"start": {"street": "s"}, "stops": ["a"]}


def test_name_and_description_come_from_the_class_unless_given() -> None:
    program = Program(Router())

    assert (program.name, program.description) == ("router", "Finds a way.")
    assert Program(Router(), name="way", description="A way.").name == "way"


class Judge(Signature):
    """Say what an idea is worth.

    Be kind.
    """

    idea: str = InputField()
    verdict: str = OutputField()


class Quiet(ChainOfThought):
    pass


class Spoken(Quiet):
    """Judges aloud."""


def test_an_example_is_described_as_one_would_send_it() -> None:
    class Dated(Module):
        async def aforward(self, day: date) -> Prediction:
            return Prediction(day=day)

    program = Program(Dated(), examples=[{"day": date(2024, 2, 29)}])

    assert program.describe().example_inputs == {"day": "2024-02-29"}


@pytest.mark.parametrize(
    ("module", "description"),
    [
        (Predict(Judge), "Say what an idea is worth."),
        (ChainOfThought(Judge), "Say what an idea is worth."),
        (ReAct(Judge, tools=[]), "Say what an idea is worth."),
        (Predict("idea -> verdict"), "From `idea`, produce `verdict`."),
        (Predict(Signature("idea -> verdict", "Judge it.")), "Judge it."),
        (Quiet(Judge), "Say what an idea is worth."),
        (Spoken(Judge), "Judges aloud."),
        (type("Heir", (Router,), {})(), "Finds a way."),
        (Varying(), ""),
    ],
)
def test_a_built_in_module_is_described_by_its_signature(module: Module, description: str) -> None:
    assert Program(module).description == description


@pytest.mark.parametrize(
    ("class_name", "name"), [("QA", "qa"), ("HTTPFetch2", "http_fetch2"), ("ToDo", "to_do")]
)
def test_a_class_name_becomes_words(class_name: str, name: str) -> None:
    made: type[Router] = type(class_name, (Router,), {})

    assert Program(made()).name == name


def test_example_inputs_are_the_authors_or_made_from_the_schema() -> None:
    given: dict[str, Any] = {"start": {"street": "Mill Lane"}, "stops": []}

    assert Program(Router(), examples=[given]).example_inputs == given
    made = Program(Router()).example_inputs
    assert made == {"start": {"street": "some street"}, "stops": ["some stops"]}
    assert Program(Router()).check(made)


def test_examples_that_do_not_fit_are_refused_when_the_program_is_made() -> None:
    with pytest.raises(UsageError, match=r"examples\[0\] of router: inputs.stops: missing"):
        Program(Router(), examples=[{"start": {"street": "Mill Lane"}}])


def test_inputs_become_the_types_of_their_fields() -> None:
    inputs = Program(Router()).check({"start": {"street": "Mill Lane", "number": 3.0}, "stops": []})

    assert inputs == {"start": Address(street="Mill Lane", number=3), "stops": [], "fast": True}


def test_all_that_is_wrong_with_inputs_is_said_at_once_and_never_a_value() -> None:
    with pytest.raises(InputInvalid) as refused:
        Program(Router()).check({"strat": {}, "stops": [{"sk": "secret"}], "fast": "yes?"})

    assert refused.value.violations == (
        FieldViolation("inputs.strat", "unknown; did you mean start?"),
        FieldViolation("inputs.start", "missing; a Address is required"),
        FieldViolation("inputs.stops[0]", "Input should be a valid string"),
        FieldViolation("inputs.fast", "Input should be a valid boolean, unable to interpret input"),
    )


def test_the_words_of_a_programs_own_validator_go_to_who_gave_the_input() -> None:
    with pytest.raises(InputInvalid) as refused:
        Program(Books()).check({"day": "Sunday"})

    assert refused.value.violations == (FieldViolation("inputs.day", "must be a weekday"),)


async def test_a_run_of_a_program_gives_json_safe_outputs() -> None:
    program = Program(Router(), lm=ScriptedLM(chat(answer="left")))
    execution = Execution(program.work(program.check(program.example_inputs)))
    execution.start()
    await execution.ended()

    assert execution.error is None
    assert execution.result is not None
    assert execution.result.outputs == {"answer": "left"}


async def test_the_lm_of_the_program_comes_before_that_of_the_settings() -> None:
    program = Program(Predict("question -> answer"), lm=ScriptedLM(chat(answer="mine")))

    with context(lm=ScriptedLM(chat(answer="theirs"))):
        execution = Execution(program.work({"question": "?"}))
        execution.start()

    await execution.ended()
    assert execution.result is not None
    assert execution.result.outputs == {"answer": "mine"}


def test_results_that_are_no_predictions_have_outputs_too() -> None:
    program = Program(Router())

    assert program.outputs_of({"a": Address(street="x")}) == {"a": {"street": "x", "number": 1}}
    assert program.outputs_of([1, 2]) == {"result": [1, 2]}


@pytest.mark.parametrize(
    ("value", "error"),
    [(None, ProgramResultInvalid), (Prediction(f=object()), OutputUnserialisable)],
)
def test_results_without_a_json_form_end_the_run(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Program(Router()).outputs_of(value)


def test_the_revision_changes_with_what_the_program_does() -> None:
    plain, demonstrated, instructed = Router(), Router(), Router()
    demonstrated.ask.demos = [{"question": "a", "answer": "b"}]
    instructed.ask.signature = instructed.ask.signature.with_instructions("Be brief.")
    revisions = [Program(module).revision for module in (plain, demonstrated, instructed)]
    revisions.append(Program(plain, lm=ScriptedLM()).revision)

    assert len(set(revisions)) == 4
    assert Program(Router()).revision == revisions[0]
    assert all(len(one) == 12 for one in revisions)


def test_the_revision_is_the_same_in_another_process() -> None:
    code = (
        "from headrace.hosting import Program; from headrace.react import ReAct\n"
        "from headrace.settings import context\n"
        "print(Program(ReAct('question -> answer', tools=[])).revision)"
    )
    seeds = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2")]
    printed = [
        subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, check=True
        ).stdout
        for env in seeds
    ]

    assert printed[0] == printed[1] != b""


untyped: Any = Program
"""Type checkers would refuse most of what follows."""


@pytest.mark.parametrize(
    ("options", "way_out"),
    [
        ({"lm": "openai/x"}, r"lm=headrace\.LM\("),
        ({"adapter": JSONAdapter}, r"adapter=headrace\.JSONAdapter\(\)"),
        ({"status": StatusMessageProvider}, "an instance of a StatusMessageProvider subclass"),
        ({"examples": {"question": "?"}}, r"examples=\[\{'question'"),
        ({"outputs": "inputs -> answer"}, "write the outputs alone"),
        ({"outputs": 5}, "give a string or a Signature class"),
        ({"name": "a/b c"}, "use letters, digits"),
    ],
)
def test_what_does_not_fit_is_refused_when_the_program_is_made(
    options: dict[str, Any], way_out: str
) -> None:
    with pytest.raises((UsageError, SignatureError), match=way_out):
        untyped(Predict("question -> answer"), **options)


class Positional(Module):
    def forward(self, question: str, /) -> str:
        return question


class Idle(Module):
    """Does nothing."""


@pytest.mark.parametrize(
    ("module", "way_out"),
    [
        (Predict, "needs a Module, not type"),
        (print, "needs a Module, not builtin_function_or_method"),
        (Positional(), "inputs have names: take out the /"),
        (Idle(), "Idle defines neither forward nor aforward"),
    ],
)
def test_what_cannot_be_called_with_named_inputs_cannot_be_hosted(
    module: Any, way_out: str
) -> None:
    with pytest.raises(UsageError, match=way_out):
        untyped(module)


def test_a_subclass_of_a_built_in_module_may_name_its_own_inputs() -> None:
    class Own(ChainOfThought):
        async def aforward(self, topic: str, words: int = 9) -> Prediction:  # pyright: ignore[reportIncompatibleMethodOverride] - callers name inputs
            return await super().aforward(question=f"{topic} in {words} words")

    class Same(ChainOfThought):
        async def aforward(self, /, *args: Any, **kwargs: Any) -> Prediction:
            return await super().aforward(*args, **kwargs)

    assert facts(Program(Own("question -> answer"))) == [
        ("topic", "str", True),
        ("words", "int", False),
    ]
    assert facts(Program(Same("question -> answer"))) == [("question", "str", True)]
