"""Hearing signals: on the loop, for the length of a block, however the loop waits."""

from __future__ import annotations

import _thread
import asyncio
import os
import signal
import threading

import pytest
from headrace_client.cli.signals import listening, on_loop

NUMBER = signal.SIGUSR1
BOUND = 15.0
"""Seconds; against hangs."""


async def test_a_signal_is_heard_on_the_loop_inside_the_block() -> None:
    heard = asyncio.Event()
    before = signal.getsignal(NUMBER)

    with listening({"SIGUSR1": on_loop(heard.set)}):
        os.kill(os.getpid(), NUMBER)
        await asyncio.wait_for(heard.wait(), BOUND)

    assert signal.getsignal(NUMBER) is before


async def test_a_signal_that_wakes_no_loop_is_heard_too() -> None:
    heard = asyncio.Event()

    with listening({"SIGUSR1": on_loop(heard.set)}):
        threading.Thread(target=_thread.interrupt_main, args=(NUMBER,)).start()
        await asyncio.wait_for(heard.wait(), BOUND)


async def test_signals_that_the_platform_lacks_are_left_out() -> None:
    with listening({"SIGNOWHERE": on_loop(lambda: None)}):
        pass


async def test_handlers_are_put_back_after_an_error() -> None:
    before = signal.getsignal(NUMBER)

    with pytest.raises(KeyError), listening({"SIGUSR1": on_loop(lambda: None)}):
        raise KeyError

    assert signal.getsignal(NUMBER) is before
