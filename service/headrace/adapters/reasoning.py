"""Native reasoning: a signature without the output that a provider fills of its own accord."""

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
    """Without the output that native reasoning fills, where the LM is known to have such."""
    reasoning: str | None
    """The output that native reasoning fills, should it come."""

    @classmethod
    def to(cls, lm: BaseLM, signature: type[Signature]) -> Question:
        """The question for an LM. An only output stays, whatever its type: something has to be asked."""
        outputs = signature.output_fields
        native = [
            name for name, one in outputs.items() if Reasoning in alternatives(one.annotation)
        ]

        if not native or len(outputs) < 2:
            return cls(signature, signature, None)

        known = lm.supports("reasoning")
        shown = signature.delete(native[0], "output") if known else signature

        return cls(signature, shown, native[0])

    @property
    def required(self) -> set[str]:
        """The outputs that the text of every answer has to hold."""
        outputs = self.shown.output_fields

        return {name for name, one in outputs.items() if one.required} - {self.reasoning}

    def texts(self, found: Mapping[str, str], thoughts: str) -> Mapping[str, str]:
        """The texts of an answer's fields: native reasoning goes before what the text says of it."""
        return {**found, self.reasoning: thoughts} if self.reasoning and thoughts else found

    def answer(self, values: Mapping[str, Any], thoughts: str) -> dict[str, Any]:
        """All outputs, in the signature's order."""
        known = {self.reasoning: thoughts, **values} if self.reasoning else values

        return {name: known[name] for name in self.signature.output_fields if name in known}
