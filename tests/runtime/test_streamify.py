"""streamify: what a consumer sees of a run, and what happens when it looks away."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from headrace.adapters import ChatAdapter, JSONAdapter, XMLAdapter
from headrace.asyncify import asyncify
from headrace.chain_of_thought import ChainOfThought
from headrace.errors import (
    AdapterParseError,
    LMStreamBrokenError,
    ProgramResultInvalid,
    RunCancelled,
    UsageError,
)
from headrace.module import Module
from headrace.parallel import Parallel
from headrace.predict import Predict
from headrace.settings import configure, context, settings
from headrace.streaming import (
    StatusMessage,
    StatusMessageProvider,
    StreamListener,
    StreamResponse,
    streamify,
)
from headrace.threads import portal
from headrace.tools import Tool
from headrace.values import Prediction
from scripted_lm import ScriptedLM, chat, cut, echo


async def all_of(stream: AsyncGenerator[Any, None]) -> list[Any]:
    return [item async for item in stream]


def texts(items: list[Any]) -> dict[tuple[str, str], str]:
    """The joined text of each (predictor, field)."""
    joined: dict[tuple[str, str], str] = {}

    for item in items:
        if isinstance(item, StreamResponse):
            key = item.predict_name, item.signature_field_name
            joined[key] = joined.get(key, "") + item.chunk

    return joined


class Branch(Module):
    def __init__(self) -> None:
        self.ask = ChainOfThought("question -> answer")

    async def aforward(self, question: str) -> Prediction:
        return await self.ask.acall(question=question)


class Fork(Module):
    """Two branches at once, then a summary."""

    def __init__(self) -> None:
        self.left = Branch()
        self.right = Branch()
        self.join = Predict("question -> answer")

    async def aforward(self, question: str) -> Prediction:
        left, right = await asyncio.gather(
            self.left.acall(question=f"left {question}"),
            self.right.acall(question=f"right {question}"),
        )
        return await self.join.acall(question=f"{left.answer} and {right.answer}")


async def test_a_stream_is_the_text_as_it_comes_and_then_the_prediction() -> None:
    lm = ScriptedLM(["[[ ## answer ## ]]\nTo ", "get", " there", "\n\n[[ ## completed ## ]]"])

    with context(lm=lm):
        items = await all_of(streamify(Predict("question -> answer"))(question="?"))

    assert items == [
        StreamResponse("self", "answer", "To", call_id=2),
        StreamResponse("self", "answer", " get", call_id=2),
        StreamResponse("self", "answer", " there", call_id=2),
        StreamResponse("self", "answer", "", is_last_chunk=True, call_id=2),
        Prediction(answer="To get there"),
    ]


async def test_parallel_branches_interleave_under_their_own_addresses() -> None:
    with context(lm=ScriptedLM(by_prompt=echo("reasoning", "answer"))):
        items = await all_of(streamify(Fork())(question="why"))

    order = [item.predict_name for item in items if isinstance(item, StreamResponse)]
    assert texts(items) == {
        ("left.ask.predict", "reasoning"): "reasoning of left why",
        ("left.ask.predict", "answer"): "answer of left why",
        ("right.ask.predict", "reasoning"): "reasoning of right why",
        ("right.ask.predict", "answer"): "answer of right why",
        ("join", "answer"): "answer of answer of left why and answer of right why",
    }
    assert order.index("right.ask.predict") < len(order) - 1 - order[::-1].index("left.ask.predict")
    assert order.index("left.ask.predict") < len(order) - 1 - order[::-1].index("right.ask.predict")


async def test_one_streamified_program_serves_a_hundred_runs_at_once_each_its_own() -> None:
    program = streamify(Fork())

    with context(lm=ScriptedLM(by_prompt=echo("reasoning", "answer"))):
        streams = [all_of(program(question=f"number {number}")) for number in range(100)]
        results = await asyncio.gather(*streams)

    for number, items in enumerate(results):
        summary = texts(items)["join", "answer"]
        assert summary == items[-1].answer
        assert summary == (
            f"answer of answer of left number {number} and answer of right number {number}"
        )
        assert all(f"number {number}" in text for text in texts(items).values())


class Twice(Module):
    """The same predictor, twice at once."""

    def __init__(self) -> None:
        self.ask = Predict("question -> answer")

    async def aforward(self) -> list[str]:
        both = await asyncio.gather(self.ask.acall(question="a"), self.ask.acall(question="b"))
        return [one.answer for one in both]


def by_call(items: list[Any]) -> list[str]:
    calls: dict[int, str] = {}

    for item in items:
        if isinstance(item, StreamResponse):
            calls[item.call_id] = calls.get(item.call_id, "") + item.chunk

    return sorted(calls.values())


@pytest.mark.parametrize("listeners", [None, [StreamListener("answer")]], ids=["all", "named"])
async def test_the_same_predictor_twice_at_once_is_told_apart_by_call(
    listeners: list[StreamListener] | None,
) -> None:
    with context(lm=ScriptedLM(by_prompt=echo("answer"))):
        items = await all_of(streamify(Twice(), stream_listeners=listeners)())

    assert by_call(items) == ["answer of a", "answer of b"]
    assert items[-1] == ["answer of a", "answer of b"]


async def test_a_listener_may_take_a_predictors_first_call_alone() -> None:
    listener = StreamListener("answer", allow_reuse=False)

    with context(lm=ScriptedLM(by_prompt=echo("answer"))):
        items = await all_of(streamify(Twice(), stream_listeners=[listener])())

    assert by_call(items) == ["answer of a"]


class Threads(Module):
    """Sync code that fans out by itself."""

    def __init__(self) -> None:
        self.ask = Predict("question -> answer")

    def forward(self) -> list[str]:
        with ThreadPoolExecutor(4) as pool:
            calls = [
                pool.submit(contextvars.copy_context().run, self.ask, question=str(number))
                for number in range(4)
            ]
            return [call.result(timeout=10).answer for call in calls]


class Groups(Module):
    def __init__(self) -> None:
        self.ask = Predict("question -> answer")

    async def aforward(self) -> list[str]:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(self.ask.acall(question=str(n))) for n in range(4)]

        return [call.result().answer for call in calls]


class Pairs(Module):
    def __init__(self) -> None:
        self.ask = Predict("question -> answer")

    def forward(self) -> list[str]:
        pairs = [(self.ask, {"question": str(number)}) for number in range(4)]
        return [one.answer for one in Parallel()(pairs)]


@pytest.mark.parametrize("program", [Threads(), Groups(), Pairs()], ids=lambda p: type(p).__name__)
async def test_every_way_of_fanning_out_streams(program: Module) -> None:
    with context(lm=ScriptedLM(by_prompt=echo("answer"))):
        items = await all_of(streamify(program)())

    expected = [f"answer of {number}" for number in range(4)]
    assert by_call(items) == expected
    assert items[-1] == expected


@pytest.mark.parametrize(
    ("adapter", "answer"),
    [
        (ChatAdapter(), chat(answer="[[wiki]] & <b>")),
        (JSONAdapter(), '{"answer": "[[wiki]] & <b>"}'),
        (XMLAdapter(), "<answer>[[wiki]] &amp; <b></answer>"),
    ],
    ids=["chat", "json", "xml"],
)
async def test_every_adapter_streams_the_value(adapter: Any, answer: str) -> None:
    class Inside(Module):
        """Chooses its adapter itself, which the stream follows."""

        def __init__(self) -> None:
            self.ask = Predict("question -> answer")

        async def aforward(self, question: str) -> Prediction:
            with context(adapter=adapter):
                return await self.ask.acall(question=question)

    with context(lm=ScriptedLM(cut(answer))):
        items = await all_of(streamify(Inside())(question="?"))

    assert texts(items) == {("ask", "answer"): "[[wiki]] & <b>"}
    assert items[-1].answer == "[[wiki]] & <b>"


async def test_typed_fields_stream_when_asked_for_by_name() -> None:
    program = Predict("question -> topics: list[str]")
    answer = chat(topics='["a", "b"]')

    with context(lm=ScriptedLM(answer, answer)):
        unasked = await all_of(streamify(program)(question="?"))
        asked = await all_of(
            streamify(program, stream_listeners=[StreamListener("topics")])(question="?")
        )

    assert texts(unasked) == {}
    assert texts(asked) == {("self", "topics"): '["a", "b"]'}
    assert asked[-1].topics == ["a", "b"]


async def test_no_listeners_means_no_text() -> None:
    with context(lm=ScriptedLM(chat(answer="x"))):
        items = await all_of(
            streamify(Predict("question -> answer"), stream_listeners=[])(question="?")
        )

    assert items == [Prediction(answer="x")]


async def test_the_final_prediction_can_be_left_out_when_text_was_streamed() -> None:
    program = streamify(
        Predict("question -> answer"), include_final_prediction_in_output_stream=False
    )

    with context(lm=ScriptedLM(chat(answer="x"))):
        items = await all_of(program(question="?"))

    assert items == [StreamResponse("self", "answer", "x", is_last_chunk=True, call_id=2)]


async def test_settings_are_those_of_the_call_not_of_the_iteration() -> None:
    with context(lm=ScriptedLM(chat(answer="inside"))):
        stream = streamify(Predict("question -> answer"))(question="?")

    assert (await all_of(stream))[-1].answer == "inside"


async def test_what_is_configured_after_the_call_does_not_reach_it() -> None:
    before = settings.lm

    try:
        configure(lm=ScriptedLM(chat(answer="then")))
        stream = streamify(Predict("question -> answer"))(question="?")
        configure(lm=ScriptedLM(chat(answer="now")))

        assert (await all_of(stream))[-1].answer == "then"
    finally:
        configure(lm=before)


async def test_an_asyncified_program_and_a_function_stream_too() -> None:
    ask = Predict("question -> answer")

    def function(question: str) -> Prediction:
        return ask(question=question)

    async def coroutine(question: str) -> Prediction:
        return await ask.acall(question=question)

    for program in (asyncify(ask), function, coroutine):
        with context(lm=ScriptedLM(by_prompt=echo("answer"))):
            items = await all_of(streamify(program)(question="why"))

        assert list(texts(items).values()) == ["answer of why"]
        assert items[-1].answer == "answer of why"


async def test_sync_and_async_programs_give_the_same_stream() -> None:
    class Sync(Module):
        def __init__(self) -> None:
            self.ask = ChainOfThought("question -> answer")

        def forward(self, question: str) -> Prediction:
            return self.ask(question=question)

    class Async(Sync):
        async def aforward(self, question: str) -> Prediction:
            return await self.ask.acall(question=question)

    class Say(StatusMessageProvider):
        def module_start_status_message(self, instance: Any, inputs: Any) -> str:
            return "start"

        def lm_end_status_message(self, outputs: Any) -> str:
            return "end"

    seen: list[list[Any]] = []

    for program in (Sync(), Async()):
        with context(lm=ScriptedLM(by_prompt=echo("reasoning", "answer"))):
            seen.append(await all_of(streamify(program, Say())(question="why")))

    assert seen[0] == seen[1]


def test_a_sync_stream_reads_the_same() -> None:
    program = streamify(Predict("question -> answer"), async_streaming=False)

    with context(lm=ScriptedLM(by_prompt=echo("answer"))):
        items = list(program(question="why"))

    assert texts(items) == {("self", "answer"): "answer of why"}
    assert items[-1] == Prediction(answer="answer of why")


# Leaving early

BOUND = 20.0
"""Seconds after which a test gives up waiting."""


class Endless(ScriptedLM):
    """Answers without end."""

    def __init__(self) -> None:
        super().__init__(by_prompt=lambda prompt: self._pieces())

    def _pieces(self) -> Any:
        yield "[[ ## answer ## ]]\n"

        while True:
            yield "and "


async def others_done() -> None:
    """Waits until no task but the test's own is left on its loop."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        _, left = await asyncio.wait(others, timeout=BOUND)
        assert not left


