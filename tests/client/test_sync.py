"""The synchronous face: the same events and errors, on a loop in a thread of its own.

The scripted server runs on the test's loop, so each body runs in a worker thread.
"""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
import threading

import grpc
import headrace_client
import pytest
from client.events import answered, composer_run, log, prediction, question
from client.scripted_service import FOREVER, Ending, ScriptedService
from headrace_client import (
    Client,
    Event,
    InputInvalid,
    InputRequest,
    ServerUnreachable,
    StreamClosed,
    StreamConsumed,
    StreamMisused,
    SyncClient,
    outputs,
)
from headrace_client._loop_thread import LoopThread
from headrace_proto.v1 import headrace_pb2 as pb


async def test_both_faces_give_the_same(client: Client, service: ScriptedService) -> None:
    def read() -> list[object]:
        with (
            SyncClient(service.address) as same,
            same.run("composer", run_id="r", question="why?") as run,
        ):
            events = list(run)
            seen = run.text("ideas.brainstorm.brainstorm"), run.cursor, run.last_event

            return [run.run_id, events, seen, run.prediction(), run.result()]

    async with client.run("composer", run_id="r", question="why?") as run:
        events = [event async for event in run]
        seen = run.text("ideas.brainstorm.brainstorm"), run.cursor, run.last_event
        expected = [run.run_id, events, seen, await run.prediction(), await run.result()]

    assert await asyncio.to_thread(read) == expected
    assert service.requests[0] == service.requests[1]


async def test_fields_are_read_side_by_side_from_threads(service: ScriptedService) -> None:
    def read() -> list[str]:
        texts = ["", ""]

        with SyncClient(service.address) as client, client.run("composer", question="why?") as run:

            def join(position: int, selector: str) -> None:
                texts[position] = "".join(run.field(selector))

            readers = [
                threading.Thread(target=join, args=(0, "brainstorm")),
                threading.Thread(target=join, args=(1, "compose.answer")),
            ]

            for reader in readers:
                reader.start()

            for reader in readers:
                reader.join()

        return texts

    assert await asyncio.to_thread(read) == ["Rivers carry light.", "Because of rain."]


async def test_everything_with_one_answer_has_its_counterpart(service: ScriptedService) -> None:
    service.programs = [pb.Program(name="a")]
    service.events = log(question("q1", "Which?"), question("q2", "And now?"), *composer_run())

    def ask() -> list[object]:
        with SyncClient(service.address) as client:
            client.ready(5)

            with client.attach("r", after_sequence=12) as run:
                rest = list(run)

            return [
                client.programs(),
                client.describe("a").name,
                client.server_info().version,
                client.get_run("r").state,
                client.runs(states=["waiting"], limit=1),
                client.answer("r", "q1", "a", reason="why not").answer_json,
                client.decline("r", "q2").outcome,
                client.cancel("r", reason="enough").run.state,
                client.delete("r"),
                outputs(client.predict("composer", question="why?")),
                rest,
            ]

    assert await asyncio.to_thread(ask) == [
        service.programs,
        "a",
        "0.0",
        pb.Run.STATE_RUNNING,
        [pb.Run(state=pb.Run.STATE_RUNNING)],
        '"a"',
        pb.InputResolved.OUTCOME_DECLINED,
        pb.Run.STATE_CANCELLED,
        None,
        {"answer": "Because of rain."},
        composer_run()[10:],
    ]


def test_each_method_of_the_client_is_there_with_its_parameters() -> None:
    def public(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in inspect.getmembers(kind, callable)
            if not name.startswith("_")
        }

    assert public(SyncClient) == public(Client)
    assert public(headrace_client.SyncRunStream) == public(headrace_client.RunStream)


async def test_a_run_is_answered_while_it_is_read(service: ScriptedService) -> None:
    told: list[Event] = [
        question("q1", "Which?"),
        answered("q1"),
        question("q2", "And now?"),
        answered("q2"),
    ]
    service.events = log(*told, prediction(answer="b"))

    def read() -> list[Event]:
        with SyncClient(service.address) as client, client.run("asker") as run:
            events: list[Event] = []

            for event in run:
                events.append(event)

                match event:
                    case InputRequest(input_id="q1"):
                        run.answer("q1", "b")
                    case InputRequest():
                        run.decline(event.input_id, reason="no time")
                    case _:
                        pass

            return events

    assert await asyncio.to_thread(read) == [*told, prediction(answer="b")]
    assert [(one.answer_json, one.decline) for one in service.requests_of(pb.SendInputRequest)] == [
        ('"b"', False),
        ("", True),
    ]


async def test_errors_pass_through(service: ScriptedService) -> None:
    service.endings = [Ending(grpc.StatusCode.INVALID_ARGUMENT, "no", "INPUT_INVALID", after=0)]

    def read() -> None:
        with SyncClient(service.address) as client:
            with pytest.raises(InputInvalid, match="no"):
                client.run("composer").__enter__()

            with client.run("composer") as run:
                assert len(list(run)) == len(service.events)

                with pytest.raises(StreamConsumed):
                    iter(run)

    await asyncio.to_thread(read)


async def test_leaving_early_stops_the_run(service: ScriptedService) -> None:
    service.events = service.events[:3]
    service.endings = [FOREVER]

    def read() -> None:
        with SyncClient(service.address) as client, client.run("composer") as run:
            for _ in run:
                break

    await asyncio.to_thread(read)
    assert service.cancelled.is_set()


async def test_leaving_a_detached_run_stops_nothing(service: ScriptedService) -> None:
    service.events = service.events[:3]
    service.endings = [FOREVER]

    def read() -> None:
        with SyncClient(service.address) as client, client.run("composer") as run:
            next(iter(run))
            run.detach()

    await asyncio.to_thread(read)
    assert not service.cancelled.is_set()


