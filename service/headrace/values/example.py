"""Example: named values, as a mapping whose values are attributes too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Self

from headrace.errors import UsageError
from headrace.values.json import to_jsonable


class Example(Mapping[str, Any]):
    """Named values, some of which may be marked as inputs.

    Read and set them as items or as attributes; a value whose name is that of a method, or starts
    with an underscore, is reached as an item only.
    """

    def __init__(self, base: Mapping[str, Any] | None = None, /, **values: Any) -> None:
        self._store: dict[str, Any] = {**(base or {}), **values}
        self._inputs: frozenset[str] | None = base._inputs if isinstance(base, Example) else None

    def __getitem__(self, name: str) -> Any:
        return self._store[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._store[name] = value

    def __delitem__(self, name: str) -> None:
        del self._store[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._store)

    def __len__(self) -> int:
        return len(self._store)

    def __getattr__(self, name: str) -> Any:
        store = self.__dict__.get("_store", {})  # absent while a copy is being made

        if name.startswith("_") or name not in store:
            there = f"; it has {', '.join(store)}" if store else ""
            raise AttributeError(f"{type(self).__name__} has no {name!r}{there}")

        return store[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self._store[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self._store:
            raise AttributeError(f"{type(self).__name__} has no {name!r}")

        del self._store[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._store]

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.items())

        return f"{type(self).__name__}({values})"

    def with_inputs(self, *names: str) -> Self:
        """A copy in which exactly these names are inputs."""
        copy = self.copy()
        copy._inputs = frozenset(names)

        return copy

    def inputs(self) -> Self:
        """Only the inputs. Raises UsageError where none were marked."""
        return self._only(self._marked())

    def labels(self) -> Self:
        """All but the inputs. Raises UsageError where none were marked."""
        return self._only(self._store.keys() - self._marked())

    def copy(self, **values: Any) -> Self:
        """A shallow copy, with values added or replaced."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._store = {**self._store, **values}

        return copy

    def without(self, *names: str) -> Self:
        """A copy that lacks these names."""
        return self._only(self._store.keys() - set(names))

    def toDict(self) -> dict[str, Any]:
        """The values in JSON form; `dict(example)` has them as they are.

        Raises OutputUnserialisable for what has no JSON form.
        """
        kind = type(self).__name__.lower()

        return {name: to_jsonable(value, f"{kind}.{name}") for name, value in self.items()}

    def _only(self, names: AbstractSet[str]) -> Self:
        copy = self.copy()
        copy._store = {name: value for name, value in self.items() if name in names}

        return copy

    def _marked(self) -> frozenset[str]:
        if self._inputs is None:
            raise UsageError("no inputs are marked; mark them: example.with_inputs('question')")

        return self._inputs