async def leave_by_break(stream: AsyncGenerator[Any, None]) -> None:
    async for _ in stream:
        break


async def leave_by_aclose(stream: AsyncGenerator[Any, None]) -> None:
    await anext(stream)
    await stream.aclose()


async def leave_by_error(stream: AsyncGenerator[Any, None]) -> None:
    async def read() -> None:
        async for _ in stream:
            raise KeyError

    with pytest.raises(KeyError):
        await read()


async def leave_by_cancel(stream: AsyncGenerator[Any, None]) -> None:
    reading = asyncio.Event()

    async def read() -> None:
        async for _ in stream:
            reading.set()

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


class Sleeper(Module):
    def __init__(self) -> None:
        self.ask = Predict("question -> answer")

    def forward(self, question: str) -> Prediction:
        return self.ask(question=question)


@pytest.mark.parametrize(
    "leave", [leave_by_break, leave_by_aclose, leave_by_error, leave_by_cancel]
)
@pytest.mark.parametrize(
    "program", [Predict("question -> answer"), Sleeper()], ids=["async", "sync"]
)
async def test_leaving_a_stream_closes_the_lm_and_leaves_nothing(
    leave: Any, program: Module, caplog: pytest.LogCaptureFixture
) -> None:
    lm = Endless()

    with context(lm=lm):
        await leave(streamify(program)(question="?"))

    await others_done()
    assert lm.closed == 1
    assert caplog.records == []
    await asyncio.sleep(0)  # this task is not cancelled


