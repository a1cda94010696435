"""A run at a moment, as rows in the order in which things began.

The rule: pure. `update` takes events and nothing else, time is the events' own; `frame` lays rows
out and `live` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from headrace_client import (
    CustomEvent,
    InputRequest,
    InputResolved,
    Prediction,
    StatusUpdate,
    StreamEvent,
    Token,
)
from headrace_client._transcript import FieldKey, FieldText, Transcript
from headrace_client.cli.asking import asks_text
from headrace_client.cli.wording import failure_text, field_label, outcome_text


class Mark(Enum):
    """State of a row."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    NOTE = "note"


@dataclass(slots=True)
class Row:
    """One thing that happens or happened: a field, a tool call, a wait for a model, a message."""

    mark: Mark
    label: str = ""
    started: float = 0.0
    ended: float | None = None
    text: FieldText | str = ""
    number: int = 1
    """Counts the calls of the same predictor, from 1."""
    is_cached: bool = False


@dataclass(slots=True)
class Board:
    """All rows of a run, and what stands above and below them."""

    title: str = ""
    run_id: str = ""
    mark: Mark = Mark.RUNNING
    started: float = 0.0
    clock: float = 0.0
    """Time of the newest event, in seconds."""
    token_count: int = 0
    prediction: Prediction | None = None
    rows: dict[object, Row] = field(default_factory=dict[object, Row])
    _transcript: Transcript = field(default_factory=Transcript)
    _names: dict[int, str] = field(default_factory=dict[int, str])
    _calls: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    _note_count: int = 0
    _first_token: float | None = None
    _last_token: float = 0.0

    @property
    def rate(self) -> float:
        """Tokens a second while tokens came; 0 until that says something."""
        span = self._last_token - (self._first_token or 0.0)

        return self.token_count / span if span >= 0.1 else 0.0

    def update(self, event: StreamEvent) -> None:
        """Takes an event in."""
        self.run_id = event.run_id
        self.clock = max(self.clock, event.create_time.ToNanoseconds() / 1e9)
        self.started = self.started or self.clock

        match event.WhichOneof("event"):
            case "token":
                self._take_token(event.token, max(event.event_count, 1))
            case "status":
                self._take_status(event.status)
            case "prediction":
                self.prediction = event.prediction
                self.end(Mark.DONE)
            case "custom":
                self._take_custom(event.custom)
            case "input_request":
                self._take_request(event.input_request)
            case "input_resolved":
                self._take_resolved(event.input_resolved)
            case _:
                pass

    def end(self, mark: Mark) -> None:
        """The run is over; what was still running ends with it."""
        self.mark = mark

        for key, row in list(self.rows.items()):
            if row.mark is not Mark.RUNNING:
                continue

            if isinstance(key, FieldKey | int):
                row.mark, row.ended = mark, self.clock
            else:
                del self.rows[key]

    def _take_token(self, token: Token, count: int) -> None:
        self.rows.pop(("wait", token.call_id), None)
        key = FieldKey(token.predictor, token.field, token.call_id)
        row = self.rows.get(key) or self._new_field(key)
        text = self._transcript.apply(token)
        row.text = text
        row.is_cached = token.cached
        row.mark = Mark.DONE if text.is_complete else Mark.RUNNING
        row.ended = self.clock if text.is_complete else None
        self.token_count += count
        self._first_token = self.clock if self._first_token is None else self._first_token
        self._last_token = self.clock

    def _new_field(self, key: FieldKey) -> Row:
        name = (key.predictor, key.field)
        self._calls[name] = self._calls.get(name, 0) + 1
        label = field_label(key.predictor, key.field)
        self.rows[key] = row = Row(Mark.RUNNING, label, self.clock, number=self._calls[name])

        return row

    def _take_status(self, status: StatusUpdate) -> None:
        if status.kind == StatusUpdate.KIND_RUN:
            self.title = status.name or self.title
        elif status.kind == StatusUpdate.KIND_TOOL:
            self._take_tool(status)
        elif status.kind == StatusUpdate.KIND_LM:
            self._take_lm(status)
        elif status.phase == StatusUpdate.PHASE_START:
            self._names[status.call_id] = status.name

        if status.message and status.kind != StatusUpdate.KIND_TOOL:
            self._note(status.message)

    def _take_tool(self, status: StatusUpdate) -> None:
        row = self.rows.setdefault(
            status.call_id, Row(Mark.RUNNING, f"{status.name}()", self.clock)
        )
        row.text = status.message or row.text

        if status.phase == StatusUpdate.PHASE_END:
            row.mark = _mark_of(status)
            row.ended = row.started + status.elapsed.ToNanoseconds() / 1e9
            row.text = failure_text(status.failure) or row.text

    def _take_lm(self, status: StatusUpdate) -> None:
        key = ("wait", status.parent_call_id)

        if status.phase == StatusUpdate.PHASE_START:
            name = self._names.get(status.parent_call_id, "self")
            label = status.name if name == "self" else name
            text = "waiting" if name == "self" else f"waiting for {status.name}"
            self.rows[key] = Row(Mark.RUNNING, label, self.clock, text=text)
        elif status.phase == StatusUpdate.PHASE_END:
            self.rows.pop(key, None)

        if status.HasField("failure"):
            again = ", trying again" if status.phase == StatusUpdate.PHASE_UPDATE else ""
            self._note(f"{status.name}: {failure_text(status.failure)}{again}", Mark.FAILED)

    def _take_custom(self, event: CustomEvent) -> None:
        """What a program tells keeps its row: the newest of a name and call is what counts."""
        key = ("told", event.call_id, event.name)
        row = self.rows.setdefault(key, Row(Mark.NOTE, event.name, self.clock))
        row.text, row.ended = event.data_json, self.clock

    def _take_request(self, request: InputRequest) -> None:
        label = f"{request.tool}()?" if request.tool else "asks"
        text = asks_text(request, self.run_id)
        self.rows["asks", request.input_id] = Row(Mark.RUNNING, label, self.clock, text=text)

    def _take_resolved(self, resolved: InputResolved) -> None:
        row = self.rows.get(("asks", resolved.input_id))

        if row is not None:
            answered = resolved.outcome == InputResolved.OUTCOME_ANSWERED
            row.mark, row.ended = Mark.DONE if answered else Mark.STOPPED, self.clock
            row.text = outcome_text(resolved)

    def _note(self, message: str, mark: Mark = Mark.NOTE) -> None:
        self._note_count += 1
        self.rows["note", self._note_count] = Row(
            mark, started=self.clock, ended=self.clock, text=message
        )


def _mark_of(status: StatusUpdate) -> Mark:
    return Mark.DONE if status.outcome == StatusUpdate.OUTCOME_OK else Mark.FAILED
