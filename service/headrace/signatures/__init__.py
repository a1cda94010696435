"""Signatures: what goes into a predictor and what comes out, with types, texts and constraints."""

from headrace.signatures.annotations import Reasoning
from headrace.signatures.fields import Field, InputField, OutputField, infer_prefix
from headrace.signatures.signature import (
    Signature,
    SignatureMeta,
    ensure_signature,
    make_signature,
)

__all__ = [
    "Field",
    "InputField",
    "OutputField",
    "Reasoning",
    "Signature",
    "SignatureMeta",
    "ensure_signature",
    "infer_prefix",
    "make_signature",
]