def test_closing_a_sync_stream_closes_the_lm() -> None:
    lm = Endless()

    with context(lm=lm):
        stream = streamify(Predict("question -> answer"), async_streaming=False)(question="?")
        next(stream)
        stream.close()

    assert lm.closed == 1
    assert list(stream) == []


def test_an_exception_thrown_into_a_sync_stream_closes_it() -> None:
    lm = Endless()

    with context(lm=lm):
        stream = streamify(Predict("question -> answer"), async_streaming=False)(question="?")
        next(stream)

    with pytest.raises(KeyError):
        stream.throw(KeyError)

    assert lm.closed == 1


def test_a_sync_stream_that_is_dropped_closes_the_lm_whoever_collects_it() -> None:
    lm = Endless()

    async def collect() -> None:
        gc.collect()
        await others_done()

    def drop() -> None:
        with context(lm=lm):
            stream = streamify(Predict("question -> answer"), async_streaming=False)(question="?")

        next(stream)
        cycle: list[Any] = [stream]
        cycle.append(cycle)

    gc.disable()

    try:
        drop()
        portal.run(
            collect
        )  # on the loop that the stream ran on: waiting for itself would never end
    finally:
        gc.enable()

    assert lm.closed == 1


async def test_a_sync_stream_on_its_own_loop_is_refused_and_does_not_wait_for_ever() -> None:
    with context(lm=Endless()):
        stream = streamify(Predict("question -> answer"), async_streaming=False)(question="?")

    await portal.in_thread(next, stream)

    with pytest.raises(UsageError, match="use await"):
        next(stream)

    await portal.in_thread(stream.close)