async def test_a_closed_client_says_so_and_leaves_no_thread(service: ScriptedService) -> None:
    def use() -> list[str]:
        client = SyncClient(service.address)
        client.programs()
        client.close()
        client.close()

        with pytest.raises(StreamClosed, match="open another"):
            client.programs()

        return [thread.name for thread in threading.enumerate()]

    assert "headrace-client" not in await asyncio.to_thread(use)


async def test_closing_ends_what_other_threads_wait_for(service: ScriptedService) -> None:
    """Also a wait between two tries, which no closing of a channel would end."""
    service.unanswered = pb.PredictRequest

    def wait() -> list[type]:
        client, unreachable = SyncClient(service.address), SyncClient("127.0.0.1:1", retries=10**9)
        ended: list[type] = []

        def predict(client: SyncClient) -> None:
            with pytest.raises(StreamClosed) as caught:
                client.predict("composer")

            ended.append(caught.type)

        waiting = [
            threading.Thread(target=predict, args=(client,)),
            threading.Thread(target=predict, args=(unreachable,)),
        ]

        for thread in waiting:
            thread.start()

        asyncio.run_coroutine_threadsafe(service.asked.wait(), loop).result()
        client.close()
        unreachable.close()

        for thread in waiting:
            thread.join()

        return ended

    loop = asyncio.get_running_loop()
    assert await asyncio.to_thread(wait) == [StreamClosed, StreamClosed]


async def test_an_exit_in_a_token_function_is_one_of_the_caller(service: ScriptedService) -> None:
    def exits() -> str:
        raise SystemExit(7)

    def use() -> None:
        with SyncClient(service.address, token=exits) as client:
            for _ in range(2):
                with pytest.raises(SystemExit, match="7"):
                    client.programs()

    await asyncio.to_thread(use)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_leaves_nobody_waiting() -> None:
    async def die() -> None:
        asyncio.get_running_loop().call_soon(sys.exit)
        await asyncio.Event().wait()

    loop = LoopThread()

    for _ in range(2):
        with pytest.raises(StreamClosed):
            loop.wait(die)

    loop.stop()


async def test_a_token_function_that_never_returns_holds_up_nobody_who_closes(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_client._loop_thread.LONGEST_END", 0.1)
    asked, released = threading.Event(), threading.Event()
    ended: list[type] = []

    def token() -> str:
        asked.set()
        released.wait()

        return "late"

    def ask(client: SyncClient) -> None:
        with pytest.raises(StreamClosed) as caught:
            client.programs()

        ended.append(caught.type)

    def use() -> None:
        client = SyncClient(service.address, token=token)
        asking = threading.Thread(target=ask, args=(client,))
        asking.start()
        asked.wait()
        client.close()
        asking.join()
        released.set()

    await asyncio.to_thread(use)
    assert ended == [StreamClosed]


async def test_a_token_function_that_uses_its_own_client_is_told(service: ScriptedService) -> None:
    def use() -> None:
        client: SyncClient

        def token() -> str:
            return client.server_info().version

        with SyncClient(service.address, token=token) as client:
            with pytest.raises(StreamMisused, match="would wait for itself"):
                client.programs()

            assert service.requests == []

    await asyncio.to_thread(use)


def test_a_client_that_was_not_used_has_no_thread_to_end() -> None:
    with SyncClient("127.0.0.1:1"):
        assert "headrace-client" not in [thread.name for thread in threading.enumerate()]


async def test_a_client_used_while_python_ends_does_not_hold_it_up(
    service: ScriptedService,
) -> None:
    """Its thread no longer runs there."""
    program = await script(
        f"""
        from headrace_client import SyncClient

        class Owner:
            client = SyncClient({service.address!r})

            def __del__(self):
                self.client.close()

        owner = Owner()
        print(owner.client.server_info().version)
        """
    )
    output, errors = await asyncio.wait_for(program.communicate(), 10)

    assert (output, errors, program.returncode) == (b"0.0\n", b"", 0)


async def test_an_event_loop_waits_for_a_client_used_on_its_thread() -> None:
    """As in a notebook, whose cells run inside one."""
    with (
        SyncClient("127.0.0.1:1", retries=0) as client,
        pytest.raises(ServerUnreachable, match="no server answers"),
    ):
        client.predict("composer")


async def test_an_interrupt_stops_the_run_and_ends_the_program(service: ScriptedService) -> None:
    """In a process of its own, as Ctrl-C is for the main thread."""
    service.events = service.events[:3]
    service.endings = [FOREVER]
    program = await script(
        f"""
        from headrace_client import SyncClient

        with SyncClient({service.address!r}) as client, client.run("composer") as run:
            for event in run:
                print("event", flush=True)
        """
    )
    assert program.stdout is not None
    await program.stdout.readline()
    program.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(program.communicate(), 10)

    assert errors.decode().strip().endswith("KeyboardInterrupt")
    assert service.cancelled.is_set()


async def test_a_client_that_is_never_closed_does_not_keep_the_program(
    service: ScriptedService,
) -> None:
    program = await script(
        f"""
        from headrace_client import SyncClient

        client = SyncClient({service.address!r})
        print(client.server_info().version)
        """
    )
    output, errors = await asyncio.wait_for(program.communicate(), 10)

    assert (output, errors, program.returncode) == (b"0.0\n", b"", 0)


async def test_nobody_listening_is_told() -> None:
    def ask() -> None:
        client = SyncClient("127.0.0.1:1", retries=0)

        with client, pytest.raises(ServerUnreachable, match="no server answers"):
            client.predict("composer")

    await asyncio.to_thread(ask)


async def script(text: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        inspect.cleandoc(text),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
