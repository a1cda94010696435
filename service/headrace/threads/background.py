"""Threads of our own: workers that run sync code, and loops on which sync code runs the async core.

All are daemons, so none can keep the process from ending. A forked child has none of them.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

IDLE = 1.0
"""Seconds a worker waits for more to do before it ends."""


WAITING = "headrace-idle"
"""Name of a worker that can be given a job."""


class Job(NamedTuple):
    """Something for a worker to do, and what its thread is called meanwhile."""

    name: str
    perform: Callable[[], object]
    """Must not raise."""


class WorkerPool:
    """Threads that are used again. As many as there are jobs, so that no job waits for another.

    One queue for all: whichever worker is free first takes the next job, which under load is faster
    than a worker picked beforehand (`python bench/threads.py`).
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._idle = 0  # workers that wait and have not been promised a job
        self._lock = threading.Lock()

    def submit(self, job: Job) -> None:
        """Has a job done at once: by a worker that waits, or else by a new one."""
        with self._lock:
            found = self._idle > 0
            self._idle -= found

        if not found:
            threading.Thread(target=self._work, daemon=True).start()

        self._jobs.put(job)

    def _work(self) -> None:
        thread = threading.current_thread()

        while job := self._next():
            thread.name = job.name
            job.perform()
            del job  # and with it all that it knew, before the wait for the next

            with self._lock:
                self._idle += 1

            thread.name = WAITING

    def _next(self) -> Job | None:
        """The next job; None if there was none for a while."""
        while True:
            try:
                return self._jobs.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return None  # else it has been promised one that is about to come


_workers = WorkerPool()
_loops: list[asyncio.AbstractEventLoop] = []
_loops_lock = threading.Lock()


def perform_in_worker(name: str, perform: Callable[[], object]) -> None:
    """Does something in a worker thread of this process, called `name` meanwhile. Must not raise."""
    _workers.submit(Job(f"headrace-{name}", perform))


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop whose thread this is, if it is one's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def background_loop(blocked: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop:
    """The background loop to use when the calling thread's own loop is `blocked` by waiting.

    There is one, plus one for each level at which coroutines on a background loop themselves call
    sync code that calls back: never the blocked one, so such nesting cannot wait for itself.
    """
    with _loops_lock:
        level = _loops.index(blocked) + 1 if blocked in _loops else 0

        if level == len(_loops):
            loop = asyncio.new_event_loop()
            name = f"headrace-portal-{level}"
            threading.Thread(target=loop.run_forever, name=name, daemon=True).start()
            _loops.append(loop)

        return _loops[level]


def _begin_anew() -> None:
    """Forgets, in a forked child, the threads that are not in it."""
    global _loops, _loops_lock, _workers
    _loops, _loops_lock, _workers = [], threading.Lock(), WorkerPool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
