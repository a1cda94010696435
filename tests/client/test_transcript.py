"""Text from tokens: the one rule, and cursors over it."""

from __future__ import annotations

from client.events import token, tokens
from headrace_client._transcript import FieldKey, FieldText, Transcript
from hypothesis import given
from hypothesis import strategies as st

chunks = st.lists(st.tuples(st.floats(0, 1), st.text(max_size=5)), max_size=30)
"""Chunks, each at some share of the text held: 1 grows it, less rewinds it."""


@given(chunks)
def test_text_is_what_the_rule_says(chunks: list[tuple[float, str]]) -> None:
    text, expected = FieldText(), ""

    for share, chunk in chunks:
        offset = int(share * len(expected))
        text.apply(offset, chunk)
        expected = expected[:offset] + chunk

        assert (str(text), len(text)) == (expected, len(expected))


@given(chunks, st.integers(0, 100))
def test_what_came_after_a_position_is_the_rest(
    chunks: list[tuple[float, str]], position: int
) -> None:
    text = FieldText()

    for share, chunk in chunks:
        text.apply(int(share * len(text)), chunk)

    assert text.since(position) == str(text)[position:]


@given(
    st.text(min_size=1, max_size=40),
    st.integers(0, 39),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=40),
)
def test_a_reader_that_came_late_holds_the_text_from_its_first_token_on(
    whole: str, start: int, steps: list[tuple[int, int]]
) -> None:
    """Wherever tokens begin, and however often parts of them come again."""
    start = min(start, len(whole) - 1)
    text, end = FieldText(), start

    for back, length in steps:
        first = max(end - back, start)
        text.apply(first, whole[first : first + length])
        end = min(first + length, len(whole))

        assert str(text) == whole[start:end]


def test_a_token_from_before_the_first_one_moves_the_start() -> None:
    text = FieldText()
    text.apply(5, "later")
    text.apply(2, "earlier")
    text.apply(9, " still")

    assert str(text) == "earlier still"


def test_offsets_count_code_points() -> None:
    text = FieldText()
    text.apply(0, "né👩‍🚀")
    text.apply(5, "!")

    assert str(text) == "né👩‍🚀!"


def test_a_transcript_keeps_calls_and_fields_apart() -> None:
    transcript = Transcript()

    for arrived in [
        *tokens("react.thought", "first", call_id=2),
        *tokens("react.thought", "second", call_id=5),
        *tokens("react.tool", "search", call_id=5),
        *tokens("other.deep.thought", "third", call_id=7),
    ]:
        transcript.apply(arrived)

    def found(selector: str) -> list[tuple[FieldKey, str]]:
        return [(key, str(text)) for key, text in transcript.matching(selector)]

    first = (FieldKey("react", "thought", 2), "first")
    second = (FieldKey("react", "thought", 5), "second")
    third = (FieldKey("other.deep", "thought", 7), "third")

    assert found("thought") == [first, second, third]
    assert found("react.thought") == found("react.predict.thought") == [first, second]
    assert found("other.deep.thought") == [third]
    assert found("deep.thought") == []


def test_a_text_is_complete_with_its_last_token() -> None:
    transcript = Transcript()

    assert not transcript.apply(token("a.x", "one")).is_complete
    assert transcript.apply(token("a.x", "", 3, last=True)).is_complete
    assert not transcript.apply(token("a.x", "anew")).is_complete
