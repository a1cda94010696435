"""StreamListener: which fields of which predictors a consumer wants, and under what name.

A listener is a filter over (predictor address, field). It knows no syntax and holds no state, so one
listener serves any number of runs at once (law 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from headrace.errors import UsageError
from headrace.events import Token
from headrace.module import Module
from headrace.streaming.items import StreamResponse


class StreamListener:
    """Asks for the text of one output field, or with "*" of every field.

    signature_field_name: the field. Fields of other types than str stream the text of their value.
    predict: the predictor, or any module that holds just one predictor with such a field.
    predict_name: without `predict`, the address of the predictor or of a module around it; with it,
        the label its chunks shall carry.
    allow_reuse: False = only the predictor's first call of a run. By default every call streams, told
        apart by `StreamResponse.call_id`.
    """

    def __init__(
        self,
        signature_field_name: str,
        predict: Module | None = None,
        predict_name: str | None = None,
        allow_reuse: bool = True,
    ) -> None:
        if predict is not None and not isinstance(predict, Module):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise UsageError(f"predict takes a module; is it predict_name={predict!r}?")

        self.signature_field_name = signature_field_name
        self.predict = predict
        self.predict_name = predict_name
        self.allow_reuse = allow_reuse


class Wanted(NamedTuple):
    """A listener bound to a predictor."""

    label: str
    allow_reuse: bool


Wants = Mapping[tuple[str, str], Wanted]
"""By (predictor address, field)."""


class Chooser:
    """Picks, in one run, the tokens a consumer wants."""

    def __init__(self, wants: Wants | None) -> None:
        self._wants = wants
        self._first_calls: dict[tuple[str, str], int] = {}

    def choose(self, token: Token) -> StreamResponse | None:
        """The token as the consumer sees it; None if it is not wanted.

        Cached answers are left out: their text is all in the Prediction.
        """
        label = None if token.cached else self._label(token)

        if label is None:
            return None

        return StreamResponse(label, token.field, token.chunk, token.is_last, token.call_id)

    def _label(self, token: Token) -> str | None:
        if self._wants is None:
            return None if token.typed else token.predictor

        key = token.predictor, token.field
        wanted = self._wants.get(key)

        if wanted is None:
            return None

        first = self._first_calls.setdefault(key, token.call_id)

        return wanted.label if wanted.allow_reuse or first == token.call_id else None
