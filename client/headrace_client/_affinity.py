"""The process and the event loop that a client belongs to, also across forks.

The rule: what was opened in one process, on one loop, is used in no other. The threads of gRPC do not come along in
a fork, so a child neither uses, closes nor even frees what its parent has open: freeing a call
cancels it, and that would be written to the parent's connection.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import weakref
from collections.abc import Callable
from typing import ClassVar, TypeVar

from headrace_client._errors import ClientMisplaced

T = TypeVar("T")

FORKED = (
    "gRPC was in use when this process was forked, and does not survive that: close clients before "
    "the fork, make or use them only after it, or start processes with `spawn`"
)
OTHER_LOOP = (
    "this client is in use on another event loop: make one on each loop (`async with Client(...)`), "
    "or use SyncClient"
)


class ForkHistory:
    """The forks that led to this process, and what was open in it before."""

    forks: ClassVar[int] = 0
    """Their number."""
    has_lost_grpc: ClassVar[bool] = False
    """At one of them something of ours was open: gRPC can not be used in this process any more."""
    tracked: ClassVar[weakref.WeakSet[object]] = weakref.WeakSet()


def track(thing: T) -> T:
    """Notes what hangs on threads of this process: a channel, a call, a loop that runs in one."""
    ForkHistory.tracked.add(thing)

    return thing


def untrack(thing: object) -> None:
    """Forgets what was opened and hangs on nothing any more."""
    ForkHistory.tracked.discard(thing)


def after_fork(do: Callable[[], None]) -> None:
    """Has something done in every process that is forked from this one, where there are forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=do)


class Affinity:
    """The process and the event loop in which this is made."""

    def __init__(self) -> None:
        self._forks = ForkHistory.forks
        self._loop = asyncio.get_running_loop()

        if ForkHistory.has_lost_grpc:
            raise ClientMisplaced(FORKED)

    @property
    def is_inherited(self) -> bool:
        """Belongs to a process that this one was forked from."""
        return self._forks != ForkHistory.forks

    def check(self) -> None:
        """Raises ClientMisplaced in any other place."""
        if self.is_inherited:
            raise ClientMisplaced(FORKED)

        if self._loop is not asyncio.get_running_loop():
            raise ClientMisplaced(OTHER_LOOP)


def _forked() -> None:
    inherited = list(ForkHistory.tracked)
    ForkHistory.forks += 1
    ForkHistory.has_lost_grpc = ForkHistory.has_lost_grpc or bool(inherited)
    ForkHistory.tracked = weakref.WeakSet()

    for thing in inherited:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))  # never freed, not even at the exit


after_fork(_forked)
