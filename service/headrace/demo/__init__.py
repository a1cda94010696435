"""Programs to look at, and the demo that runs them: `make demo`, `make serve`."""

from headrace.demo.composer import composer
from headrace.demo.qa import qa

__all__ = ["composer", "qa"]
