"""Programs: modules made ready for hosting, with what their callers may know of them."""

from headrace.hosting.program import Predictor, Program

__all__ = ["Predictor", "Program"]
