"""What a reader is sent: order, positions, counts, choice and size, however it is cut."""

from __future__ import annotations

from dataclasses import replace

from headrace.events import (
    Kind,
    Phase,
    PredictionEvent,
    Status,
)
from headrace.server.reader import Delivery
from headrace.server.selection import (
    ReaderOptions,
    StatusDetail,
    TokenDetail,
)
from server.messages import deliveries, message, outline, sent
from server.recordings import (
    entries,
    status,
    token,
)


def test_tokens_that_pend_together_become_one_message() -> None:
    recorded = entries(
        status(), token("a", 0), token("b", 1), PredictionEvent("ab", {"answer": "ab"})
    )

    assert outline(sent(recorded)) == [
        (1, 1, "status"),
        (3, 2, "answer@0:ab"),
        (4, 1, "prediction"),
    ]


def test_only_the_end_of_a_merged_group_is_a_position() -> None:
    recorded = entries(token("a", 0, "x"), token("1", 0, "y"), token("b", 1, "x"))

    assert outline(sent(recorded)) == [(0, 2, "x@0:ab"), (3, 1, "y@0:1")]


def test_the_attempt_comes_with_the_entries_and_heartbeats_repeat_it() -> None:
    first, second, third = entries(token("a", 0), status(), token("b", 0))
    recorded = [first, second._replace(attempt=2), third._replace(attempt=2)]
    one = deliveries(ReaderOptions(status_detail=StatusDetail.NONE))
    told: list[Delivery] = [*one.of(recorded), one.heartbeat()]

    assert [(delivery.sequence, delivery.attempt) for delivery in told] == [(1, 1), (3, 2), (3, 2)]


def test_what_a_reader_does_not_want_is_counted_by_what_it_gets_next() -> None:
    recorded = entries(status(), token("a", 0), token("b", 1), status(), PredictionEvent("ab"))
    quiet = ReaderOptions(token_detail=TokenDetail.NONE)

    assert outline(sent(recorded, quiet)) == [
        (1, 1, "status"),
        (4, 3, "status"),
        (5, 1, "prediction"),
    ]


def test_tokens_merge_across_statuses_that_are_not_sent() -> None:
    recorded = entries(token("a", 0), status(), token("b", 1))
    quiet = ReaderOptions(status_detail=StatusDetail.NONE)

    assert outline(sent(recorded, quiet)) == [(3, 3, "answer@0:ab")]


def test_statuses_with_words_can_be_had_alone() -> None:
    spoken = Status(Kind.MODULE, Phase.START, 1, 0, "step", message="Thinking")
    options = ReaderOptions(status_detail=StatusDetail.MESSAGES)

    assert outline(sent(entries(status(), spoken), options)) == [(2, 2, "status")]


def test_fields_are_chosen_by_name_and_typed_ones_only_so() -> None:
    one = token("1", 0)._replace(predictor="a.predict", field="text")
    two = token("2", 0)._replace(predictor="a.predict", field="items", typed=True)
    recorded = entries(one, two)

    def fields(*selectors: str) -> list[str]:
        options = ReaderOptions(fields=frozenset(selectors))
        return [one.token.field for one in sent(recorded, options)]

    assert fields() == ["text"]
    assert fields("*") == ["text", "items"]
    assert fields("a.items") == ["items"]


def test_the_suffix_that_chain_of_thought_adds_does_not_cross() -> None:
    recorded = entries(token("x", 0)._replace(predictor="ideas.brainstorm.predict"))

    assert sent(recorded)[0].token.predictor == "ideas.brainstorm"


def test_long_text_is_split_and_only_the_last_part_ends_the_field() -> None:
    long = token("é" * 10, 5)._replace(is_last=True)
    messages = sent(entries(long), size=12)

    assert outline(messages) == [
        (0, 0, "answer@5:ééé"),
        (0, 0, "answer@8:ééé"),
        (0, 0, "answer@11:ééé"),
        (1, 1, "answer@14:é"),
    ]
    assert [one.token.is_last for one in messages] == [False, False, False, True]


def test_half_a_surrogate_pair_is_replaced_and_offsets_stay() -> None:
    messages = sent(entries(token("a\ud83d", 0), token("b", 2)))

    assert outline(messages) == [(2, 2, "answer@0:a\ufffdb")]


def test_a_heartbeat_repeats_the_position_and_counts_nothing() -> None:
    one = deliveries()
    list(one.of(entries(status(), token("a", 0)._replace(typed=True))))
    heartbeat = message(one.heartbeat())

    assert heartbeat.WhichOneof("event") == "heartbeat"
    assert (heartbeat.sequence, heartbeat.event_count) == (1, 0)


def test_content_is_sent_only_where_it_is_wanted() -> None:
    spoken = replace(status(), data={"question": "why?"})

    assert not sent(entries(spoken))[0].status.HasField("data")
    wanted = sent(entries(spoken), ReaderOptions(include_data=True))
    assert dict(wanted[0].status.data.items()) == {"question": "why?"}
