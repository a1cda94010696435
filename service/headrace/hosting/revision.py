"""Revisions: a short name that changes whenever a program's code, prompts, demos or LM do."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import orjson

from headrace.lm.base import BaseLM
from headrace.module import Module
from headrace.predict import Predict
from headrace.values import to_jsonable

SECRET_ENDINGS = ("key", "token", "secret", "password", "credentials", "authorization", "headers")


def revision_of(module: Module, *configuration: object) -> str:
    """First 12 hex digits of a SHA-256 over the module tree and what else it runs with."""
    digest = hashlib.sha256()

    for fact in (*_facts(module), *(_described(one) for one in configuration)):
        digest.update(fact.encode("utf-8", "replace"))
        digest.update(b"\0")

    return digest.hexdigest()[:12]


def _facts(root: Module) -> Iterator[str]:
    for path, module in root.named_modules():
        yield path
        yield _source(type(module))

        if isinstance(module, Predict):
            yield module.signature.source_text()
            yield _json(module.demos)
            yield _json(_without_secrets(module.config))
            yield _described(module.lm)


def _described(value: object) -> str:
    """An LM by model and options, an adapter by its class: never by its address in memory."""
    if value is None:
        return ""

    if isinstance(value, BaseLM):
        options = {**value.kwargs, "reasoning_tags": value.reasoning_tags}

        return f"{value.model} {_json(_without_secrets(options))}"

    return _source(type(value))


def _source(cls: type) -> str:
    name = f"{cls.__module__}.{cls.__qualname__}"

    try:
        return f"{name}\n{inspect.getsource(cls)}"
    except (OSError, TypeError):  # defined at a prompt, or in C
        return name


def _without_secrets(options: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in options.items() if not name.lower().endswith(SECRET_ENDINGS)
    }


def _json(value: Any) -> str:
    return orjson.dumps(_plain(value), option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Any) -> Any:
    """The JSON form; a value without one counts as its type: it cannot be told apart from run to run."""
    if isinstance(value, Mapping):
        return {
            str(name): _plain(one) for name, one in cast("Mapping[object, object]", value).items()
        }

    if isinstance(value, list | tuple):
        return [_plain(one) for one in cast("Sequence[Any]", value)]

    try:
        return to_jsonable(value)
    except Exception:  # noqa: BLE001 - any value may stand in an option
        return type(value).__qualname__
