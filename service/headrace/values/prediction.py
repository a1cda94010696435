"""Prediction: the outputs of a program, which count as their `score`. Completions: all answers to one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, TypeAlias, overload

from headrace.errors import UsageError
from headrace.values.example import Example

Outputs: TypeAlias = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]


class Scored(Mapping[str, Any]):
    """A mapping that counts as the number under `score`. All raise UsageError where there is none."""

    def __float__(self) -> float:
        if "score" not in self:
            raise UsageError(f"{type(self).__name__} has no field 'score' to count with")

        return float(self["score"])

    def __add__(self, other: float | Scored) -> float:
        return float(self) + float(other)

    def __radd__(self, other: float) -> float:
        return other + float(self)

    def __sub__(self, other: float | Scored) -> float:
        return float(self) - float(other)

    def __rsub__(self, other: float) -> float:
        return other - float(self)

    def __mul__(self, other: float | Scored) -> float:
        return float(self) * float(other)

    def __rmul__(self, other: float) -> float:
        return other * float(self)

    def __truediv__(self, other: float | Scored) -> float:
        return float(self) / float(other)

    def __rtruediv__(self, other: float) -> float:
        return other / float(self)

    def __lt__(self, other: float | Scored) -> bool:
        return float(self) < float(other)

    def __le__(self, other: float | Scored) -> bool:
        return float(self) <= float(other)

    def __gt__(self, other: float | Scored) -> bool:
        return float(self) > float(other)

    def __ge__(self, other: float | Scored) -> bool:
        return float(self) >= float(other)


class Prediction(Example, Scored):
    """The outputs of a predictor or program, by name.

    After a call with n > 1 it holds the first completion; `completions` holds all.
    """

    def __init__(self, base: Mapping[str, Any] | None = None, /, **values: Any) -> None:
        super().__init__(base, **values)
        self._completions: Completions | None = None
        self._lm_usage: Mapping[str, Mapping[str, Any]] | None = None

    @classmethod
    def from_completions(cls, completions: Outputs, signature: type | None = None) -> Self:
        """The prediction of a call from the outputs of each of its completions."""
        every = Completions(completions, signature)
        prediction = cls(every[0])
        prediction._completions = every

        return prediction

    @property
    def completions(self) -> Completions:
        """Every completion of the call this prediction came from; itself alone where there was none."""
        return Completions([self]) if self._completions is None else self._completions

    def get_lm_usage(self) -> Mapping[str, Mapping[str, Any]] | None:
        """The usage of the LM calls behind it, by model; None unless `track_usage` is set."""
        return self._lm_usage

    def set_lm_usage(self, usage: Mapping[str, Mapping[str, Any]] | None) -> None:
        """Notes the usage of the LM calls behind it."""
        self._lm_usage = usage

    def __repr__(self) -> str:
        if not self:
            return f"{type(self).__name__}()"

        values = ",\n    ".join(f"{name}={value!r}" for name, value in self.items())

        return f"{type(self).__name__}(\n    {values}\n)"


class Completions:
    """The completions of one call: by number as predictions, by field as lists of values."""

    def __init__(self, completions: Outputs, signature: type | None = None) -> None:
        """Takes the outputs of each completion, or for each output its values."""
        self._completions = _rows(completions)
        self.signature = signature
        """The signature that the completions answer, where they are of a predictor."""

    @overload
    def __getitem__(self, key: int) -> Prediction: ...

    @overload
    def __getitem__(self, key: str) -> list[Any]: ...

    def __getitem__(self, key: int | str) -> Prediction | list[Any]:
        if isinstance(key, int):
            return Prediction(self._completions[key])

        return [one[key] for one in self._completions]

    def __getattr__(self, name: str) -> list[Any]:
        completions = self.__dict__.get("_completions", ())  # absent while a copy is being made

        if not any(name in one for one in completions):
            raise AttributeError(f"no completion has a field {name!r}")

        return self[name]

    def __len__(self) -> int:
        return len(self._completions)

    def __iter__(self) -> Iterator[Prediction]:
        return (Prediction(one) for one in self._completions)

    def keys(self) -> list[str]:
        """The fields' names."""
        return list(self._completions[0])

    def items(self) -> list[tuple[str, list[Any]]]:
        """Each field with its values, one per completion."""
        return [(name, self[name]) for name in self.keys()]

    def __repr__(self) -> str:
        values = ",\n    ".join(f"{name}={value!r}" for name, value in self.items())

        return f"Completions(\n    {values}\n)"


def _rows(completions: Outputs) -> tuple[dict[str, Any], ...]:
    if isinstance(completions, Mapping):
        columns = completions.items()
        lengths = {len(values) for _, values in columns}

        if len(lengths) > 1:
            raise UsageError("the outputs have different numbers of values")

        rows = [
            {name: values[at] for name, values in columns} for at in range(max(lengths, default=0))
        ]
    else:
        rows = [dict(one) for one in completions]

    if not rows:
        raise UsageError("there are no completions; a call gives at least one")

    return tuple(rows)
