"""The sans-IO parts of reading an answer: events, mended text, assembly. Any cut, any quirk."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from headrace.errors import ContentRefusedError, LMError, LMServerError, LMStreamBrokenError
from headrace.lm.answer.assembly import Assembly
from headrace.lm.base import Choice, Delta, ignore
from headrace.lm.openai.stream import LINE_LIMIT, EventSplitter, LineTooLong, MarkupError
from headrace.lm.surrogates import Mender, mend
from hypothesis import given
from hypothesis import strategies as st

STREAM = (
    b": comment\n\n"
    b'data: {"a":1}\n\n'
    b'data:{"b":2}\r\n\r\n'
    b"event: message\nid: 7\nretry: 10\n"
    b'data: {"c":"\xe6\xbc\xa2"}\n'
    b'data: {"d":4}\n\n'
    b'{"error":{}}\n'
    b"<p>\n"
    b"data: [DONE]\n\n"
    b'data: {"last":1}'
)
PAYLOADS = [
    b' {"a":1}',
    b'{"b":2}',
    b' {"c":"\xe6\xbc\xa2"}',
    b' {"d":4}',
    b'{"error":{}}',
    b" [DONE]",
    b' {"last":1}',
]


def payloads(*pieces: bytes) -> list[bytes]:
    splitter = EventSplitter()
    found = [payload for piece in pieces for payload in splitter.feed(piece)]

    return [*found, *splitter.close()]


def cut(whole: Any, places: list[int]) -> list[Any]:
    ends = sorted({place % (len(whole) + 1) for place in places})

    return [whole[a:b] for a, b in zip([0, *ends], [*ends, len(whole)], strict=True)]


def test_events_are_found_in_a_whole_stream() -> None:
    assert payloads(STREAM) == PAYLOADS


def test_events_are_found_byte_by_byte() -> None:
    assert payloads(*(STREAM[at : at + 1] for at in range(len(STREAM)))) == PAYLOADS


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_found_however_the_stream_is_cut(places: list[int]) -> None:
    assert payloads(*cut(STREAM, places)) == PAYLOADS


def test_a_line_without_end_is_not_kept() -> None:
    splitter = EventSplitter()
    splitter.feed(b"x" * LINE_LIMIT)

    with pytest.raises(LineTooLong):
        splitter.feed(b"x")


def test_a_payload_without_end_is_not_kept() -> None:
    splitter = EventSplitter()
    splitter.feed(b"{\n" + b"x" * LINE_LIMIT)

    with pytest.raises(LineTooLong):
        splitter.feed(b"\n")


PRETTY = b'{\n "a": {\n  "b": 1\n }\n}'
BODIES: dict[str, tuple[bytes, list[bytes]]] = {
    "events": (b'data: {"a":1}\n\ndata: {"b":2}\n\n', [b' {"a":1}', b' {"b":2}']),
    "no space after the colon": (b'data:{"a":1}\n\n', [b'{"a":1}']),
    "a byte order mark": (b'\xef\xbb\xbfdata: {"a":1}\n\n', [b' {"a":1}']),
    "blanks": (b' \r\n\n\t data: {"a":1}\n\n', [b' {"a":1}']),
    "a comment": (b': hi\n\ndata: {"a":1}\n\n', [b' {"a":1}']),
    "other fields": (b'retry: 1\nid: 7\nevent: x\ndata: {"a":1}\n\n', [b' {"a":1}']),
    "a field without a colon": (b'data\nid\n\ndata: {"a":1}\n\n', [b' {"a":1}']),
    "one object": (b'{"a":1}', [b'{"a":1}']),
    "one object, indented": (PRETTY, [PRETTY]),
    "one object, indented, with CRLF": (PRETTY.replace(b"\n", b"\r\n"), [PRETTY]),
    "an object and [DONE]": (b'{"a":1}\ndata: [DONE]\n\n', [b'{"a":1}', b" [DONE]"]),
    "an indented object and [DONE]": (PRETTY + b"\n\ndata: [DONE]\n\n", [PRETTY + b"\n", b" [DONE]"]),
    "an object a line": (b'{"a":1}\n{"b":2}\n[DONE]\n', [b'{"a":1}', b'{"b":2}', b"[DONE]"]),
    "an array": (b'[{"a":1},{"b":2}]', [b'[{"a":1},{"b":2}]']),
    "an array over several lines": (b'[{"a":1}\n,\n{"b":2}\n]', [b'[{"a":1}\n,\n{"b":2}\n]']),
    "an object over several data lines": (
        b'data: {\ndata: "a":1\ndata: }\n\ndata: {"b":2}\n\n',
        [b' {\n "a":1\n }', b' {"b":2}'],
    ),
    "an indented error between events": (
        b'data: {"a":1}\n\n{\n "error": 1\n}\n\ndata: [DONE]\n\n',
        [b' {"a":1}', b'{\n "error": 1\n}\n', b" [DONE]"],
    ),
    "lines that mean nothing": (b'[INFO] ready\nhello\ndata: {"a":1}\n\n', [b' {"a":1}']),
    "half an event": (b'data: {"a":', [b' {"a":']),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_body_is_what_it_begins_like(body: str) -> None:
    data, found = BODIES[body]

    assert payloads(data) == found


@given(st.sampled_from(sorted(BODIES)), st.lists(st.integers(0, 200), max_size=8))
def test_a_body_is_the_same_however_it_is_cut(body: str, places: list[int]) -> None:
    data, found = BODIES[body]

    assert payloads(*cut(data, places)) == found


@given(
    st.sampled_from([name for name, (data, _) in BODIES.items() if b"\r" not in data]),
    st.sampled_from([b"\r", b"\r\n"]),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_lines_end_in_any_way(body: str, end: bytes, places: list[int]) -> None:
    data, found = BODIES[body]
    meant = [payload.split() for payload in payloads(*cut(data.replace(b"\n", end), places))]

    assert meant == [payload.split() for payload in found]


def test_an_event_is_there_when_its_line_has_ended() -> None:
    splitter = EventSplitter()

    assert [splitter.feed(piece) for piece in (b'data: {"a"', b":1}\r", b"\n", b"\r\n")] == [
        [],
        [b' {"a":1}'],
        [],
        [],
    ]


@pytest.mark.parametrize("page", [b"<html>", b" \n<!doctype html>", b"\xef\xbb\xbf<?xml?>"])
def test_a_page_is_no_stream(page: bytes) -> None:
    with pytest.raises(MarkupError):
        payloads(page)


@pytest.mark.parametrize(
    ("body", "puzzled"),
    [
        (b"upstream connect error\n", True),
        (b"\x1f\x8b\x08\x00", True),
        (b": comment\n\nid: 1\n\n", False),
        (b" \n", False),
        (b"", False),
    ],
)
def test_a_body_that_is_neither_events_nor_json_is_noticed(body: bytes, puzzled: bool) -> None:
    splitter = EventSplitter()

    assert ([*splitter.feed(body), *splitter.close()], splitter.puzzled) == ([], puzzled)


ODD_TEXT = st.text(
    st.sampled_from(
        "aé漢😀\ud83d\ude00\udc4d\udcc3\udca9\udce6\udcbc\udca2\udcf0\udc9f\udc98\udc80"
    )
)


@given(ODD_TEXT, st.lists(st.integers(0, 50), max_size=6))
def test_text_is_mended_alike_however_it_is_cut(text: str, places: list[int]) -> None:
    mender = Mender()
    mended = [mender.feed(piece) for piece in cut(text, places)]

    whole = "".join([*mended, mender.close()])
    assert whole == mend(text)
    whole.encode()


@given(st.text())
def test_text_that_is_unicode_is_left_alone(text: str) -> None:
    assert mend(text) == text


def test_halves_that_never_meet_become_replacement_characters() -> None:
    assert mend("a\ud800b\udfffc\udcffd") == "a\ufffdb\ufffdc\ufffdd"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "message",
                    "content",
                    "index",
                    "finish_reason",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "usage",
                    "reasoning",
                    "refusal",
                    "logprobs",
                    "model",
                    "x_groq",
                    "type",
                    "text",
                    "thinking",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.sampled_from(["choices", "usage", "model", "x_groq"]), JSON)))
def test_whatever_json_comes_only_an_lm_error_goes(chunks: list[dict[str, Any]]) -> None:
    deltas: list[Delta] = []
    assembly = Assembly(deltas.append, "m")

    for chunk in chunks:
        assembly.feed(chunk)

    with contextlib.suppress(LMError):
        choices = assembly.choices()
        first = [delta.text for delta in deltas if delta.choice == min(d.choice for d in deltas)]
        assert "".join(first) in {choice.text for choice in choices} | {""}


def assembled(*choices: dict[str, Any]) -> list[Choice]:
    assembly = Assembly(ignore, "m")

    for choice in choices:
        assembly.feed({"choices": [choice]})

    return assembly.choices()


def content(text: str, **more: Any) -> dict[str, Any]:
    return {"index": 0, "delta": {"content": text}, **more}


def end(reason: str, index: int = 0) -> dict[str, Any]:
    return {"index": index, "delta": {}, "finish_reason": reason}


def test_text_and_reason_make_a_choice() -> None:
    assert assembled(content("Hel"), content("lo"), end("stop")) == [Choice("Hello", tool_calls=[])]


@pytest.mark.parametrize(
    ("said", "meant"),
    [("eos", "stop"), ("max_tokens", "length"), ("model_length", "length"), ("odd", "odd")],
)
def test_finish_reasons_come_in_openais_words(said: str, meant: str) -> None:
    assert assembled(content("x"), end(said))[0].finish_reason == meant


@pytest.mark.parametrize(
    ("choices", "error"),
    [
        ([], LMStreamBrokenError),
        ([content("half")], LMStreamBrokenError),
        ([content("half"), end("stop", index=1)], LMStreamBrokenError),
        ([end("stop")], LMStreamBrokenError),
        ([content("half"), end("content_filter")], ContentRefusedError),
        ([{"delta": {"refusal": "no"}}, end("stop")], ContentRefusedError),
        ([content("half"), end("error")], LMServerError),
        ([content("half"), end("insufficient_system_resource")], LMServerError),
    ],
    ids=str,
)
def test_what_is_no_answer_is_an_error(choices: list[dict[str, Any]], error: type[LMError]) -> None:
    with pytest.raises(error):
        assembled(*choices)


def test_an_answer_cut_at_its_first_token_is_still_one() -> None:
    assert assembled(end("length")) == [Choice("", tool_calls=[], finish_reason="length")]


def usage() -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": 1}}


FINISHES: dict[str, tuple[list[dict[str, Any]], tuple[bool, bool]]] = {
    "a reason alone": ([content("a"), end("stop")], (True, True)),
    "a reason beside the last text": ([content("a"), content("b", finish_reason="stop")], (True, False)),
    "the same, and usage": ([content("a", finish_reason="stop"), usage()], (True, True)),
    "a reason, then usage": ([content("a"), end("stop"), usage()], (True, True)),
    "a reason, then an empty text": ([content("a"), end("stop"), content("")], (True, True)),
    "a reason, and once more": ([content("a"), end("stop"), end("stop")], (True, True)),
    "a reason in every chunk": (
        [content(text, finish_reason="stop") for text in "abc"], (False, False),
    ),
    "a reason in every chunk, and alone": (
        [*(content(text, finish_reason="stop") for text in "abc"), end("stop")], (False, False),
    ),
    "a reason in the first chunk": ([content("a", finish_reason="stop"), content("b")], (False, False)),
    "early, then usage": (
        [content("a", finish_reason="stop"), content("b", finish_reason="stop"), usage()], (False, False),
    ),
    "thinking after it": ([content("a"), end("stop"), {"delta": {"reasoning": "b"}}], (False, False)),
    "a tool call after it": (
        [content("a"), end("stop"), {"delta": {"tool_calls": [{"id": "c"}]}}], (False, False),
    ),
    "a refusal after it": ([content("a"), end("stop"), {"delta": {"refusal": "b"}}], (False, False)),
    "another completion after it": ([content("a"), end("stop"), content("b", index=1)], (False, False)),
    "none": ([content("a")], (False, False)),
}  # fmt: skip


def fed(chunks: list[dict[str, Any]], count: int = 1) -> Assembly:
    assembly = Assembly(ignore, "m", count=count)

    for chunk in chunks:
        assembly.feed(chunk if "choices" in chunk else {"choices": [chunk]})

    return assembly


@pytest.mark.parametrize("finish", FINISHES)
def test_a_finish_reason_holds_until_the_answer_goes_on(finish: str) -> None:
    chunks, state = FINISHES[finish]
    assembly = fed(chunks)

    assert (assembly.finished, assembly.settled) == state


@pytest.mark.parametrize("finish", [name for name in FINISHES if name != "none"])
def test_an_early_finish_reason_holds_once_the_provider_is_done(finish: str) -> None:
    chunks, _ = FINISHES[finish]
    assembly = fed([chunk for chunk in chunks if chunk.get("index") != 1])
    assembly.end()

    assert (assembly.finished, assembly.choices()[0].finish_reason) == (True, "stop")


def test_several_completions_are_finished_when_all_are() -> None:
    stream = [content("a"), end("stop"), content("b", index=1), end("stop", index=1)]
    states = [fed(stream[:size], count=2).finished for size in range(5)]

    assert states == [False, False, False, False, True]


def test_one_early_completion_leaves_the_answer_open() -> None:
    early = [content(text, index=1, finish_reason="stop") for text in "ab"]

    assert not fed([content("x"), end("stop"), *early], count=2).finished


def test_a_provider_that_sends_fewer_completions_is_done_when_it_says_so() -> None:
    assembly = fed([content("a"), end("stop")], count=2)
    before = assembly.finished
    assembly.end()

    assert (before, assembly.finished) == (False, True)


def test_text_that_comes_together_may_be_pushed_as_one_delta() -> None:
    deltas: list[Delta] = []
    assembly = Assembly(deltas.append, "m", joins=True)
    thought = {"index": 0, "delta": {"reasoning": "hm"}}

    for choice in (thought, content("a"), content("b"), content("c", index=1), content("d")):
        assembly.feed({"choices": [choice]})

    before = list(deltas)
    assembly.flush()
    assembly.flush()

    told = [Delta("", "hm"), Delta("ab"), Delta("c", choice=1), Delta("d")]
    assert (before, deltas) == (told[:3], told)


@given(st.lists(st.tuples(st.booleans(), st.text(max_size=3), st.booleans()), max_size=20))
def test_joining_changes_no_text(pieces: list[tuple[bool, str, bool]]) -> None:
    def texts(*, joins: bool) -> tuple[str, str, int]:
        deltas: list[Delta] = []
        assembly = Assembly(deltas.append, "m", joins=joins)

        for thinking, text, together in pieces:
            kind = "reasoning" if thinking else "content"
            assembly.feed({"choices": [{"index": 0, "delta": {kind: text}}]})

            if not together:
                assembly.flush()

        assembly.flush()
        thoughts = "".join(delta.reasoning for delta in deltas)

        return "".join(delta.text for delta in deltas), thoughts, assembly.pieces

    assert texts(joins=True) == texts(joins=False)


def test_tool_arguments_sent_as_an_object_become_text() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": {"x": 1}}}
    [choice] = assembled({"delta": {"tool_calls": [call]}}, end("tool_calls"))

    assert choice.tool_calls == [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    ]
