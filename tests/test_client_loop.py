"""The client loop of docs/contract.md: it reads on where a stream was cut, and stops where a run says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from headrace_proto.v1 import headrace_pb2 as pb
from pages.blocks import blocks_of

PAGE = Path(__file__).parents[1] / "docs" / "contract.md"

Reply: TypeAlias = "Sequence[int | Cut]"
"""What one call of Run gives: events by their sequence, and at the end perhaps an error."""


class Cut(grpc.RpcError):
    """The end of a stream that is not OK."""

    def __init__(self, code: grpc.StatusCode, **trailers: str) -> None:
        super().__init__(code.name)
        self._code = code
        self._trailers = {name.replace("_", "-"): value for name, value in trailers.items()}

    def code(self) -> grpc.StatusCode:
        return self._code

    def trailing_metadata(self) -> tuple[Any, ...]:
        return tuple(self._trailers.items())


class Stub:
    """A server that gives what the test has written, a call each."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = iter(replies)
        self.cursors: list[int] = []
        self.run_ids: set[str] = set()

    def Run(self, request: pb.RunRequest) -> Iterator[pb.StreamEvent]:
        self.cursors.append(request.after_sequence)
        self.run_ids.add(request.run_id)

        for one in next(self._replies):
            if isinstance(one, Cut):
                raise one

            yield pb.StreamEvent(sequence=one)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the loop has waited, which here it does not."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)

    return waited


def loop() -> Callable[[Stub, Callable[[pb.StreamEvent], object]], None]:
    """The loop as the page has it."""
    [block] = [block for block in blocks_of(PAGE) if "def run(" in block.text]
    names: dict[str, Any] = {}
    exec(compile(block.text, f"{PAGE}:{block.line}", "exec"), names)

    return lambda stub, apply: names["run"](stub, "qa", {"question": "why?"}, apply)


def read(stub: Stub) -> list[int]:
    """The sequences that the loop reads."""
    seen: list[int] = []
    loop()(stub, lambda event: seen.append(event.sequence))

    return seen


AWAY = grpc.StatusCode.UNAVAILABLE


def test_it_reads_on_from_the_last_position_of_the_same_run(waits: list[float]) -> None:
    slow = Cut(AWAY, headrace_retry_delay_ms="1500")
    stub = Stub([1, 2, 0, Cut(AWAY)], [3, slow], [Cut(grpc.StatusCode.INTERNAL)], [4])

    assert read(stub) == [1, 2, 0, 3, 4]
    assert (stub.cursors, len(stub.run_ids)) == ([0, 2, 3, 3], 1)
    assert waits == [0.2, 1.5, 0.4]


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_it_ends_with_the_status_of_a_run_that_is_over(state: str, waits: list[float]) -> None:
    over = Cut(AWAY, headrace_run_state=state)

    with pytest.raises(Cut) as raised:
        read(Stub([1, over]))

    assert (raised.value, waits) == (over, [])


@pytest.mark.parametrize("state", ["WAITING", "PAUSED"])
@pytest.mark.parametrize("code", [AWAY, grpc.StatusCode.ABORTED])
def test_it_never_loops_on_a_run_in_a_state_that_it_does_not_know(
    state: str, code: grpc.StatusCode, waits: list[float]
) -> None:
    stub = Stub([1, Cut(code, headrace_run_state=state)])

    with pytest.raises(RuntimeError, match=rf"is {state}, not over: ask GetRun"):
        read(stub)

    assert (stub.cursors, waits) == ([0], [])


def test_it_gives_up_what_will_not_get_better(waits: list[float]) -> None:
    with pytest.raises(Cut):
        read(Stub([Cut(grpc.StatusCode.NOT_FOUND, headrace_error_reason="PROGRAM_NOT_FOUND")]))

    assert waits == []

    with pytest.raises(Cut):
        read(Stub(*[[Cut(AWAY)]] * 9))

    assert len(waits) == 5
