"""The stores that tests of runs go over: whatever holds over one has to hold over all."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from headrace.runs import registry
from headrace.runs.limits import Limits
from headrace.runs.stores.base import RunStore
from headrace.runs.stores.memory import MemoryStore
from server.row_store import RowStore

STORES: Mapping[str, Callable[[Limits], RunStore]] = {"memory": MemoryStore, "rows": RowStore}

_kinds = ["memory"]


def new_store(limits: Limits) -> RunStore:
    """An empty store of the kind that is being tested."""
    return STORES[_kinds[-1]](limits)


def use_everywhere(kind: str) -> None:
    """Tests one kind of store wherever this process has a registry, unless a test asks for another."""
    _kinds[0] = kind
    setattr(registry, MemoryStore.__name__, STORES[kind])


@contextmanager
def over(kind: str) -> Generator[None, None, None]:
    """Tests one kind of store inside a `with` block."""
    _kinds.append(kind)

    try:
        yield
    finally:
        _kinds.pop()