async def test_a_stream_that_nobody_reads_starts_nothing() -> None:
    lm = ScriptedLM()
    stream = streamify(Predict("question -> answer"))(question="?")
    await stream.aclose()

    assert lm.requests == []


async def test_a_thousand_tool_calls_do_not_wait_for_the_reader() -> None:
    async def note(number: int) -> int:
        return number

    class Busy(Module):
        def __init__(self) -> None:
            self.tool = Tool(note)

        async def aforward(self) -> str:
            for number in range(1000):
                await self.tool.acall(number=number)

            finished.set()
            return "done"

    finished = asyncio.Event()
    stream = streamify(Busy())()
    first = await anext(stream)
    await asyncio.wait_for(finished.wait(), 10)
    rest = await all_of(stream)

    assert isinstance(first, StatusMessage)
    assert len(rest) == 2000
    assert rest[-1] == "done"


async def test_a_hundred_sync_programs_stream_at_once() -> None:
    everyone = threading.Barrier(100)

    class Sync(Module):
        def __init__(self) -> None:
            self.ask = Predict("question -> answer")

        def forward(self, question: str) -> Prediction:
            everyone.wait(20)
            return self.ask(question=question)

    program = streamify(Sync())

    with context(lm=ScriptedLM(by_prompt=echo("answer"))):
        results = await asyncio.gather(*(all_of(program(question=str(n))) for n in range(100)))

    assert [items[-1].answer for items in results] == [f"answer of {n}" for n in range(100)]


