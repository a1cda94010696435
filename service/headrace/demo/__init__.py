"""Programs to look at, and the demo that runs them: `make demo`, `make serve`."""

from headrace.demo.programs import composer, qa

__all__ = ["composer", "qa"]
