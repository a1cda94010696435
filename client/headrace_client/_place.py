"""Where a client is at home: a process, and an event loop in it.

The rule: what was opened in one place is used in no other. The threads of gRPC do not come along in
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


class Ancestry:
    """What this process knows of the forks that led to it."""

    forks: ClassVar[int] = 0
    """How many there were."""
    is_cut_off: ClassVar[bool] = False
    """At one of them something of ours was open: gRPC can not be used in this process any more."""
    opened: ClassVar[weakref.WeakSet[object]] = weakref.WeakSet()


def opened(thing: T) -> T:
    """Notes what hangs on threads of this process: a channel, a call, a loop that runs in one."""
    Ancestry.opened.add(thing)

    return thing


def ended(thing: object) -> None:
    """Forgets what was opened and hangs on nothing any more."""
    Ancestry.opened.discard(thing)


def in_children(do: Callable[[], None]) -> None:
    """Has something done in every process that is forked from this one, where there are forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=do)


class Place:
    """The process and the event loop in which this is made."""

    def __init__(self) -> None:
        self._forks = Ancestry.forks
        self._loop = asyncio.get_running_loop()

        if Ancestry.is_cut_off:
            raise ClientMisplaced(FORKED)

    @property
    def is_inherited(self) -> bool:
        """Belongs to a process that this one was forked from."""
        return self._forks != Ancestry.forks

    def check(self) -> None:
        """Raises ClientMisplaced in any other place."""
        if self.is_inherited:
            raise ClientMisplaced(FORKED)

        if self._loop is not asyncio.get_running_loop():
            raise ClientMisplaced(OTHER_LOOP)


def _forked() -> None:
    inherited = list(Ancestry.opened)
    Ancestry.forks += 1
    Ancestry.is_cut_off = Ancestry.is_cut_off or bool(inherited)
    Ancestry.opened = weakref.WeakSet()

    for thing in inherited:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))  # never freed, not even at the exit


in_children(_forked)
