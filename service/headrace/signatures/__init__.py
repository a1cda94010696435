"""Signatures: what goes into a predictor and what comes out, with types, texts and constraints."""

from headrace.signatures.fields import Field, InputField, OutputField, infer_prefix
from headrace.signatures.meta import SignatureMeta
from headrace.signatures.reasoning import Reasoning
from headrace.signatures.signature import Signature, ensure_signature, make_signature

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
