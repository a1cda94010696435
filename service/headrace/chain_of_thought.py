"""ChainOfThought: a predictor that reasons in a field of its own before it answers."""

from __future__ import annotations

from typing import Any

from headrace.calls import BaseCallback
from headrace.module import PredictingModule
from headrace.predict import Predict
from headrace.signatures import OutputField, Signature, ensure_signature
from headrace.values import Prediction


class ChainOfThought(PredictingModule):
    """Predicts a signature with an output `reasoning` before the others.

    With `rationale_field_type=headrace.Reasoning` the provider's native reasoning content fills it,
    where the model has such.
    """

    def __init__(
        self,
        signature: str | type[Signature],
        rationale_field: Any = None,
        rationale_field_type: type = str,
        callbacks: list[BaseCallback] | None = None,
        **config: Any,
    ) -> None:
        super().__init__(callbacks)
        extended = ensure_signature(signature)

        if "reasoning" not in extended.output_fields:  # else the signature says it in its own way
            field = rationale_field or OutputField(desc="step by step, what leads to the answer")
            extended = extended.prepend("reasoning", field, rationale_field_type)

        self.predict = Predict(extended, **config)

    async def aforward(self, /, *args: Any, **kwargs: Any) -> Prediction:
        """Calls the one predictor inside."""
        return await self.predict.acall(*args, **kwargs)
