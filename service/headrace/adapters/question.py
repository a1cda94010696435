"""What of a signature is put to the model, and what its provider answers of its own accord."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.lm.base import BaseLM
from headrace.signatures import Reasoning, Signature
from headrace.signatures.annotations import alternatives


@dataclass(frozen=True, slots=True)
class Question:
    """A signature as one LM is asked it."""

    signature: type[Signature]
    shown: type[Signature]
    """Without the output that native reasoning fills."""
    reasoning: str | None
    """That output."""

    @classmethod
    def to(cls, lm: BaseLM, signature: type[Signature]) -> Question:
        """The question for an LM: an output typed Reasoning is left out where the LM has its own.

        The last output stays, whatever its type: something has to be asked.
        """
        outputs = signature.output_fields
        native = [
            name for name, one in outputs.items() if Reasoning in alternatives(one.annotation)
        ]

        if not native or len(outputs) < 2 or not lm.supports("reasoning"):
            return cls(signature, signature, None)

        return cls(signature, signature.delete(native[0], "output"), native[0])

    def answer(self, values: Mapping[str, Any], reasoning: str) -> dict[str, Any]:
        """All outputs, in the signature's order."""
        known = {**values, self.reasoning: reasoning} if self.reasoning else values

        return {name: known[name] for name in self.signature.output_fields if name in known}
