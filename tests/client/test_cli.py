"""The `headrace` command: what it asks, what it prints, how it ends."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result
from client.events import S, composer_run, duration, end, log, prediction, start, token
from client.scripted_service import Ending, ScriptedService, serving
from client.test_connection import CERTIFICATES, server_credentials
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from headrace_client._loop_thread import LoopThread
from headrace_client.cli import commands, inputs
from headrace_client.cli.commands import headrace
from headrace_client.cli.views import LineView
from headrace_proto.v1 import headrace_pb2 as pb

COMPOSER = pb.Program(
    name="composer",
    description="Ideas and evidence side by side.",
    revision="0123456789ab",
    inputs=[
        pb.Field(name="question", type="str", required=True, description="What to answer."),
        pb.Field(name="count", type="int"),
        pb.Field(name="tags", type="list[str]"),
        pb.Field(name="tone", type="Literal['dry', 'warm']"),
    ],
    outputs=[pb.Field(name="answer", type="str", streamable=True)],
    predictors=[
        pb.Predictor(
            name="compose",
            outputs=[
                pb.Field(name="reasoning", type="str", streamable=True),
                pb.Field(name="answer", type="str", streamable=True),
            ],
        ),
        pb.Predictor(name="score", outputs=[pb.Field(name="score", type="float")]),
    ],
    tools=[pb.Tool(name="search", description="Search the archive.")],
)
COMPOSER.example_inputs.update({"question": "why so?", "count": 3})


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.stop()


@pytest.fixture
def service(loop: LoopThread) -> Iterator[ScriptedService]:
    """Plays a run of the composer, from a thread of its own."""
    service = ScriptedService(log(*composer_run()))
    service.programs = [COMPOSER, pb.Program(name="bare")]
    server = serving(service)
    loop.wait(server.__aenter__)
    yield service
    loop.wait(server.__aexit__, None, None, None)


def call(service: ScriptedService | None, *arguments: str, stdin: str | None = None) -> Result:
    """Calls the command, as if it were not on a terminal."""
    address = "127.0.0.1:1" if service is None else service.address

    return CliRunner().invoke(
        headrace, arguments, input=stdin, env={"HEADRACE_ADDRESS": address}, catch_exceptions=False
    )


def asked_inputs(service: ScriptedService) -> object:
    return json.loads(service.requests_of(pb.RunRequest)[0].inputs_json)


def golden(text: str) -> str:
    return inspect.cleandoc(text) + "\n"


# What is shown


def test_away_from_a_terminal_a_run_is_plain_lines(service: ScriptedService) -> None:
    service.events[-1].prediction.elapsed.CopyFrom(duration(1.2))
    service.events[-1].prediction.usage.CopyFrom(
        pb.Usage(
            lm_call_count=3,
            cache_hit_count=1,
            input_token_count=1234,
            output_token_count=56,
            cost_usd=0.0012,
        )
    )
    result = call(service, "run", "composer", "question=why?", "--run-id", "r-1")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == golden(
        """
        composer: run r-1
        Spinning ideas...
        [ideas.brainstorm.brainstorm] Rivers carry light.
        [evidence.probe.evidence] In 1911 it rained.
        Ideas ready.
        [compose.answer] Because of rain.

        answer:
        Because of rain.

        3 LM calls, 1 from the cache, 1,234 tokens in, 56 out, $0.0012, 1.2 s
        """
    )


def told(status: pb.StatusUpdate, **data: Any) -> pb.StatusUpdate:
    status.data.update(data)

    return status


def called(status: pb.StatusUpdate, **arguments: Any) -> pb.StatusUpdate:
    status.tool.arguments_json = json.dumps(arguments)

    return status


def returned(status: pb.StatusUpdate, result: Any) -> pb.StatusUpdate:
    status.tool.result_json = json.dumps(result)

    return status


def test_data_stands_below_the_call_it_is_of(service: ScriptedService) -> None:
    asked = [
        {"role": "system", "content": "Answer.\nBriefly."},
        {"role": "user", "content": "why?"},
    ]
    service.events = log(
        told(start(S.KIND_RUN, "composer"), question="why?"),
        told(start(S.KIND_LM, "openai/m", call_id=2), messages=asked, options={"n": 1}),
        told(end(S.KIND_LM, "openai/m", call_id=2), outputs=["Because\x1b[2J."]),
        told(start(S.KIND_MODULE, "answer", call_id=3), question="why?"),
        called(start(S.KIND_TOOL, "search", call_id=4), query="rivers", tags=[], exact=True),
        returned(
            end(S.KIND_TOOL, "search", call_id=4, seconds=1.5), ["a\x1b[2J", 9007199254740993]
        ),
        called(start(S.KIND_TOOL, "stop", call_id=5)),
        returned(end(S.KIND_TOOL, "stop", call_id=5), None),
        prediction(answer="Because."),
    )
    result = call(service, "run", "composer", "--data", "--run-id", "r-1")

    assert service.requests_of(pb.RunRequest)[0].options.include_data
    assert result.stdout == golden(
        """
        composer: run r-1
        openai/m (call 2) takes
          messages:
            - role: system
              content:
                Answer.
                Briefly.
            - content: why?
              role: user
          options:
            n: 1
        openai/m (call 2) gives
          outputs:
            - Because␛[2J.
        answer (call 3) takes
          question: why?
        search (call 4) takes
          exact: true
          query: rivers
          tags: []
        search() took 1.5 s
        search (call 4) gives
          result:
            - a␛[2J
            - 9007199254740993
        stop (call 5) takes
          {}
        stop() took 0.5 s
        stop (call 5) gives
          result: null

        answer:
        Because.
        """
    )


def test_data_says_what_was_answered_and_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    answered = pb.InputResolved.OUTCOME_ANSWERED
    view = LineView()

    for event in log(
        pb.InputResolved(input_id="q1", outcome=answered, answer_json='"left"'),
        pb.InputResolved(input_id="q2", outcome=answered, answer_json='{"copies": 2}'),
        pb.InputResolved(input_id="q3", outcome=pb.InputResolved.OUTCOME_EXPIRED),
    ):
        view.show(event)

    assert capsys.readouterr().out.splitlines() == [
        "answered (input q1)",
        "  left",
        "answered (input q2)",
        "  copies: 2",
        "expired (input q3)",
    ]


def test_data_is_bounded(service: ScriptedService) -> None:
    long = called(start(S.KIND_TOOL, "search", call_id=3), query="x\n" * 70, text="y" * 2000)
    service.events = log(long, prediction(answer="Yes."))
    lines = call(service, "attach", "r-1", "--data").stdout.splitlines()

    assert service.requests_of(pb.AttachRequest)[0].options.include_data
    assert [len(lines[1]), lines[1][-3:], lines[61]] == [
        1003,
        "yy…",
        "  … 12 more lines; --json shows all",
    ]


def test_data_that_the_server_does_not_show_is_refused_in_a_line(service: ScriptedService) -> None:
    refused = Ending(StatusCode.PERMISSION_DENIED, "not shown", reason="PERMISSION_DENIED", after=0)
    service.endings = [refused]
    result = call(service, "run", "composer", "--data")

    assert (result.exit_code, result.stderr) == (2, "headrace: not shown\n")


def test_what_led_to_a_failure_stands_below_its_line(service: ScriptedService) -> None:
    service.events = service.events[:1]
    service.endings = [
        Ending(
            StatusCode.INTERNAL,
            "the program raised KeyError",
            reason="PROGRAM_ERROR",
            run_state="FAILED",
            cause="KeyError: 'x'\x1b[2J\nat app.py:3 in forward:\n  return x",
        )
    ]
    result = call(service, "run", "composer")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == [
        "  KeyError: 'x'␛[2J",
        "  at app.py:3 in forward:",
        "    return x",
    ]


def test_tools_and_repeated_calls_are_lines_too(service: ScriptedService) -> None:
    failure = pb.Failure(reason="TOOL_ERROR", message="the page\nis gone")
    service.events = log(
        start(S.KIND_TOOL, "search", "Searching...", call_id=3),
        end(S.KIND_TOOL, "search", call_id=3, seconds=1.5),
        end(S.KIND_TOOL, "search", call_id=4, failure=failure),
        token("self.answer", "Yes.", last=True, cached=True),
        prediction(answer="Yes.", score=0.5, tags=["a"]),
    )

    assert call(service, "run", "composer").stdout == golden(
        """
        Searching...
        search() took 1.5 s
        search failed: TOOL_ERROR: the page is gone
        [answer] (cached) Yes.

        answer:
        Yes.

        score:
        0.5

        tags:
        [
          "a"
        ]
        """
    )


def test_json_is_one_event_of_the_contract_a_line(service: ScriptedService) -> None:
    service.events = log(token("a.x", "né\x1b[2J\x9b\u2028"), prediction(x="né"))
    lines = call(service, "run", "composer", "--json", "--run-id", "r-1").stdout.splitlines()

    assert [json.loads(line)["sequence"] for line in lines] == [1, 2]
    assert json.loads(lines[0])["token"]["chunk"] == "né\x1b[2J\x9b\u2028"
    assert "né" in lines[0]
    assert all(character.isprintable() for line in lines for character in line)


@pytest.mark.parametrize(
    ("outputs", "printed"),
    [
        ({"answer": "Yes,\x1b really."}, "Yes,\x1b really.\n"),
        ({"answer": 3}, '{\n  "answer": 3\n}\n'),
        ({"answer": "a", "why": "b"}, '{\n  "answer": "a",\n  "why": "b"\n}\n'),
    ],
)
def test_quiet_is_the_prediction_alone(
    service: ScriptedService, outputs: dict[str, object], printed: str
) -> None:
    service.events = log(token("a.answer", "x", last=True), prediction(**outputs))

    assert call(service, "run", "composer", "--quiet").stdout == printed


def test_what_a_model_wrote_cannot_steer_the_terminal(service: ScriptedService) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\x9b5m\r"
    service.events = log(
        start(S.KIND_RUN, hostile, hostile),
        token(f"a.{hostile}", hostile, last=True),
        prediction(**{hostile: hostile}),
    )
    result = call(service, "run", "composer")

    assert [c for c in result.stdout if not c.isprintable() and c != "\n"] == []
    assert result.stdout.count("␛]0;owned␇") == 6


def test_programs_are_listed_in_columns(service: ScriptedService) -> None:
    assert call(service, "programs").stdout == golden(
        """
        composer  question, count, tags, tone -> answer  Ideas and evidence side by side.
        bare      ... -> ...
        """
    )
    lines = call(service, "programs", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["composer", "bare"]


def test_runs_are_listed_newest_first_with_their_state(service: ScriptedService) -> None:
    service.run = pb.Run(run_id="r-1", program="composer", state=pb.Run.STATE_SUCCEEDED)
    service.run.create_time.FromSeconds(1000)
    service.run.end_time.FromSeconds(1003)

    listed = call(service, "runs", "--program", "composer", "--limit", "5").stdout

    assert re.fullmatch(r"r-1  composer  succeeded  \S+ ago  took 3.0 s\n", listed)
    assert service.requests == [pb.ListRunsRequest(page_size=5, program="composer")]


def test_runs_are_one_json_object_a_line(service: ScriptedService) -> None:
    service.run = pb.Run(run_id="r-1", state=pb.Run.STATE_QUEUED)
    (line,) = call(service, "runs", "--json").stdout.splitlines()

    assert json.loads(line) == {"runId": "r-1", "state": "STATE_QUEUED"}


def test_a_program_is_described_with_a_call_to_try(service: ScriptedService) -> None:
    assert call(service, "describe", "composer").stdout == golden(
        """
        composer  (revision 0123456789ab)
        Ideas and evidence side by side.

        Inputs
          question  str                               What to answer.
          count     int                     optional
          tags      list[str]               optional
          tone      Literal['dry', 'warm']  optional

        Outputs
          answer  str

        Streams
          compose  reasoning, answer

        Tools
          search  Search the archive.

        Try
          headrace run composer 'question=why so?' count=3
        """
    )
    assert json.loads(call(service, "describe", "composer", "--json").stdout)["tools"]


# What is asked


def test_values_are_read_as_their_fields_want_them(service: ScriptedService) -> None:
    call(
        service, "run", "composer", "question=3", "count=9007199254740993", 'tags=["a"]', "tone=dry"
    )

    assert asked_inputs(service) == {
        "question": "3",
        "count": 9007199254740993,
        "tags": ["a"],
        "tone": "dry",
    }


def test_a_value_comes_from_a_file_or_from_standard_input(
    service: ScriptedService, tmp_path: Path
) -> None:
    (tmp_path / "question.txt").write_text("from = a file\n\n")
    (tmp_path / "count.json").write_text("7\n")
    pairs = [f"question=@{tmp_path}/question.txt", f"count=@{tmp_path}/count.json", "tone=-"]
    call(service, "run", "composer", *pairs, stdin="warm\n")

    assert asked_inputs(service) == {"question": "from = a file\n", "count": 7, "tone": "warm"}


@pytest.mark.parametrize("source", ["text", "file", "stdin"])
def test_inputs_come_as_json_and_pairs_win(
    service: ScriptedService, tmp_path: Path, source: str
) -> None:
    text = '{"question": "why?", "count": 1}'
    (tmp_path / "inputs.json").write_text(text)
    value = {"text": text, "file": f"@{tmp_path}/inputs.json", "stdin": "-"}[source]
    call(service, "run", "composer", "--inputs-json", value, "count=2", stdin=text)

    assert asked_inputs(service) == {"question": "why?", "count": 2}


def test_options_reach_the_server(service: ScriptedService) -> None:
    call(
        service,
        *("run", "composer", "--timeout", "60", "--revision", "abc", "--run-id", "mine"),
        *("--label", "team=blue", "--label", "note=a=b", "--field", "compose.answer"),
    )

    (request,) = service.requests
    assert request.timeout == duration(60)
    assert (request.revision, request.run_id) == ("abc", "mine")
    assert dict(request.labels) == {"team": "blue", "note": "a=b"}
    assert list(request.options.fields) == ["compose.answer"]


def test_attaching_reads_from_a_position(service: ScriptedService) -> None:
    result = call(service, "attach", "some-run", "--after", "9", "--json")

    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [10, 11, 12, 13]
    assert [(r.run_id, r.after_sequence) for r in service.requests] == [("some-run", 9)]


def test_cancelling_says_how_the_run_stands(service: ScriptedService) -> None:
    result = call(service, "cancel", "some-run", "--reason", "enough")

    assert result.stdout == "run some-run: cancelled\n"
    assert service.requests == [pb.CancelRunRequest(run_id="some-run", reason="enough")]


def test_cancelling_a_run_that_has_not_come_yet_says_until_when_it_is_refused(
    service: ScriptedService,
) -> None:
    service.refused_until = Timestamp(seconds=1_000)
    result = call(service, "cancel", "some-run")

    assert result.stdout == (
        "run some-run: there is none; one of this name is refused until 1970-01-01T00:16:40Z\n"
    )


def test_a_token_comes_from_the_environment_or_a_file(
    service: ScriptedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_TOKEN", "one")
    (tmp_path / "token").write_text("two\n")
    call(service, "programs")
    call(service, "programs", "--token-file", str(tmp_path / "token"))

    sent = [metadata["authorization"] for metadata in service.metadata]
    assert sent[0] == "Bearer one"
    assert sent[-1] == "Bearer two"


# How it ends


TWO_CALLS = pb.Usage(lm_call_count=2)


@pytest.mark.parametrize(
    ("ending", "code", "line"),
    [
        (
            Ending(StatusCode.ABORTED, "it went away", "LM_UNAVAILABLE", "FAILED", usage=TWO_CALLS),
            1,
            "headrace: LM_UNAVAILABLE: it went away; used 2 LM calls",
        ),
        (
            Ending(StatusCode.CANCELLED, "run cancelled by caller", "RUN_CANCELLED", "CANCELLED"),
            1,
            "headrace: RUN_CANCELLED: run cancelled by caller",
        ),
        (
            Ending(
                StatusCode.RESOURCE_EXHAUSTED,
                "slow\x1b down",
                "LM_RATE_LIMITED",
                "FAILED",
                retry_delay=2.5,
                usage=TWO_CALLS,
            ),
            1,
            "headrace: LM_RATE_LIMITED: slow␛ down; try again in 2.5 s; used 2 LM calls",
        ),
        (
            Ending(
                StatusCode.INVALID_ARGUMENT,
                "inputs.qestion: unknown; did you mean question?",
                "INPUT_INVALID",
                after=0,
            ),
            2,
            "headrace: inputs.qestion: unknown; did you mean question?",
        ),
        (
            Ending(StatusCode.UNAUTHENTICATED, "who are you?", after=0),
            2,
            "headrace: who are you?; give a token in HEADRACE_TOKEN or with --token-file",
        ),
        (
            Ending(StatusCode.UNAVAILABLE, "it is set aside", run_state="PARKED"),
            3,
            "headrace: it is set aside; the run is not over; `headrace attach` reads on later",
        ),
        (
            Ending(StatusCode.UNIMPLEMENTED, after=0),
            3,
            "headrace: ADDRESS does not serve this call of headrace.v1",
        ),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(
    service: ScriptedService, ending: Ending, code: int, line: str
) -> None:
    service.events = service.events[:3]
    service.endings = [ending]
    result = call(service, "run", "composer")

    assert result.stderr == line.replace("ADDRESS", service.address) + "\n"
    assert result.exit_code == code


def test_a_server_that_wants_tls_is_told_with_the_option(loop: LoopThread) -> None:
    service = ScriptedService([])
    server = serving(service, credentials=server_credentials(mutual=False))
    loop.wait(server.__aenter__)
    plain = call(service, "programs")
    other = call(service, "programs", "--ca", str(CERTIFICATES / "client.pem"))
    loop.wait(server.__aexit__, None, None, None)

    assert plain.stderr == (
        f"headrace: no server answers at {service.address}: TLS is spoken there, not plain text; "
        "add --tls, or --ca FILE for an authority of your own\n"
    )
    assert other.stderr.endswith("; --ca FILE names the authority that signed it\n")
    assert (plain.exit_code, other.exit_code) == (3, 3)


def test_an_unknown_program_is_named_with_those_there_are(service: ScriptedService) -> None:
    for command in (["describe", "compser"], ["run", "compser", "question=why?"]):
        result = call(service, *command)

        assert result.exit_code == 2
        assert result.stderr == "headrace: no program 'compser'; there are: composer, bare\n"


@pytest.mark.parametrize("command", [["programs"], ["run", "composer"], ["run", "a", "b=c"]])
def test_nobody_listening_is_exit_code_3_and_a_hint(command: list[str]) -> None:
    result = call(None, *command)

    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("headrace: no server answers at 127.0.0.1:1: ")
    assert "`headrace serve` starts one" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["question"], "'question' is no input: write key=value, key=@file or key=-"),
        (["question=a", "question=b"], "input 'question' is given twice"),
        (["question=@/nowhere/file"], "@/nowhere/file: No such file or directory"),
        (["--inputs-json", "{"], "--inputs-json: no JSON"),
        (["--inputs-json", "[]"], "--inputs-json: a JSON object is wanted"),
        (["--json", "--quiet"], "--json and --quiet exclude each other"),
        (["--label", "blue"], "'blue' is no label: write key=value"),
        (["--cert", __file__], "--cert and --key go together"),
        (["count=NaN"], "input 'count' has no JSON form"),
        (["question=\udcff"], "question: is not UTF-8 text"),
        (["--inputs-json", "\udcff"], "--inputs-json: is not UTF-8 text"),
        (["question=-", "tags=-"], "standard input can be given to one input only"),
        (["--inputs-json", "-", "tags=-"], "standard input can be given to one input only"),
        (["--run-id", "\udcff"], "an argument is no valid text"),
        (["--timeout", "nan"], "timeout: nan s is no length of time"),
        (["--timeout", "soon"], "'soon' is not a valid float"),
        (["--nonsense"], "No such option"),
    ],
)
def test_wrong_usage_is_exit_code_2_before_anything_runs(
    service: ScriptedService, arguments: list[str], message: str
) -> None:
    result = call(service, "run", "composer", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert service.requests_of(pb.RunRequest) == []


def test_ctrl_c_ends_a_wait_for_standard_input(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(name: str) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(inputs, "_standard_input", interrupted)

    assert call(service, "run", "composer", "question=-").exit_code == 130
    assert service.requests == []


def test_a_token_is_not_sent_in_clear_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_TOKEN", "secret")
    result = call(None, "programs", "--address", "example.org:443")

    assert result.exit_code == 2
    assert "clear text" in result.stderr
    assert "(--tls or --ca)" in result.stderr
    assert "secret" not in result.output


# Commands of others


def test_the_help_names_every_command_and_loads_none_of_others() -> None:
    listed = call(None, "--help").stdout
    own = ["attach", "cancel", "describe", "programs", "run", "runs"]

    assert all(f"  {name} " in listed for name in [*own, "serve", "mock-lm"])


def register(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    def entry_points(*, group: str) -> list[EntryPoint]:
        return [point for point in points if point.group == group]

    monkeypatch.setattr(commands, "entry_points", entry_points)


@pytest.mark.parametrize("extra", ["service", "gateway"])
def test_a_command_without_its_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    suffix = "" if extra == "service" else " [gateway]"
    point = EntryPoint("serve", f"a_module_that_is_not_there:serve{suffix}", commands.GROUP)
    register(monkeypatch, point)

    assert "  serve " in call(None, "--help").stdout

    for arguments in (["serve"], ["serve", "--help"], ["serve", "a:b", "--listen", "x"]):
        result = call(None, *arguments)
        assert result.exit_code == 2
        assert result.stderr == (
            "headrace: serve needs an extra (a_module_that_is_not_there is missing): "
            f"pip install 'headrace[{extra}]'\n"
        )


def test_a_registered_command_is_loaded_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("again", "headrace_client.cli.listing:programs", commands.GROUP)
    register(monkeypatch, point)

    assert "List the programs" in call(None, "again", "--help").stdout


def test_an_unknown_command_is_refused() -> None:
    result = call(None, "fly")

    assert result.exit_code == 2
    assert "No such command 'fly'" in result.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [("headrace des", ["describe"]), ("headrace run co", ["composer"]), ("headrace run x", [])],
)
def test_the_shell_completes_commands_and_programs(
    service: ScriptedService, words: str, offered: list[str]
) -> None:
    environment = {
        "_HEADRACE_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "HEADRACE_ADDRESS": service.address,
    }
    result = CliRunner().invoke(headrace, prog_name="headrace", env=environment)

    assert [line.removeprefix("plain,") for line in result.stdout.split()] == offered
