"""The `headrace` command as a process: signals, pipes and terminals."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import sys
import termios
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from client.events import composer_run, log
from client.scripted_service import FOREVER, ScriptedService
from headrace_proto.v1 import headrace_pb2 as pb

COMMAND = [sys.executable, "-m", "headrace_client.cli"]
BOUND = 15.0
"""Seconds; against hangs."""

SCREENS = 100
"""Looked at before a test gives up."""

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@asynccontextmanager
async def process(*command: str) -> AsyncGenerator[Process, None]:
    """A process that does not outlive the block."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)

    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()

        await process.wait()


@pytest.fixture
def endless(service: ScriptedService) -> ScriptedService:
    """Plays a run that goes on until it is cancelled."""
    service.events = log(*composer_run())[:6]
    service.endings = [FOREVER]

    return service


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_cancels_the_run_and_says_so(
    endless: ScriptedService, number: signal.Signals, code: int
) -> None:
    run = [*COMMAND, "run", "composer", "--run-id", "r-1", "--address", endless.address]

    async with asyncio.timeout(BOUND), process(*run) as command:
        assert command.stdout is not None
        assert await command.stdout.readline() == b"composer: run r-1\n"
        command.send_signal(number)
        _, errors = await command.communicate()

    assert (command.returncode, errors) == (code, b"headrace: cancelled run r-1\n")
    assert endless.requests_of(pb.CancelRunRequest) == [
        pb.CancelRunRequest(run_id="r-1", reason="interrupted")
    ]


async def test_a_signal_while_attached_lets_the_run_go_on(endless: ScriptedService) -> None:
    attach = [*COMMAND, "attach", "r-1", "--address", endless.address]

    async with asyncio.timeout(BOUND), process(*attach) as command:
        assert command.stdout is not None
        await command.stdout.readline()
        command.send_signal(signal.SIGINT)
        _, errors = await command.communicate()

    assert (command.returncode, errors) == (130, b"headrace: run r-1 goes on\n")
    assert not endless.cancelled.is_set()


async def test_a_run_that_cannot_be_cancelled_is_not_said_to_be(endless: ScriptedService) -> None:
    endless.unanswered = pb.CancelRunRequest
    run = [*COMMAND, "run", "composer", "--run-id", "r-1", "--address", endless.address]

    async with asyncio.timeout(BOUND), process(*run) as command:
        assert command.stdout is not None
        await command.stdout.readline()
        command.send_signal(signal.SIGINT)
        _, errors = await command.communicate()

    assert command.returncode == 130
    assert errors.startswith(b"headrace: run r-1 could not be cancelled")


async def test_ctrl_c_ends_a_command_that_asks_one_thing(endless: ScriptedService) -> None:
    endless.unanswered = pb.ListProgramsRequest

    async with (
        asyncio.timeout(BOUND),
        process(*COMMAND, "programs", "--address", endless.address) as command,
    ):
        await endless.asked.wait()
        command.send_signal(signal.SIGINT)
        output, errors = await command.communicate()

    assert (command.returncode, output, errors) == (130, b"", b"")


async def test_a_reader_that_closes_the_pipe_ends_the_run_without_a_word(
    endless: ScriptedService,
) -> None:
    endless.events = log(*list(composer_run()[:6]) * 400)
    run = shlex.join([*COMMAND, "run", "composer", "--json", "--address", endless.address])

    async with (
        asyncio.timeout(BOUND),
        process("bash", "-c", f"{run} | head -n 1") as command,
    ):
        output, errors = await command.communicate()

    assert (output.count(b"\n"), errors) == (1, b"")
    assert endless.cancelled.is_set()


async def test_without_its_extra_the_command_says_what_to_install() -> None:
    code = "import sys; sys.modules['click'] = None; import headrace_client.cli as c; c.main()"

    async with (
        asyncio.timeout(BOUND),
        process(sys.executable, "-c", code) as command,
    ):
        output, errors = await command.communicate()

    assert (command.returncode, output) == (1, b"")
    assert errors == b"headrace: the command line is an extra: pip install 'headrace[cli]'\n"


async def test_on_a_terminal_the_board_is_drawn_in_place(service: ScriptedService) -> None:
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    run = [*COMMAND, "run", "composer", "--address", service.address]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""}

    async with asyncio.timeout(BOUND):
        command = await asyncio.create_subprocess_exec(
            *run, stdin=side, stdout=side, stderr=side, env=environment
        )
        os.close(side)
        reading = asyncio.to_thread(everything, terminal)
        printed, code = await asyncio.gather(reading, command.wait())

    assert code == 0
    assert printed.startswith("\x1b[?25l"), "the cursor is hidden while the board is drawn"
    assert "\x1b[?25h" in printed, "and comes back"
    last = ESCAPE.sub("", printed[printed.rindex("\x1b[1A\x1b[2K") :]).replace("\r", "")
    assert "✓ compose.answer               Because of rain." in last
    assert last.rstrip().endswith("answer\nBecause of rain.")


def everything(terminal: int, encoding: str = "utf-8") -> str:
    """All that is written to a terminal until its last writer is gone."""
    parts: list[bytes] = []

    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:
        pass  # that is how a terminal ends
    finally:
        os.close(terminal)

    return b"".join(parts).decode(encoding)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not on this machine")
async def test_in_tmux_the_board_survives_resizing_and_ctrl_c(endless: ScriptedService) -> None:
    run = shlex.join([*COMMAND, "run", "composer", "--run-id", "r-1", "--address", endless.address])
    tmux = Tmux()

    async with asyncio.timeout(BOUND):
        await tmux("new-session", "-d", "-s", "t", "-x", "90", "-y", "20", "env PS1='$ ' sh")
        await tmux("send-keys", "-t", "t", run, "Enter")

        try:
            await tmux.shows("evidence.probe.evidence", "In 1911 it")
            await tmux("resize-window", "-t", "t", "-x", "44", "-y", "12")
            screen = await tmux.shows("….probe.evidence", "In 1911 it")
            assert [line for line in screen.splitlines() if "Spinning" in line] == [
                "· Spinning ideas..."
            ]
            await tmux("send-keys", "-t", "t", "C-c")
            screen = await tmux.shows("headrace: cancelled run r-1", "$")
            assert screen.count("composer  stopped") == 1
        finally:
            await tmux("kill-server")

    assert endless.cancelled.is_set()


class Tmux:
    """A terminal multiplexer of its own, and what its one window shows."""

    def __init__(self) -> None:
        self._socket = f"headrace-{uuid.uuid4().hex[:8]}"

    async def __call__(self, *arguments: str) -> str:
        async with process("tmux", "-u", "-L", self._socket, *arguments) as command:
            output, _ = await command.communicate()

        return output.decode()

    async def shows(self, *texts: str) -> str:
        """The screen, once it shows all these texts; AssertionError with the screen if it does not."""
        screen = ""

        for _ in range(SCREENS):
            screen = await self("capture-pane", "-p", "-t", "t")

            if all(text in screen for text in texts):
                return screen

            await asyncio.sleep(0.05)

        raise AssertionError(f"no {texts} in\n{screen}")
