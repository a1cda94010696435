"""Views of a run: lines, JSON, or the prediction alone. The board is in `live`."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Protocol, Self

import click

from headrace_client import (
    CustomEvent,
    InputResolved,
    Prediction,
    StatusUpdate,
    StreamEvent,
    Token,
    outputs,
)
from headrace_client._transcript import Transcript
from headrace_client.cli.asking import asks_text
from headrace_client.cli.clean import clean, one_line
from headrace_client.cli.content import answer_lines, content_lines
from headrace_client.cli.wording import (
    failure_text,
    field_label,
    message_json,
    outcome_text,
    seconds,
    usage_line,
    value_text,
)


class View(Protocol):
    """Shows events one by one; as a context it puts the terminal back in order."""

    def show(self, event: StreamEvent) -> None:
        """Shows an event."""

    def paused(self) -> AbstractContextManager[None]:
        """Leaves the terminal to somebody else; what comes meanwhile is shown afterwards."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Printed:
    """A view that prints as it goes, and has nothing to put in order."""

    def paused(self) -> AbstractContextManager[None]:
        """See View: nothing here stands on the terminal for people."""
        return nullcontext()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class JsonView(Printed):
    """One JSON object per event, the StreamEvent of the contract, for other programs."""

    def show(self, event: StreamEvent) -> None:
        """Prints an event."""
        click.echo(message_json(event))


class QuietView(Printed):
    """The prediction alone: a single text output as it is, anything else as a JSON object."""

    def __init__(self, *, exact: bool) -> None:
        """`exact`: keep control characters, as a file or a pipe may want them."""
        self._exact = exact

    def show(self, event: StreamEvent) -> None:
        """Prints the prediction, once it is there."""
        if event.HasField("prediction"):
            text = self._text(event.prediction)
            click.echo(text if self._exact else clean(text))

    def _text(self, prediction: Prediction) -> str:
        values = outputs(prediction)

        match list(values.values()):
            case [str() as text]:
                return text
            case _:
                return json.dumps(values, ensure_ascii=False, indent=2)


class LineView(Printed):
    """Plain lines, each whole: statuses as they come, fields when they are complete."""

    def __init__(self) -> None:
        self._transcript = Transcript()
        self._held: list[StreamEvent] | None = None

    @contextmanager
    def paused(self) -> Generator[None, None, None]:
        """See View."""
        held = self._held = []

        try:
            yield
        finally:
            self._held = None

            for event in held:
                self.show(event)

    def show(self, event: StreamEvent) -> None:
        """Prints what an event completes, if anything."""
        if self._held is not None:
            self._held.append(event)
        else:
            self._print(event)

    def _print(self, event: StreamEvent) -> None:
        match event.WhichOneof("event"):
            case "token":
                self._take(event.token)
            case "status":
                status = event.status

                for line in (*status_lines(status, event.run_id), *content_lines(status)):
                    click.echo(line)
            case "prediction":
                click.echo("\n" + prediction_text(event.prediction))
            case "custom":
                click.echo(custom_line(event.custom))
            case "input_request":
                click.echo(f"asks: {one_line(asks_text(event.input_request, event.run_id))}")
            case "input_resolved":
                lines = [resolved_line(event.input_resolved), *answer_lines(event.input_resolved)]
                click.echo("\n".join(lines))
            case _:
                pass

    def _take(self, token: Token) -> None:
        text = self._transcript.apply(token)

        if text.is_complete:
            cached = " (cached)" if token.cached else ""
            click.echo(f"[{field_label(token.predictor, token.field)}]{cached} {clean(str(text))}")


def status_lines(status: StatusUpdate, run_id: str) -> list[str]:
    """A status in words; nothing for those without a word for people."""
    name, lines = one_line(status.name), list[str]()
    ends = status.phase == StatusUpdate.PHASE_END

    if status.kind == StatusUpdate.KIND_RUN and status.phase == StatusUpdate.PHASE_START:
        lines.append(f"{name or 'run'}: run {run_id}")

    if status.message:
        lines.append(one_line(status.message))

    if status.HasField("failure") and status.kind != StatusUpdate.KIND_RUN:
        lines.append(f"{name} failed: {one_line(failure_text(status.failure))}")
    elif ends and status.kind == StatusUpdate.KIND_TOOL:
        lines.append(f"{name}() took {seconds(status.elapsed.ToNanoseconds() / 1e9)}")

    return lines


def custom_line(event: CustomEvent) -> str:
    """What a program told, in a line."""
    return f"{one_line(event.name)}: {one_line(event.data_json)}"


def resolved_line(resolved: InputResolved) -> str:
    """How a question ended, in a line."""
    return f"{one_line(outcome_text(resolved))} (input {resolved.input_id})"


def prediction_text(prediction: Prediction) -> str:
    """A prediction with all its outputs, and what it cost."""
    parts = [f"{one_line(name)}:\n{value_text(v)}\n" for name, v in outputs(prediction).items()]

    return "\n".join([*parts, cost_line(prediction)]).rstrip("\n")


def cost_line(prediction: Prediction) -> str:
    """Cost of a prediction: LM calls, tokens, money, time."""
    parts = [seconds(prediction.elapsed.ToNanoseconds() / 1e9)] * prediction.HasField("elapsed")

    if prediction.HasField("usage"):
        parts.insert(0, usage_line(prediction.usage))

    return ", ".join(parts)
