"""The board as text: what a run looks like at a moment, on a terminal of some size."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence

import pytest
from client.events import (
    Arm,
    S,
    answered,
    approval,
    composer_run,
    custom,
    end,
    envelope,
    log,
    prediction,
    question,
    start,
    token,
    tokens,
)
from headrace_client.cli.board import Board, Mark
from headrace_client.cli.cells import wrap
from headrace_client.cli.frame import ASCII, Frame, plain
from headrace_proto.v1 import headrace_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len


def board_of(events: Iterable[pb.StreamEvent]) -> Board:
    board = Board()

    for event in events:
        board.update(event)

    return board


def shown(arms: Sequence[Arm], frame: Frame | None = None) -> str:
    return plain((frame or Frame()).lines(board_of(log(*arms))))


def golden(text: str) -> str:
    return inspect.cleandoc(text)


def test_both_branches_fill_side_by_side() -> None:
    assert shown(composer_run()[:6], Frame(height=20)) == golden(
        """
        ⠋ composer  0.5 s, 4 tokens, 13/s
        · Spinning ideas...
        ⠋ ideas.brainstorm.brainstorm  Rivers carry                                0.3 s
        ⠋ evidence.probe.evidence      In 1911 it                                  0.2 s
        """
    )


def test_at_the_end_each_field_has_one_line() -> None:
    assert shown(composer_run()) == golden(
        """
        ✓ composer  1.2 s, 8 tokens, 10/s
        · Spinning ideas...
        ✓ ideas.brainstorm.brainstorm  Rivers carry light.                         0.4 s
        ✓ evidence.probe.evidence      In 1911 it rained.                          0.4 s
        · Ideas ready.
        ✓ compose.answer               Because of rain.                            0.1 s
        """
    )


def test_time_goes_on_between_events_only_for_what_runs() -> None:
    later = Frame(height=20, idle=61.0, tick=3)

    assert shown([*composer_run()[:7], *composer_run()[9:10]], later) == golden(
        """
        ⠸ composer  1:01, 6 tokens, 12/s
        · Spinning ideas...
        ✓ ideas.brainstorm.brainstorm  Rivers carry light.                         0.4 s
        ⠸ evidence.probe.evidence      In 1911 it                                   1:01
        ⠸ compose.answer               Because                                      1:01
        """
    )


def test_a_loop_of_calls_stays_readable() -> None:
    arms: list[Arm] = [
        start(S.KIND_RUN, "agent"),
        *tokens("react.next_thought", "I should ", "search.", call_id=3),
        start(S.KIND_TOOL, "search", "Searching for rivers...", call_id=4),
        end(S.KIND_TOOL, "search", "Found 3 pages.", call_id=4, seconds=1.5),
        *tokens("react.next_thought", "Once ", "more.", call_id=5),
        start(S.KIND_TOOL, "search", call_id=6),
        end(
            S.KIND_TOOL,
            "search",
            call_id=6,
            failure=pb.Failure(reason="TOOL_ERROR", message="the page is gone"),
            seconds=0.2,
        ),
        *tokens("react.next_thought", "Enough.", call_id=7),
        start(S.KIND_TOOL, "finish", call_id=8),
    ]

    assert shown(arms, Frame(height=20)) == golden(
        """
        ⠋ agent  1.0 s, 5 tokens, 6/s
        ✓ react.next_thought     I should search.                                  0.1 s
        ✓ search()               Found 3 pages.                                    1.5 s
        ✓ react.next_thought #2  Once more.                                        0.1 s
        ✗ search()               TOOL_ERROR: the page is gone                      0.2 s
        ✓ react.next_thought #3  Enough.                                           0.0 s
        ⠋ finish()                                                                 0.0 s
        """
    )


def test_a_wait_for_a_model_shows_until_its_first_token() -> None:
    asked: tuple[Arm, ...] = (
        start(S.KIND_RUN, "qa"),
        start(S.KIND_MODULE, "self", call_id=2),
        S(kind=S.KIND_LM, phase=S.PHASE_START, name="openai/x", call_id=3, parent_call_id=2),
    )
    retried = S(
        kind=S.KIND_LM,
        phase=S.PHASE_UPDATE,
        name="openai/x",
        call_id=3,
        parent_call_id=2,
        failure=pb.Failure(reason="LM_RATE_LIMITED", message="slow down"),
    )

    assert shown([*asked, retried], Frame(height=20)) == golden(
        """
        ⠋ qa  0.3 s
        ⠋ openai/x  waiting                                                        0.1 s
        ✗ openai/x: LM_RATE_LIMITED: slow down, trying again
        """
    )
    assert shown([*asked, token("self.answer", "Yes")], Frame(height=20)) == golden(
        """
        ⠋ qa  0.3 s, 1 token
        ⠋ answer  Yes                                                              0.0 s
        """
    )


def test_a_cached_answer_says_so() -> None:
    arms: list[Arm] = [
        start(S.KIND_RUN, "qa"),
        token("self.answer", "Yes.", last=True, cached=True),
    ]

    assert shown(arms) == golden(
        """
        ⠋ qa  0.1 s, 1 token
        ✓ answer  Yes.                                                            cached
        """
    )


@pytest.mark.parametrize(("mark", "sign"), [(Mark.FAILED, "✗"), (Mark.STOPPED, "■")])
def test_what_ran_ends_with_the_run(mark: Mark, sign: str) -> None:
    board = board_of(log(*composer_run()[:3]))
    board.end(mark)

    assert plain(Frame(idle=9.0).lines(board)) == golden(
        f"""
        {sign} composer  {mark.value}, 0.2 s, 1 token
        · Spinning ideas...
        {sign} ideas.brainstorm.brainstorm  Rivers                                      0.0 s
        """
    )


def test_a_running_field_shows_the_end_of_its_text_in_the_lines_there_are() -> None:
    words = " ".join(f"word{n}" for n in range(40))
    arms: list[Arm] = [start(S.KIND_RUN, "qa"), token("self.answer", words)]

    assert shown(arms, Frame(width=50, height=4)) == golden(
        """
        ⠋ qa  0.1 s, 1 token
        ⠋ answer  word27 word28 word29 word30 word31
                  word32 word33 word34 word35 word36
                  word37 word38 word39
        """
    )


def test_the_oldest_rows_that_are_done_fold_into_a_count() -> None:
    arms: list[Arm] = [start(S.KIND_RUN, "loop"), token("slow.answer", "still", call_id=99)]

    for call in range(1, 8):
        arms += tokens("step.text", f"step {call}", call_id=call)

    assert shown(arms, Frame(width=40, height=6)) == golden(
        """
        ⠋ loop  0.8 s, 8 tokens, 11/s
          … 4 earlier
        ⠋ slow.answer   still
        ✓ step.text #5  step 5
        ✓ step.text #6  step 6
        ✓ step.text #7  step 7
        """
    )


def test_a_narrow_terminal_without_unicode_still_shows_what_happens() -> None:
    assert shown(composer_run(), Frame(width=28, glyphs=ASCII)) == golden(
        """
        + composer  1.2 s, 8 tokens,
        - Spinning ideas...
        + ~brainstorm  Rivers carry~
        + ~e.evidence  In 1911 it r~
        - Ideas ready.
        + ~ose.answer  Because of r~
        """
    )


def test_the_run_id_stands_where_there_is_room() -> None:
    (event,) = log(start(S.KIND_RUN, "qa"))
    event.run_id = "r-1"

    assert plain(Frame().lines(board_of([event]))) == "⠋ qa  0.0 s  r-1"
    assert plain(Frame(width=12).lines(board_of([event]))) == "⠋ qa  0.0 s"


def test_no_control_character_of_a_model_reaches_the_terminal() -> None:
    hostile = "\x1b[2Jgone\x07\x9b1m\r\x7f\u202e"
    arms: list[Arm] = [
        start(S.KIND_RUN, hostile, hostile),
        start(S.KIND_TOOL, hostile, hostile, call_id=2),
        token(f"{hostile}.{hostile}", hostile),
        prediction(**{hostile: hostile}),
    ]

    for size in (Frame(), Frame(height=5)):
        text = shown(arms, size)
        assert [c for c in text if c != "\n" and (not c.isprintable())] == []
        assert "␛[2Jgone␇" in text


def test_a_merged_token_counts_for_all_it_holds() -> None:
    events = [
        envelope(token("a.x", "one "), 1, 0.0),
        envelope(token("a.x", "two three ", 4), 11, 1.0, count=10),
    ]

    assert board_of(events).token_count == 11


@given(
    st.lists(st.text() | st.text(alphabet="ab 漢\n👩‍🚀é"), max_size=12),
    st.integers(12, 100),
    st.one_of(st.none(), st.integers(1, 30)),
)
def test_whatever_is_shown_fits(texts: list[str], width: int, height: int | None) -> None:
    arms: list[Arm] = [start(S.KIND_RUN, "fit", "\n".join(texts))]
    arms += [token(f"p{n}.f", text, call_id=n, last=n % 2 == 0) for n, text in enumerate(texts)]
    lines = plain(Frame(width=width, height=height).lines(board_of(log(*arms)))).split("\n")

    assert max(cell_len(line) for line in lines) <= width
    assert height is None or len(lines) <= max(height, 2)


@given(st.text(alphabet="ab 漢\n👩‍🚀é", max_size=80), st.integers(2, 20))
def test_wrapping_loses_no_letter_and_passes_no_margin(text: str, width: int) -> None:
    lines = list(wrap(text, width))

    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in lines)


def test_what_a_run_tells_and_asks_has_its_rows() -> None:
    declined = pb.InputResolved(
        input_id="q2", outcome=pb.InputResolved.OUTCOME_DECLINED, reason="not now"
    )
    asking: list[Arm] = [
        start(S.KIND_RUN, "qa"),
        custom("progress", done=1),
        question("q1", "Which way?"),
        custom("progress", done=2),
        approval("q2", "send", to="ann"),
        answered("q1"),
    ]

    assert shown(asking, Frame(height=20, width=70)) == golden(
        """
        ⠋ qa  0.5 s
        · progress  {"done": 2}                                          0.2 s
        ✓ asks      answered                                             0.3 s
        ⠋ send()?   send({"to": "ann"}) (headrace answer  q2 ...)        0.1 s
        """
    )
    assert plain(Frame(width=70).lines(board_of(log(*asking, declined)))).splitlines()[-1] == (
        "■ send()?   declined: not now                                    0.2 s"
    )
