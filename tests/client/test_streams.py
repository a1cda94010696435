"""The standard streams of the `headrace` command: other encodings, full, closed, or gone."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from client.events import composer_run, log, prediction, token
from client.scripted_service import FOREVER, Ending, ScriptedService
from client.test_terminal import BOUND, COMMAND, everything
from google.protobuf import json_format
from grpc import StatusCode
from headrace_proto.v1 import headrace_pb2 as pb

TEXT = "Ω 😀 → שלום é"

NARROW = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "strict ascii": {"PYTHONIOENCODING": "ascii:strict"},
    "utf-16": {"PYTHONIOENCODING": "utf-16"},
    "C locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="/dev/full and bash are needed")


class Said(NamedTuple):
    """What a command says, and its exit code."""

    output: str
    errors: str
    code: int | None


async def said(
    service: ScriptedService,
    *arguments: str | bytes,
    prefix: str = "",
    redirect: str = "",
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> Said:
    """Runs the command in a shell that redirects it."""
    command = b" ".join(
        shlex.quote(part).encode() if isinstance(part, str) else b"'" + part + b"'"
        for part in (*COMMAND, *arguments)
    )

    async with asyncio.timeout(BOUND):
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", prefix.encode() + command + b" " + redirect.encode()),
            env={**os.environ, "HEADRACE_ADDRESS": service.address, **(environment or {})},
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        output, errors = await process.communicate(stdin)

    return Said(output.decode(), errors.decode(), process.returncode)


@pytest.fixture
def service(service: ScriptedService) -> ScriptedService:
    """Answers with text that only UTF-8 can hold."""
    service.events = log(token("self.answer", TEXT, last=True), prediction(answer=TEXT))
    service.programs = [
        pb.Program(
            name="composer", description=TEXT, inputs=[pb.Field(name="question", type="str")]
        )
    ]
    service.run = pb.Run(run_id="r-1", program=TEXT)

    return service


# Encodings


@pytest.mark.parametrize("encoding", NARROW)
async def test_pipes_carry_utf_8_whatever_the_locale(
    service: ScriptedService, encoding: str
) -> None:
    told = await said(service, "run", "composer", "--json", environment=NARROW[encoding])

    events = [json_format.Parse(line, pb.StreamEvent()) for line in told.output.splitlines()]
    assert events[-1].prediction.outputs["answer"] == TEXT


async def test_in_every_view(service: ScriptedService) -> None:
    quiet = await said(service, "run", "composer", "--quiet", environment=NARROW["cp1252"])
    lines = await said(service, "attach", "r-1", environment=NARROW["cp1252"])

    assert quiet == Said(f"{TEXT}\n", "", 0)
    assert lines == Said(f"[answer] {TEXT}\n\nanswer:\n{TEXT}\n", "", 0)


@pytest.mark.parametrize("command", [["programs"], ["describe", "composer"], ["runs", "--json"]])
async def test_so_do_those_of_every_command(service: ScriptedService, command: list[str]) -> None:
    told = await said(service, *command, environment=NARROW["cp1252"])

    assert TEXT in told.output
    assert (told.errors, told.code) == ("", 0)


async def test_and_those_of_errors(service: ScriptedService) -> None:
    service.endings = [Ending(StatusCode.INVALID_ARGUMENT, TEXT, "INPUT_INVALID", after=0)]
    told = await said(service, "run", "composer", environment=NARROW["strict ascii"])

    assert told == Said("", f"headrace: {TEXT}\n", 2)


async def test_a_lone_surrogate_is_written_as_json_escapes_it(service: ScriptedService) -> None:
    answer = pb.Prediction(outputs_json=r'{"answer": "a\ud800b", "why": "é"}')
    service.events = log(answer)
    quiet = await said(service, "run", "composer", "--quiet")
    as_json = await said(service, "run", "composer", "--json")

    assert json.loads(quiet.output) == {"answer": "a\ud800b", "why": "é"}
    assert json_format.Parse(as_json.output, pb.StreamEvent()).prediction == answer


async def test_a_terminal_keeps_its_encoding_and_shows_what_it_can(
    service: ScriptedService,
) -> None:
    terminal, side = os.openpty()

    async with asyncio.timeout(BOUND):
        command = await asyncio.create_subprocess_exec(
            *(*COMMAND, "run", "composer", "--quiet"),
            stdin=side,
            stdout=side,
            stderr=side,
            env={
                **os.environ,
                "HEADRACE_ADDRESS": service.address,
                "PYTHONIOENCODING": "latin-1",
            },
        )
        os.close(side)
        shown, code = await asyncio.gather(
            asyncio.to_thread(everything, terminal, "latin-1"), command.wait()
        )

    assert (shown, code) == ("? ? ? ???? é\r\n", 0)


@pytest.mark.parametrize("encoding", ["cp1252", "C locale"])
async def test_inputs_are_read_as_utf_8_whatever_the_locale(
    service: ScriptedService, tmp_path: Path, encoding: str
) -> None:
    narrow = NARROW[encoding]
    (tmp_path / "bom.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.encode() + b"\n")
    run = ("run", "composer", "-q")
    await said(service, *run, f"question={TEXT}".encode(), environment=narrow)
    await said(service, *run, f"question=@{tmp_path}/bom.txt", environment=narrow)
    await said(service, *run, "question=-", stdin=f"{TEXT}\n".encode(), environment=narrow)
    await said(
        service,
        *(*run, "--inputs-json", "-"),
        stdin=b"\xef\xbb\xbf" + json.dumps({"question": TEXT}).encode(),
        environment=narrow,
    )

    asked = [json.loads(request.inputs_json) for request in service.requests_of(pb.RunRequest)]
    assert asked == [{"question": TEXT}] * 4


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["question=-"], "é".encode("latin-1"), "-: is not UTF-8 text"),
        (["--inputs-json", "-"], '{"question": "é"}'.encode("utf-16"), "-: is not UTF-8 text"),
        ([b"question=\xe9"], b"", "question: is not UTF-8 text"),
    ],
)
async def test_what_is_no_utf_8_is_refused_before_anything_runs(
    service: ScriptedService, arguments: list[str | bytes], stdin: bytes, words: str
) -> None:
    told = await said(service, "run", "composer", *arguments, stdin=stdin)

    assert (told.output, told.code) == ("", 2)
    assert told.errors.splitlines()[-1] == f"Error: {words}"
    assert service.requests == []


# Output that cannot be written


@pytest.mark.parametrize(
    "command",
    [
        ["programs"],
        ["describe", "composer", "--json"],
        ["runs"],
        ["cancel", "r-1"],
        ["attach", "r-1", "--json"],
        ["run", "composer", "--quiet"],
        ["config", "--help"],
    ],
)
async def test_a_full_disk_is_one_line_and_an_exit_code_of_its_own(
    service: ScriptedService, command: list[str]
) -> None:
    told = await said(service, *command, redirect="> /dev/full")

    assert told == Said("", "headrace: standard output: No space left on device\n", 4)


NO_FILES = "ulimit -f 0; "
"""The first byte that is written to a file is one too many."""


@pytest.mark.parametrize("view", ["--json", "--field=*", "live"])
async def test_a_run_whose_output_cannot_be_written_is_stopped(
    service: ScriptedService, tmp_path: Path, view: str
) -> None:
    """As with Ctrl-C. `--field=*` gives lines, `live` the board of a terminal."""
    service.events = log(*composer_run())[:6]
    service.endings = [FOREVER]
    told = await said(
        service,
        *("run", "composer", "--run-id", "r-1", *([] if view == "live" else [view])),
        prefix=NO_FILES,
        redirect=f"> {tmp_path}/output",
        environment={"FORCE_COLOR": "1", "TERM": "xterm"} if view == "live" else {},
    )

    line = "headrace: standard output: File too large; cancelled run r-1\n"
    assert told == Said("", line, 4)
    assert service.cancelled.is_set()


async def test_a_run_that_had_ended_by_then_can_be_shown_again(
    service: ScriptedService, tmp_path: Path
) -> None:
    service.run = pb.Run(run_id="r-1", state=pb.Run.STATE_SUCCEEDED)
    run = ("run", "composer", "--run-id", "r-1", "--quiet")
    told = await said(service, *run, prefix=NO_FILES, redirect=f"> {tmp_path}/output")

    assert told == Said(
        "",
        "headrace: standard output: File too large; "
        "run r-1 has ended: `headrace attach r-1` shows it\n",
        4,
    )


async def test_with_its_output_closed_a_run_is_not_even_started(service: ScriptedService) -> None:
    for run in (["run", "composer", "-q"], ["run", "composer", "--json"], ["programs"]):
        told = await said(service, *run, redirect=">&-")

        assert told == Said("", "headrace: standard output: it is closed\n", 4)

    assert service.requests_of(pb.RunRequest) == []


async def test_a_reader_who_leaves_is_no_failure_of_the_run(service: ScriptedService) -> None:
    service.events = log(*list(composer_run()[:6]) * 400)
    service.endings = [FOREVER]
    told = await said(
        service, "run", "composer", "--json", redirect="| head -n 1; exit ${PIPESTATUS[0]}"
    )

    assert (told.output.count("\n"), told.errors, told.code) == (1, "", 141)
    assert service.cancelled.is_set()


@pytest.mark.parametrize("gone", ["2>&-", "2> /dev/full", "<&-", "<&- 2>&-"])
async def test_without_the_other_streams_the_answer_and_the_exit_code_are_the_same(
    service: ScriptedService, gone: str
) -> None:
    good = await said(service, "run", "composer", "--quiet", redirect=gone)
    service.endings = [Ending(StatusCode.ABORTED, "gone", "LM_UNAVAILABLE", "FAILED", after=0)]
    failed = await said(service, "run", "composer", "--quiet", redirect=gone)
    wrong = await said(service, "run", "composer", "--nonsense", redirect=gone)

    assert good == Said(f"{TEXT}\n", "", 0)
    assert (failed.output, failed.code, wrong.output, wrong.code) == ("", 1, "", 2)


async def test_an_input_from_a_closed_standard_input_is_refused(service: ScriptedService) -> None:
    told = await said(service, "run", "composer", "question=-", redirect="<&-")

    assert told.code == 2
    assert told.errors.splitlines()[-1] == "Error: question: standard input is closed"
