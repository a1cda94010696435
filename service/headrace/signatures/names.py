"""TypeNames: the meaning of a name in a type, where the signature is written.

Nothing is ever imported to find out. A name is looked up among the custom types, the builtin types,
the callers' frames from the inside out, and `typing`; in frames, only what can stand in a type counts.
"""

from __future__ import annotations

import inspect
import itertools
import typing
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, MappingProxyType, ModuleType
from typing import Any

from headrace.signatures.annotations import is_special_form, is_type

BUILTINS: Mapping[str, Any] = MappingProxyType(
    {
        one.__name__: one
        for one in (
            *(str, int, float, bool, complex, bytes, bytearray, object),
            *(list, tuple, dict, set, frozenset),
        )
    }
)
FRAMES = 100
_TYPING: Mapping[str, Any] = {
    "typing": typing,
    **{name: value for name, value in vars(typing).items() if not isinstance(value, ModuleType)},
}
_LIBRARY = __name__.partition(".")[0]


def stands_in_types(value: Any) -> bool:
    """True if `value` is a type, makes one by subscription, or may hold types, as modules do."""
    if value is None:  # many variables are
        return False

    return is_type(value) or is_special_form(value) or isinstance(value, ModuleType)


class TypeNames(Mapping[str, Any]):
    """The names that types may use at this point of the program."""

    def __init__(
        self,
        nearest: Mapping[str, Any] | None = None,
        *,
        accepts: Callable[[Any], bool] = stands_in_types,
        skips: str = _LIBRARY,
    ) -> None:
        """`nearest` is looked at first; frames of the package `skips` are not looked at."""
        self._nearest = dict(nearest or {})
        self._accepts = accepts
        self._skips = skips
        self._caller = next(_callers(inspect.currentframe(), skips), None)

    @classmethod
    def of_class(cls, body: Mapping[str, Any]) -> TypeNames:
        """The names that annotations in a class body may use, whatever their values are."""
        return cls(body, accepts=lambda value: True, skips=__name__.rpartition(".")[0])

    def __getitem__(self, name: str) -> Any:
        for scope in self._scopes():
            if name in scope and self._accepts(scope[name]):
                return scope[name]

        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter({**self._nearest, **BUILTINS})

    def __len__(self) -> int:
        return len({**self._nearest, **BUILTINS})

    def _scopes(self) -> Iterator[Mapping[str, Any]]:
        yield self._nearest
        yield BUILTINS

        for frame in itertools.islice(_callers(self._caller, self._skips), FRAMES):
            yield frame.f_locals
            yield frame.f_globals

        yield _TYPING


def _callers(frame: FrameType | None, skips: str) -> Iterator[FrameType]:
    """The frame and those that called it, nearest first, without those of a package."""
    while frame is not None:
        if not f"{frame.f_globals.get('__name__')}.".startswith(f"{skips}."):
            yield frame

        frame = frame.f_back
