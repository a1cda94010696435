"""Asking through an adapter: what is written while the answer comes, and what is given at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from headrace.adapters import Adapter, ChatAdapter, JSONAdapter, XMLAdapter
from headrace.adapters.strict_schema import strict_schema
from headrace.calls import BaseCallback, FieldWriter
from headrace.errors import AdapterParseError, ContentRefusedError, LMServerError
from headrace.events import Event, LmCall, Token
from headrace.lm.base import BaseLM, Choice, Completion, Delta, Receive, Request
from headrace.parsing import FieldDelta, FieldParser
from headrace.settings import context
from headrace.signatures import Reasoning, Signature, ensure_signature
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from runtime.parsing_cases import cut_up, joined, values

Written = tuple[str, str, bool, bool]

CHAT = [
    "[[ ## rea",
    "soning ## ]]\nIt",
    " is.\n\n[[ ## answer",
    " ## ]]\nParis\n\n[[ ## completed ## ]]",
]
JSON = ['{"reasoning": "It', ' is.", "answer": "Par', 'is"}']
XML = ["<reasoning>It", " is.</reasoning><answer>Paris</an", "swer>"]
ANSWER = {"reasoning": "It is.", "answer": "Paris"}


class ScriptedLM(BaseLM):
    """Gives its answers one after the other: each a list of pieces, a Completion or an error."""

    def __init__(
        self, *answers: Sequence[str | Delta] | Completion | Exception, features: Sequence[str] = ()
    ) -> None:
        super().__init__("scripted")
        self.requests: list[Request] = []
        self._answers = list(answers)
        self._features = features

    def supports(self, feature: str) -> bool:
        return feature in self._features

    async def generate(self, request: Request, receive: Receive) -> Completion:
        self.requests.append(request)
        answer = self._answers.pop(0)

        if isinstance(answer, Exception):
            raise answer

        if isinstance(answer, Completion):
            return answer

        deltas = [Delta(piece) if isinstance(piece, str) else piece for piece in answer]

        for delta in deltas:
            receive(delta)

        texts = {delta.choice: "" for delta in deltas}
        thoughts = dict(texts)

        for delta in deltas:
            texts[delta.choice] += delta.text
            thoughts[delta.choice] += delta.reasoning

        return Completion([Choice(texts[at], thoughts[at]) for at in sorted(texts)])


class Asked:
    """One call of an adapter: what was written, and what came of it."""

    def __init__(self, adapter: Adapter, lm: BaseLM, signature: str | type[Signature]) -> None:
        self.written: list[Written] = []
        self._adapter = adapter
        self._lm = lm
        self._signature = ensure_signature(signature)

    async def answers(self, **options: Any) -> list[dict[str, Any]]:
        writer = FieldWriter(self._note, "self", 1, typed=())

        return await self._adapter.acall(
            self._lm, options, self._signature, [], {"question": "Capital?"}, writer
        )

    def _note(self, event: Event) -> None:
        assert isinstance(event, Token)
        self.written.append((event.field, event.chunk, event.is_last, event.cached))


QA = "question -> reasoning, answer"


@pytest.mark.parametrize(
    ("adapter", "pieces", "written"),
    [
        (
            ChatAdapter(),
            CHAT,
            [("reasoning", "It"), ("reasoning", " is."), ("reasoning", None), ("answer", "Paris"), ("answer", None)],
        ),
        (
            JSONAdapter(),
            JSON,
            [("reasoning", "It"), ("reasoning", " is."), ("reasoning", None), ("answer", "Par"), ("answer", "is"), ("answer", None)],
        ),
        (
            XMLAdapter(),
            XML,
            [("reasoning", "It"), ("reasoning", " is."), ("reasoning", None), ("answer", "Paris"), ("answer", None)],
        ),
    ],
    ids=["chat", "json", "xml"],
)  # fmt: skip
async def test_fields_are_written_while_they_come(
    adapter: Adapter, pieces: list[str], written: list[tuple[str, str | None]]
) -> None:
    asked = Asked(adapter, ScriptedLM(pieces), QA)

    assert await asked.answers() == [ANSWER]
    assert plain(asked.written) == written


def plain(written: Sequence[Written]) -> list[tuple[str, str | None]]:
    """The chunks by field, and None where the field ended; none cached."""
    chunks: list[tuple[str, str | None]] = []

    for field, chunk, is_last, cached in written:
        assert not cached
        chunks += [(field, chunk)] if chunk else []
        chunks += [(field, None)] if is_last else []

    return chunks


@pytest.mark.parametrize(("cached"), [True, False], ids=["cached", "in one piece"])
@pytest.mark.parametrize(
    ("adapter", "text"),
    [(ChatAdapter(), "".join(CHAT)), (JSONAdapter(), "".join(JSON)), (XMLAdapter(), "".join(XML))],
    ids=["chat", "json", "xml"],
)
async def test_an_answer_that_did_not_stream_is_one_write_per_field(
    adapter: Adapter, text: str, cached: bool
) -> None:
    completion = Completion([Choice(text)], lm=LmCall("scripted", cached=cached))
    asked = Asked(adapter, ScriptedLM(completion), QA)

    assert await asked.answers() == [ANSWER]
    assert asked.written == [
        ("reasoning", "It is.", True, cached),
        ("answer", "Paris", True, cached),
    ]


async def test_of_several_completions_the_first_is_written_and_all_are_given() -> None:
    pieces = [
        Delta("[[ ## answer ## ]]\nPa", choice=0),
        Delta("[[ ## answer ## ]]\nLy", choice=1),
        Delta("ris", choice=0),
        Delta("on", choice=1),
    ]
    asked = Asked(ChatAdapter(), ScriptedLM(pieces), "question -> answer")

    assert await asked.answers(n=2) == [{"answer": "Paris"}, {"answer": "Lyon"}]
    assert plain(asked.written) == [("answer", "Pa"), ("answer", "ris"), ("answer", None)]


async def test_options_of_the_caller_go_to_the_lm() -> None:
    lm = ScriptedLM(CHAT)
    await Asked(ChatAdapter(), lm, QA).answers(temperature=0.5)

    assert lm.requests[0].options == {"temperature": 0.5}


PIECES: dict[type[Adapter], list[str]] = {
    ChatAdapter: ["[[ ## reasoning ## ]]\n", "\n[[ ## answer ## ]]", "\n[[ ## completed ## ]]", "\n[[ ##"],
    JSONAdapter: ['{"reasoning": "', '", "answer": "', '"}', "{", '"', "\\u00", "null", "answer: ", ": ", ", "],
    XMLAdapter: ["<reasoning>", "</reasoning>", "<answer>", "</answer>", "&amp;", "<![CDATA[", "]]>"],
}  # fmt: skip


@pytest.mark.parametrize("adapter", PIECES, ids=["chat", "json", "xml"])
@given(data=st.data())
def test_whatever_a_model_answers_what_streamed_is_what_the_prediction_holds(
    adapter: type[Adapter], data: st.DataObject
) -> None:
    pieces = data.draw(st.lists(st.sampled_from(PIECES[adapter]) | values(), min_size=1))
    answer = data.draw(cut_up("".join(pieces)))
    asked = Asked(adapter(), ScriptedLM(answer, [""]), QA)

    try:
        [prediction] = asyncio.run(asked.answers())
    except AdapterParseError:
        prediction = {}

    texts = joined(FieldDelta(*written[:3]) for written in asked.written)

    assert prediction in ({}, texts)


# Fallback


@pytest.mark.parametrize("adapter", [ChatAdapter(), XMLAdapter()], ids=["chat", "xml"])
async def test_an_answer_in_no_dialect_is_asked_for_again_in_json(adapter: Adapter) -> None:
    lm = ScriptedLM(["The capital ", "is Paris."], JSON, features=["response_format"])
    asked = Asked(adapter, lm, QA)

    assert await asked.answers() == [ANSWER]
    assert plain(asked.written)[-1] == ("answer", None)
    assert [request.options for request in lm.requests] == [
        {},
        {"response_format": {"type": "json_object"}},
    ]


@pytest.mark.parametrize(
    ("adapter", "pieces"),
    [
        (ChatAdapter(), ["[[ ## reasoning ## ]]\nIt is."]),
        (XMLAdapter(), ["<reasoning>It is.</reasoning>"]),
        (ChatAdapter(use_json_adapter_fallback=False), ["no"]),
        (XMLAdapter(use_json_adapter_fallback=False), ["no"]),
        (JSONAdapter(), ["no"]),
    ],
)
async def test_nothing_is_asked_again_once_something_was_written_or_where_it_is_not_wanted(
    adapter: Adapter, pieces: list[str]
) -> None:
    lm = ScriptedLM(pieces)

    with pytest.raises(AdapterParseError, match=r"`answer` (is|are) missing"):
        await Asked(adapter, lm, QA).answers()

    assert len(lm.requests) == 1


async def test_where_nobody_reads_along_an_answer_in_part_is_asked_for_again_too() -> None:
    lm = ScriptedLM(["[[ ## reasoning ## ]]\nIt is."], JSON)
    inputs = {"question": "Capital?"}

    assert await ChatAdapter().acall(lm, {}, ensure_signature(QA), [], inputs, None) == [ANSWER]
    assert len(lm.requests) == 2


async def test_an_error_of_the_lm_is_no_reason_to_ask_again() -> None:
    lm = ScriptedLM(LMServerError("down"))

    with pytest.raises(LMServerError):
        await Asked(ChatAdapter(), lm, QA).answers()

    assert len(lm.requests) == 1


async def test_a_repaired_object_is_written_whole() -> None:
    asked = Asked(JSONAdapter(), ScriptedLM(['{reasoning: "It is.", ', 'answer: "Paris"}']), QA)

    assert await asked.answers() == [ANSWER]
    assert asked.written == [("reasoning", "It is.", True, False), ("answer", "Paris", True, False)]


async def test_no_object_is_repaired_of_which_something_was_written() -> None:
    asked = Asked(JSONAdapter(), ScriptedLM(['{"reasoning": "It is.", answer: "Paris"}']), QA)

    with pytest.raises(AdapterParseError):
        await asked.answers()


# Endings


def ended(finish_reason: str, text: str = "[[ ## reasoning ## ]]\nIt is") -> Completion:
    return Completion([Choice(text, finish_reason=finish_reason)], model="m")


async def test_a_cut_off_answer_says_so() -> None:
    with pytest.raises(AdapterParseError) as caught:
        await Asked(ChatAdapter(), ScriptedLM(ended("length")), QA).answers()

    assert caught.value.message == (
        "`answer` is missing; the answer was cut off at max_tokens, which may be raised"
    )
    assert caught.value.parsed_result == {"reasoning": "It is"}
    assert caught.value.lm_response == "[[ ## reasoning ## ]]\nIt is"


async def test_a_cut_off_answer_that_parses_is_an_answer() -> None:
    lm = ScriptedLM(ended("length", "[[ ## answer ## ]]\nPar"))

    assert await Asked(ChatAdapter(), lm, "question -> answer").answers() == [{"answer": "Par"}]


@pytest.mark.parametrize("text", ["[[ ## reasoning ## ]]\nIt is", ""])
async def test_an_answer_that_a_content_filter_stopped_is_refused(text: str) -> None:
    with pytest.raises(ContentRefusedError) as caught:
        await Asked(ChatAdapter(), ScriptedLM(ended("content_filter", text)), QA).answers()

    assert caught.value.model == "m"


@pytest.mark.parametrize("completion", [Completion([]), Completion([Choice(" \n")])])
async def test_an_empty_answer_is_an_error(completion: Completion) -> None:
    adapter = ChatAdapter(use_json_adapter_fallback=False)

    with pytest.raises(AdapterParseError, match=r"the model gave (no|an empty) answer"):
        await Asked(adapter, ScriptedLM(completion), QA).answers()


# Native reasoning

THINKING = ensure_signature(QA).with_updated_fields("reasoning", Reasoning)
THOUGHT = [Delta("", "It"), Delta("", " is."), Delta("\n"), Delta("[[ ## answer ## ]]\nParis")]


async def test_native_reasoning_fills_the_field_that_asks_for_it() -> None:
    lm = ScriptedLM(THOUGHT, features=["reasoning"])
    asked = Asked(ChatAdapter(), lm, THINKING)

    assert await asked.answers() == [ANSWER]
    assert asked.written == [
        ("reasoning", "It", False, False),
        ("reasoning", " is.", False, False),
        ("reasoning", "", True, False),
        ("answer", "Paris", False, False),
        ("answer", "", True, False),
    ]
    assert "reasoning" not in str(lm.requests[0].messages)


async def test_reasoning_after_the_answer_began_is_in_neither_stream_nor_prediction() -> None:
    pieces = [Delta("[[ ## answer ## ]]\n", "It is."), Delta("", " late"), Delta("Paris", "later")]
    asked = Asked(ChatAdapter(), ScriptedLM(pieces, features=["reasoning"]), THINKING)

    assert await asked.answers() == [ANSWER]
    assert plain(asked.written)[:2] == [("reasoning", "It is."), ("reasoning", None)]


async def test_a_model_that_may_reason_but_did_not_has_empty_reasoning() -> None:
    lm = ScriptedLM(["[[ ## answer ## ]]\nParis"], features=["reasoning"])
    asked = Asked(ChatAdapter(), lm, THINKING)

    assert await asked.answers() == [{"reasoning": "", "answer": "Paris"}]
    assert plain(asked.written) == [("answer", "Paris"), ("answer", None)]


async def test_cached_reasoning_is_one_write() -> None:
    completion = Completion(
        [Choice("[[ ## answer ## ]]\nParis", "It is.")], lm=LmCall("scripted", cached=True)
    )
    asked = Asked(ChatAdapter(), ScriptedLM(completion, features=["reasoning"]), THINKING)

    assert await asked.answers() == [ANSWER]
    assert asked.written == [("reasoning", "It is.", True, True), ("answer", "Paris", True, True)]


async def test_each_completion_has_its_own_reasoning() -> None:
    pieces = [
        Delta("", "It is.", 0),
        Delta("", "Or is it?", 1),
        Delta("[[ ## answer ## ]]\nParis", choice=0),
        Delta("[[ ## answer ## ]]\nLyon", choice=1),
    ]
    asked = Asked(ChatAdapter(), ScriptedLM(pieces, features=["reasoning"]), THINKING)

    assert await asked.answers(n=2) == [ANSWER, {"reasoning": "Or is it?", "answer": "Lyon"}]


async def test_native_reasoning_that_nobody_asked_for_is_dropped() -> None:
    pieces = [Delta("", "unasked"), *(Delta(piece) for piece in CHAT)]
    asked = Asked(ChatAdapter(), ScriptedLM(pieces), QA)

    assert await asked.answers() == [ANSWER]
    assert plain(asked.written)[0] == ("reasoning", "It")


async def test_without_native_reasoning_the_field_is_text_like_any_other() -> None:
    asked = Asked(ChatAdapter(), ScriptedLM(CHAT), THINKING)

    assert await asked.answers() == [ANSWER]
    assert plain(asked.written)[0] == ("reasoning", "It")


@pytest.mark.parametrize("text", ["", "[[ ## reasoning ## ]]\nin the text\n"])
async def test_native_reasoning_of_a_model_not_known_for_it_goes_before_the_text(text: str) -> None:
    pieces = [Delta("", "It"), Delta("", " is."), Delta(f"{text}[[ ## answer ## ]]\nParis")]
    lm = ScriptedLM(pieces)
    asked = Asked(ChatAdapter(), lm, THINKING)

    assert await asked.answers() == [ANSWER]
    assert plain(asked.written) == [
        ("reasoning", "It"),
        ("reasoning", " is."),
        ("reasoning", None),
        ("answer", "Paris"),
        ("answer", None),
    ]
    assert "`reasoning`" in str(lm.requests[0].messages)


async def test_reasoning_as_the_only_output_is_asked_for_as_text() -> None:
    lm = ScriptedLM(["[[ ## x ## ]]\nso"], features=["reasoning"])
    signature = Signature("question -> x").with_updated_fields("x", Reasoning)

    assert await Asked(ChatAdapter(), lm, signature).answers() == [{"x": "so"}]


# Structured outputs


class Place(BaseModel):
    name: str
    near: list[Place] = []


@pytest.mark.parametrize(
    ("features", "signature", "kind"),
    [
        (["response_schema", "response_format"], QA, "json_schema"),
        (["response_format"], QA, "json_object"),
        ([], QA, None),
        (["response_schema", "response_format"], "question -> answer: dict", "json_object"),
        (["response_schema"], "question -> answer: dict[str, int]", None),
    ],
)
async def test_a_model_is_held_to_the_strictest_form_it_and_the_types_allow(
    features: list[str], signature: str, kind: str | None
) -> None:
    lm = ScriptedLM(['{"reasoning": "It is.", "answer": {}}'], features=features)
    await Asked(JSONAdapter(), lm, signature).answers()

    assert lm.requests[0].options.get("response_format", {}).get("type") == kind


async def test_a_response_format_of_the_caller_goes_first() -> None:
    lm = ScriptedLM(JSON, features=["response_format"])
    await Asked(JSONAdapter(), lm, QA).answers(response_format={"type": "text"})

    assert lm.requests[0].options == {"response_format": {"type": "text"}}


def test_a_strict_schema_closes_every_object_and_requires_all_of_it() -> None:
    signature = Signature("q -> answer: str | None, place: Place", custom_types={"Place": Place})

    assert strict_schema(signature) == {
        "type": "object",
        "properties": {
            "answer": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "place": {"$ref": "#/$defs/Place"},
        },
        "required": ["answer", "place"],
        "additionalProperties": False,
        "$defs": {
            "Place": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "near": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
                },
                "required": ["name", "near"],
                "additionalProperties": False,
            }
        },
    }


@pytest.mark.parametrize(
    "type_", ["dict[str, int]", "Any", "list", "tuple[int, str]", "list[dict]"]
)
def test_types_that_leave_something_open_have_no_strict_schema(type_: str) -> None:
    assert strict_schema(Signature(f"q -> x: {type_}")) is None


# Callbacks and subclasses


class Recorder(BaseCallback):
    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def on_adapter_format_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        self.seen.append(("format", sorted(inputs)))

    def on_adapter_format_end(
        self, call_id: int, outputs: Any, exception: BaseException | None
    ) -> None:
        self.seen.append(("formatted", [message["role"] for message in outputs]))

    def on_adapter_parse_start(self, call_id: int, instance: Any, inputs: dict[str, Any]) -> None:
        self.seen.append(("parse", sorted(inputs)))

    def on_adapter_parse_end(
        self, call_id: int, outputs: Any, exception: BaseException | None
    ) -> None:
        self.seen.append(("parsed", type(exception) if exception else outputs))


async def test_callbacks_are_told_of_formatting_and_parsing() -> None:
    own, everyones = Recorder(), Recorder()
    adapter = ChatAdapter([own], use_json_adapter_fallback=False)

    with context(callbacks=[everyones]):
        await Asked(adapter, ScriptedLM(CHAT), QA).answers()

        with pytest.raises(AdapterParseError):
            await Asked(adapter, ScriptedLM(["no"]), QA).answers()

    steps = [
        ("format", ["demos", "inputs", "signature"]),
        ("formatted", ["system", "user"]),
        ("parse", ["completion", "signature"]),
    ]
    assert (
        own.seen
        == everyones.seen
        == [*steps, ("parsed", [ANSWER]), *steps, ("parsed", AdapterParseError)]
    )


class LinesParser:
    """A dialect of its own: each line is `NAME> value`, and is known when it is whole."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._line = ""

    def feed(self, text: str) -> list[FieldDelta]:
        *whole, self._line = (self._line + text).split("\n")

        return [delta for line in whole for delta in self._read(line)]

    def close(self) -> list[FieldDelta]:
        return self._read(self._line)

    def _read(self, line: str) -> list[FieldDelta]:
        name, arrow, value = line.partition("> ")

        if not arrow or name not in self._names:
            return []

        self._names.remove(name)

        return [FieldDelta(name, value, True)]