# Programs that misbehave


async def test_a_program_that_returns_nothing_is_told_so() -> None:
    async def nothing() -> None:
        return None

    with pytest.raises(ProgramResultInvalid, match="returned None"):
        await all_of(streamify(nothing)())


async def test_a_program_may_return_anything_else() -> None:
    async def text() -> str:
        return "just text"

    assert await all_of(streamify(text)()) == ["just text"]


async def test_the_programs_own_error_is_raised_after_what_was_streamed() -> None:
    broken = LMStreamBrokenError("the answer broke off")
    seen: list[Any] = []

    async def read() -> None:
        async for item in streamify(Predict("question -> answer"))(question="?"):
            seen.append(item)  # noqa: PERF401 - what came before the error is what counts

    lm = ScriptedLM(["[[ ## answer ## ]]\nhalf", broken])

    with context(lm=lm), pytest.raises(LMStreamBrokenError):
        await read()

    assert seen == [
        StreamResponse("self", "answer", "half", call_id=2),
        StreamResponse("self", "answer", "", is_last_chunk=True, call_id=2),
    ]


async def test_an_error_that_is_not_ours_comes_out_as_it_is() -> None:
    async def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await all_of(streamify(fail)())


async def test_after_text_was_streamed_there_is_no_second_question() -> None:
    lm = ScriptedLM(chat(answer="streamed"))

    with context(lm=lm), pytest.raises(AdapterParseError):
        await all_of(streamify(Predict("question -> answer, score: int"))(question="?"))

    assert len(lm.requests) == 1


