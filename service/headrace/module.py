"""Module: the class that programs are composed of, and Predictor, the leaf that asks an LM.

A module's work is written in `aforward` or in `forward`; calling goes by `acall` or `()`. Whichever
is missing is served by the other: `forward` alone runs in a worker thread under `acall`, `aforward`
alone through the portal under `()`. Where a class and its base write one each, the class wins.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from headrace.callbacks import checked_callbacks
from headrace.calls import BaseCallback, Call, current_run, open_call, track_usage
from headrace.errors import UsageError
from headrace.events import Kind
from headrace.lm.base import BaseLM
from headrace.signatures import Signature, ensure_signature
from headrace.threads import portal
from headrace.values import Prediction


class Module:
    """Subclass it, put modules into attributes (lists and dicts too), write `forward` or `aforward`."""

    callbacks: list[BaseCallback]
    """Told of this module's calls, besides those in settings."""

    works_async: ClassVar[bool] = True
    """True where `aforward` is the module's own, and not `forward` in a thread."""
    works_sync: ClassVar[bool] = True
    """True where `forward` is the module's own, and not `aforward` through the portal."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        module = super().__new__(cls)
        module.callbacks = []  # here, so that a subclass may forget super().__init__()

        return module

    def __init__(self, callbacks: list[BaseCallback] | None = None) -> None:
        self.callbacks = checked_callbacks(callbacks)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_colours(cls)
        sync, asynchronous = _definer(cls, "forward"), _definer(cls, "aforward")
        cls.works_sync = sync <= asynchronous
        cls.works_async = asynchronous <= sync

    def forward(self, /, *args: Any, **kwargs: Any) -> Any:
        """The module's work, for sync callers; unless overridden, `aforward` through the portal."""
        self.demand_work()
        return portal.run(self.aforward, *args, **kwargs)

    async def aforward(self, /, *args: Any, **kwargs: Any) -> Any:
        """The module's work, for async callers; unless overridden, `forward` in a worker thread."""
        self.demand_work()
        return await portal.in_thread(self.forward, *args, **kwargs)

    def demand_work(self) -> None:
        """Raises UsageError for a module that defines neither `forward` nor `aforward`."""
        if self.works_sync and self.works_async and type(self).forward is Module.forward:
            raise UsageError(f"{type(self).__name__} defines neither forward nor aforward")

    async def acall(self, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the module from async code."""
        with self._open(args, kwargs) as call:
            if self.works_async:
                call.outputs = await self.aforward(*args, **kwargs)
            else:
                call.outputs = await portal.call(self.forward, *args, **kwargs)

            return call.outputs

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Calls the module from sync code."""
        if not self.works_sync:
            return portal.run(self.acall, *args, **kwargs)

        with self._open(args, kwargs) as call:
            call.outputs = self.forward(*args, **kwargs)

            return call.outputs

    @contextmanager
    def _open(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Generator[Call, None, None]:
        inputs = self._name_inputs(args, kwargs)

        with (
            track_usage() as tracker,
            open_call(Kind.MODULE, self._address(), self, inputs) as call,
        ):
            yield call

            if tracker is not None and isinstance(call.outputs, Prediction):
                call.outputs.set_lm_usage(tracker.by_model())

    def _name_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
        if not args:
            return kwargs

        work = self.aforward if self.works_async else self.forward

        try:
            return inspect.signature(work).bind_partial(*args, **kwargs).arguments
        except TypeError:
            return kwargs  # the call itself will say what is wrong with it

    def _address(self) -> str:
        run = current_run()
        known = run.addresses.get(id(self)) if run else None

        return known or type(self).__name__

    def named_modules(self) -> list[tuple[str, Module]]:
        """All modules of the tree with their paths, this one first as "self"; each listed once."""
        return list(_walk(self))

    def named_predictors(self) -> list[tuple[str, Predictor]]:
        """The predictors with their addresses: "ideas.brainstorm.predict", "steps[0]", "by['k']".

        A module that is itself a predictor has the address "self".
        """
        return [(path, module) for path, module in _walk(self) if isinstance(module, Predictor)]

    def predictors(self) -> list[Predictor]:
        """The predictors alone."""
        return [predictor for _, predictor in self.named_predictors()]

    def set_lm(self, lm: BaseLM | None) -> None:
        """Gives every predictor of the tree this LM."""
        for predictor in self.predictors():
            predictor.lm = lm


def _check_colours(cls: type) -> None:
    """Raises UsageError for an async `forward`, and for an `aforward` that yields."""
    forward, aforward = (vars(cls).get(name) for name in ("forward", "aforward"))

    if inspect.iscoroutinefunction(forward) or inspect.isasyncgenfunction(forward):
        raise UsageError(f"{cls.__name__}.forward is async: name it aforward")

    if inspect.isasyncgenfunction(aforward):
        raise UsageError(
            f"{cls.__name__}.aforward yields: return the result, and let streamify stream the text"
        )


def _definer(cls: type, name: str) -> int:
    """How far up the inheritance the method is written; 0 is the class itself."""
    return next(at for at, base in enumerate(cls.__mro__) if name in vars(base))


def _walk(root: Module) -> Iterator[tuple[str, Module]]:
    seen: set[int] = set()

    def visit(path: str, module: Module) -> Iterator[tuple[str, Module]]:
        if id(module) in seen:
            return

        seen.add(id(module))
        yield path or "self", module

        for name, attribute in vars(module).items():
            for inner, part in unfold(f"{path}.{name}" if path else name, attribute):
                if isinstance(part, Module):
                    yield from visit(inner, part)

    return visit("", root)


def unfold(path: str, value: object) -> Iterator[tuple[str, object]]:
    """The value, or what the lists, tuples and dicts it is made of hold, with paths."""
    if isinstance(value, list | tuple):
        for index, item in enumerate(cast("Sequence[object]", value)):
            yield from unfold(f"{path}[{index}]", item)
    elif isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            yield from unfold(f"{path}[{key!r}]", item)
    else:
        yield path, value


class PredictingModule(Module):
    """A module whose calls give a Prediction, which type checkers are told here."""

    if TYPE_CHECKING:

        async def acall(self, /, *args: Any, **kwargs: Any) -> Prediction: ...

        def __call__(self, /, *args: Any, **kwargs: Any) -> Prediction: ...


class Predictor(PredictingModule):
    """A leaf of the tree, which asks an LM: what it asks with. `Predict` says how.

    `config` holds LM options (temperature, max_tokens, n …) for every call.
    """

    def __init__(
        self,
        signature: str | type[Signature],
        callbacks: list[BaseCallback] | None = None,
        **config: Any,
    ) -> None:
        super().__init__(callbacks)
        self.signature = ensure_signature(signature)
        self.demos: list[Any] = []
        self.config = config
        self.lm: BaseLM | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.signature.signature})"