class LinesAdapter(ChatAdapter):
    """What a user writes for such a dialect: how a field looks, and what reads it."""

    def parser(self, signature: type[Signature]) -> FieldParser:
        return LinesParser(list(signature.output_fields))

    def format_field(self, name: str, text: str) -> str:
        return f"{name}> {' '.join(text.split())}"

    def format_assistant_message_content(
        self,
        signature: type[Signature],
        outputs: Mapping[str, Any],
        missing_field_message: str | None = None,
    ) -> str:
        return "\n".join(self.format_field(name, outputs[name]) for name in signature.output_fields)


async def test_a_subclass_with_a_dialect_of_its_own_streams_like_any_other() -> None:
    lm = ScriptedLM(["reasoning> It", " is.\nans", "wer> Paris"])
    asked = Asked(LinesAdapter(), lm, QA)

    assert await asked.answers() == [ANSWER]
    assert asked.written == [("reasoning", "It is.", True, False), ("answer", "Paris", True, False)]
    assert "question> Capital?" in lm.requests[0].messages[-1]["content"]


class LoudAdapter(JSONAdapter):
    """A subclass that changes what is said, and keeps the dialect."""

    def format_task_description(self, signature: type[Signature]) -> str:
        return signature.instructions.upper()


async def test_a_subclass_with_other_words_streams_like_its_base() -> None:
    lm = ScriptedLM(JSON)
    asked = Asked(LoudAdapter(), lm, QA)

    assert await asked.answers() == [ANSWER]
    assert len(asked.written) == 4
    assert lm.requests[0].messages[0]["content"].endswith("PRODUCE `REASONING`, `ANSWER`.")
