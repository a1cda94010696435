"""StreamListener: which fields of which predictors a consumer wants, and under what name.

A listener is a filter over (predictor address, field). It knows no syntax and holds no state, so one
listener serves any number of runs at once (law 5). `bind_listeners` finds the predictors it means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias, cast

from headrace.errors import UsageError
from headrace.module import Module

EVERY = "*"
"""Stands for every field."""

Fields: TypeAlias = Mapping[str, Sequence[str]]
"""Output names by predictor address."""


class StreamListener:
    """Asks for the text of one output field, or with "*" of every field.

    signature_field_name: the field. Fields of other types than str stream the text of their value.
    predict: the predictor, or any module that holds just one predictor with such a field.
    predict_name: without `predict`, the address of the predictor or of a module around it; with it,
        the label its chunks shall carry.
    allow_reuse: False = only the predictor's first call of a run. By default every call streams, told
        apart by `StreamResponse.call_id`.
    """

    def __init__(
        self,
        signature_field_name: str,
        predict: Module | None = None,
        predict_name: str | None = None,
        allow_reuse: bool = True,
    ) -> None:
        if predict is not None and not isinstance(predict, Module):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise UsageError(f"predict takes a module; is it predict_name={predict!r}?")

        self.signature_field_name = signature_field_name
        self.predict = predict
        self.predict_name = predict_name
        self.allow_reuse = allow_reuse


class Wanted(NamedTuple):
    """A listener bound to a predictor."""

    label: str
    allow_reuse: bool


Wants = Mapping[tuple[str, str], Wanted]
"""By (predictor address, field)."""


def bind_listeners(
    program: object, listeners: Sequence[StreamListener] | None
) -> tuple[dict[int, str], Wants | None]:
    """Addresses by id(module), and what the listeners want; None = every str field.

    Of a function's modules those are known that are listened to. Raises UsageError for listeners that
    fit no predictor, or several.
    """
    modules = program.named_modules() if isinstance(program, Module) else []
    addresses = {id(module): path for path, module in modules}
    fields = _fields(program) if isinstance(program, Module) else {}

    if listeners is None:
        return addresses, None

    wants: dict[tuple[str, str], Wanted] = {}

    for listener in _checked(listeners):
        module = listener.predict

        if module is not None and (id(module) in addresses or not fields):
            wants |= _bind(listener, _fields_below(module, addresses, listener.predict_name))
        else:  # by name, also for the module of a program that was copied since
            wants |= _bind(listener, fields, within=listener.predict_name)

    return addresses, wants


def _checked(listeners: object) -> Sequence[StreamListener]:
    if isinstance(listeners, Sequence):
        given = cast("Sequence[object]", listeners)
        fit = [one for one in given if isinstance(one, StreamListener)]

        if len(fit) == len(given):
            return fit

    raise UsageError(
        "stream_listeners is a list of StreamListener objects, as in "
        f"stream_listeners=[StreamListener('answer')], not {listeners!r}"
    )


def _bind(listener: StreamListener, fields: Fields, within: str | None = None) -> Wants:
    """The fields of some predictors that a listener means, with its label.

    within: the address of a predictor or of a module around it; None = anywhere.
    """
    name = listener.signature_field_name
    inside = {
        address: names
        for address, names in fields.items()
        if not within or _within(address, within)
    }
    owners = [address for address, names in inside.items() if name in (EVERY, *names)]

    if not owners or (len(owners) > 1 and name != EVERY):
        raise UsageError(_problem(name, within, owners, fields))

    label = listener.predict_name if len(owners) == 1 else None

    return {
        (address, one): Wanted(label or address, listener.allow_reuse)
        for address in owners
        for one in (inside[address] if name == EVERY else [name])
    }


def _problem(name: str, within: str | None, owners: Sequence[str], fields: Fields) -> str:
    where = f" in {within!r}" if within else ""
    problem = "is not unique" if owners else "is not an output of any predictor"
    candidates = ", ".join(f"{address} ({', '.join(names)})" for address, names in fields.items())

    return (
        f"stream listener: field {name!r} {problem}{where}; name the predictor with predict= or "
        f"predict_name=. There are: {candidates or 'none'}"
    )


def _within(address: str, scope: str) -> bool:
    return scope in (address, "self") or address.startswith((f"{scope}.", f"{scope}["))


def _fields(module: Module) -> dict[str, list[str]]:
    return {
        address: list(predictor.signature.output_fields)
        for address, predictor in module.named_predictors()
    }


def _fields_below(
    module: Module, addresses: dict[int, str], label: str | None
) -> dict[str, list[str]]:
    """The predictors of a module listened to, under their addresses in the program.

    Modules that are not part of the program's tree (those of a function) get theirs here.
    """
    root = label or type(module).__name__
    fields: dict[str, list[str]] = {}

    for path, predictor in module.named_predictors():
        own = root if path == "self" else f"{root}.{path}"
        address = addresses.setdefault(id(predictor), own)
        fields[address] = list(predictor.signature.output_fields)

    return fields
