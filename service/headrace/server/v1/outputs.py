"""Outputs in the form that a caller asks for, within the server's limit on a prediction."""

from __future__ import annotations

from collections.abc import Mapping

from headrace_proto.v1 import headrace_pb2 as pb

from headrace.server.errors import PredictionTooLarge
from headrace.server.selection import OutputForm
from headrace.server.v1.values import NoRoom, fill_struct, json_text
from headrace.values import utf8_size

Outputs = Mapping[str, object]


def fill_outputs(message: pb.Prediction, outputs: Outputs, form: OutputForm, most: int) -> None:
    """Writes JSON-safe outputs into a prediction.

    Raises PredictionTooLarge where they take more than `most` bytes in this form, and names one that fits.
    """
    room = most

    if form in (OutputForm.JSON, OutputForm.BOTH):
        text = json_text(outputs)
        room -= utf8_size(text)

        if room >= 0:
            message.outputs_json = text

    try:
        if form in (OutputForm.STRUCT, OutputForm.BOTH):
            room -= fill_struct(message.outputs, outputs, room)
    except NoRoom:
        room = -1

    if room < 0:
        fits = _fitting(outputs, form, most)
        raise PredictionTooLarge(form.name, most, fits.name)


def _fitting(outputs: Outputs, form: OutputForm, most: int) -> OutputForm:
    """A form that fits where another one does not. JSON did when the run ended; a limit may be lower since."""
    fits = form is not OutputForm.JSON and utf8_size(json_text(outputs)) <= most

    return OutputForm.JSON if fits else OutputForm.NONE