async def test_before_any_text_the_json_adapter_may_ask_again() -> None:
    lm = ScriptedLM("The answer is 42.", '{"answer": "42"}')

    with context(lm=lm):
        items = await all_of(streamify(Predict("question -> answer"))(question="?"))

    assert texts(items) == {("self", "answer"): "42"}
    assert len(lm.requests) == 2


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration, GeneratorExit])
async def test_what_ends_iterations_is_an_error_like_any_other(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises((RuntimeError, RunCancelled)):
        await asyncio.wait_for(all_of(streamify(fail)()), 10)

    gc.collect()
    assert caplog.records == []


# Statuses


class Talkative(StatusMessageProvider):
    """End hooks in both arities, as the pages write them."""

    def module_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return f"{type(instance).__name__} starts"

    def module_end_status_message(self, instance: Any, outputs: Any) -> str:
        return f"{type(instance).__name__} ends with {outputs.answer}"

    def lm_start_status_message(self, instance: Any, inputs: dict[str, Any]) -> str:
        return f"{instance.model} thinks"

    def lm_end_status_message(self, outputs: Any) -> str:
        return f"answer of {len(outputs)}"


async def test_hooks_speak_of_every_call_whatever_is_listened_to() -> None:
    with context(lm=ScriptedLM(chat(answer="x"))):
        program = streamify(Predict("question -> answer"), Talkative(), stream_listeners=[])
        items = await all_of(program(question="?"))

    assert items == [
        StatusMessage("Predict starts", call_id=2),
        StatusMessage("scripted thinks", call_id=3),
        StatusMessage("answer of 1", call_id=3),
        StatusMessage("Predict ends with x", call_id=2),
        Prediction(answer="x"),
    ]


async def test_a_hook_that_raises_is_logged_once_and_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(StatusMessageProvider):
        def module_end_status_message(self, outputs: Any) -> str:
            raise RuntimeError("no")

    with context(lm=ScriptedLM(by_prompt=echo("answer"))):
        items = await all_of(streamify(Twice(), Broken(), stream_listeners=[])())

    assert items == [["answer of a", "answer of b"]]
    assert caplog.text.count("status hook") == 1


async def test_tools_have_words_of_their_own() -> None:
    def double(x: int) -> int:
        return 2 * x

    tool = Tool(double)

    async def program() -> Any:
        return await tool.acall(x=3)

    assert await all_of(streamify(program)()) == [
        StatusMessage("Calling tool double...", call_id=2),
        StatusMessage(
            "Tool calling finished! Querying the LLM with tool calling results...", call_id=2
        ),
        6,
    ]


# Listeners


class Two(Module):
    def __init__(self) -> None:
        self.first = Predict("question -> answer")
        self.second = ChainOfThought("question -> answer")

    async def aforward(self, question: str) -> Prediction:
        await self.first.acall(question=question)
        return await self.second.acall(question=question)


def labels(items: list[Any]) -> set[str]:
    return {item.predict_name for item in items if isinstance(item, StreamResponse)}


@pytest.mark.parametrize("name", ["second", "second.predict"])
async def test_a_predictor_is_found_by_its_address_or_that_of_a_module_around_it(name: str) -> None:
    program = streamify(Two(), stream_listeners=[StreamListener("answer", predict_name=name)])

    with context(lm=ScriptedLM(by_prompt=echo("reasoning", "answer"))):
        items = await all_of(program(question="why"))

    assert texts(items) == {(name, "answer"): "answer of why"}


async def test_a_listener_may_name_any_module_and_label_it() -> None:
    two = Two()
    listener = StreamListener("answer", predict=two.second, predict_name="final")

    with context(lm=ScriptedLM(by_prompt=echo("reasoning", "answer"))):
        items = await all_of(streamify(two, stream_listeners=[listener])(question="why"))

    assert labels(items) == {"final"}


async def test_a_listener_made_for_a_program_works_on_a_copy_of_it_by_name() -> None:
    import copy

    two = Two()
    listener = StreamListener("answer", predict=two.first, predict_name="first")
    program = streamify(copy.deepcopy(two), stream_listeners=[listener])

    with context(lm=ScriptedLM(by_prompt=echo("reasoning", "answer"))):
        assert labels(await all_of(program(question="why"))) == {"first"}


async def test_a_star_stands_for_every_field_whatever_its_type() -> None:
    class Wide(Module):
        def __init__(self) -> None:
            self.one = Predict("question -> answer, score: int")
            self.other = Predict("question -> answer")

        async def aforward(self) -> Prediction:
            await self.one.acall(question="?")
            return await self.other.acall(question="?")

    wide = Wide()
    everywhere = streamify(wide, stream_listeners=[StreamListener("*")])
    in_one = streamify(wide, stream_listeners=[StreamListener("*", wide.one, "first")])

    with context(lm=ScriptedLM(*[chat(answer="a", score="1"), chat(answer="b")] * 2)):
        assert texts(await all_of(everywhere())) == {
            ("one", "answer"): "a",
            ("one", "score"): "1",
            ("other", "answer"): "b",
        }
        assert texts(await all_of(in_one())) == {("first", "answer"): "a", ("first", "score"): "1"}


async def test_self_is_the_whole_program() -> None:
    listener = StreamListener("reasoning", predict_name="self")

    with context(lm=ScriptedLM(by_prompt=echo("reasoning", "answer"))):
        items = await all_of(streamify(Two(), stream_listeners=[listener])(question="why"))

    assert texts(items) == {("self", "reasoning"): "reasoning of why"}


@pytest.mark.parametrize(
    ("listener", "problem"),
    [
        (StreamListener("answer"), "'answer' is not unique"),
        (StreamListener("score"), "'score' is not an output of any predictor"),
        (StreamListener("answer", predict_name="third"), "'answer' is not an output .* in 'third'"),
    ],
)
def test_a_listener_that_fits_nothing_or_several_is_refused(
    listener: StreamListener, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem) as refused:
        streamify(Two(), stream_listeners=[listener])

    assert "first (answer), second.predict (reasoning, answer)" in str(refused.value)
    assert isinstance(refused.value, ValueError)
