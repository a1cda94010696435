"""Every client passes the same cases, against a real server behind a proxy that mistreats connections.

A driver per language plays an order with its client and prints what it read. Here stand the cases of
connections and endings: what is ordered, what happens on the road meanwhile, and what must have been
read. Those of what runs tell and ask, and of their records, are in test_matrix_runs.py; of who may answer
them in test_matrix_approvals.py; of forms and sizes in test_matrix_values.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from conformance.invariants import contiguous
from conformance.proxy import proxied
from headrace.server.config import Config, Principal, Tls
from headrace.testing import serve_programs
from interop.programs import LINE, PROGRAMS
from interop.road import NEVER, Road, asked, ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the first one of a language builds it

BIG = "é漢😀\n" * 70_000
"""700 KB as UTF-8; requests may have 1 MiB."""

CERTIFICATES = Path(__file__).parents[1] / "client" / "certificates"
SERVER_TLS = Tls(
    certificate=CERTIFICATES / "server.pem",
    key=CERTIFICATES / "server.key",
    client_ca=CERTIFICATES / "authority.pem",
)
CLIENT_TLS = {
    "authority": str(CERTIFICATES / "authority.pem"),
    "certificate": str(CERTIFICATES / "client.pem"),
    "key": str(CERTIFICATES / "client.key"),
}
TOKEN = "a token of ann's"
TOKEN_DIGEST = f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}"


async def test_cancel_after_begin(road: Road) -> None:
    """A run is cancelled before its reader has read one event; the reader is told who did it."""
    (reading,) = await road.play("cancel_after_begin", asked(**NEVER))

    assert ended(reading) == ("RunFailed", "CANCELLED", "RUN_CANCELLED")
    assert reading.failure.metadata["by"] == "caller"
    assert reading.failure.run_id == reading.run_id
    assert reading.breaches() == []


async def test_cancel_after_first_event(road: Road) -> None:
    """Leaving a run early stops it on the server, at once and not when its linger is over."""
    (attached,) = await road.play("leave_after_first_event", asked(**NEVER))

    assert ended(attached) == ("RunFailed", "CANCELLED", "RUN_CANCELLED")
    assert attached.failure.metadata["by"] == "caller"
    assert attached.breaches() == []


async def test_deadline(road: Road) -> None:
    """A run's timeout fails the run; a reader's deadline ends only the reading."""
    (failed,) = await road.play("read_each", asked(timeout=0.5, **NEVER))
    (attached,) = await road.play("detach_and_attach_for_a_while", asked(**NEVER))

    assert ended(failed) == ("RunFailed", "DEADLINE_EXCEEDED", "RUN_TIMEOUT")
    assert failed.breaches() == []
    assert ended(attached) == ("ServerUnreachable", "DEADLINE_EXCEEDED", "")
    assert attached.failure.run_id == attached.run_id
    assert attached.state == "STATE_RUNNING"


async def test_resume_after_reset(road: Road) -> None:
    """Connections that are reset again and again, in the middle of messages, lose nothing."""
    budgets = iter(random.Random(7).choices(range(500, 8000), k=10))
    road.proxy.budget = lambda: next(budgets, None)
    order = asked(seed=1, tokens=150, pace=0.004)
    (reading,) = await road.play("read_each", order)
    whole = await road.whole(order["run_id"], order["inputs"])

    assert reading.error is None
    assert reading.breaches(whole) == []
    assert reading.cursor == list(whole.messages)[-1].sequence
    assert road.proxy.cuts == 10


async def test_failed_run_replay(road: Road) -> None:
    """A failed run stays failed: attaching to it and asking again give the same events and error."""
    order = asked(seed=4, ending="error")
    readings = await road.play("attach_and_join_again", order)
    whole = await road.whole(order["run_id"], order["inputs"])

    assert [ended(one) for one in readings] == [("RunFailed", "INTERNAL", "PROGRAM_ERROR")] * 3
    assert [one.breaches(whole) for one in readings] == [[], [], []]
    assert len({one.failure.message for one in readings}) == 1


async def test_attach_behind_the_end(road: Road) -> None:
    """A run can be read from behind its last event: nothing is left to read but its prediction."""
    whole, late = await road.play("attach_behind_the_end", asked("echo", text="é", number=3))

    assert whole.values == late.values == {"text": "é", "number": 3}
    assert list(late.messages) == []
    assert late.cursor == whole.cursor == whole.messages[-1].sequence


async def test_rich_error(road: Road) -> None:
    """Errors carry reason, field violations, retry delay, run and metadata."""
    limited = asked("limited")
    wrong, unknown, failed = await road.play("read_each", asked(tokns=3), asked("scrip"), limited)

    assert ended(wrong) == ("RequestRefused", "INVALID_ARGUMENT", "INPUT_INVALID")
    assert wrong.failure.violations == ["inputs.tokns"]
    assert ended(unknown) == ("RequestRefused", "NOT_FOUND", "PROGRAM_NOT_FOUND")
    assert "script" in unknown.failure.message
    assert ended(failed) == ("RunFailed", "RESOURCE_EXHAUSTED", "LM_RATE_LIMITED")
    assert failed.failure.retry_delay == 7.0
    assert failed.failure.run_id == limited["run_id"]
    assert failed.failure.metadata["program"] == "limited"
    assert failed.failure.lm_calls == 0, "the usage that came with the failure"


async def test_mutual_tls_and_token(command: Sequence[str]) -> None:
    """Over mutual TLS a bearer token says who calls; without a good one nothing is started."""
    secured = Config(tls=SERVER_TLS, principals=(Principal(name="ann", tokens=(TOKEN_DIGEST,)),))

    async with serve_programs(*PROGRAMS, config=secured) as address, proxied(address) as proxy:
        road = Road(address, proxy, command)
        road.tls, road.token = CLIENT_TLS, TOKEN
        (known,) = await road.play("read_each", asked("echo", text="é"))
        road.token = "another"
        (stranger,) = await road.play("read_each", asked("echo", text="é"))

    assert known.values == {"text": "é", "number": 0}
    assert ended(stranger) == ("RequestRefused", "UNAUTHENTICATED", "UNAUTHENTICATED")


async def test_slow_reader(road: Road) -> None:
    """A reader that stalls until the run is over gets all of it, merged; other calls go on meanwhile."""
    (reading,) = await road.play("stall_until_over", asked("flood"))
    tokens = [message for message in reading.messages if message.kind == "token"]

    assert reading.values == {"text": LINE * 1_500}
    assert reading.texts == {("flood", "text"): LINE * 1_500}
    assert [*reading.breaches(), *contiguous(reading.journal)] == []
    assert sum(message.count for message in tokens) == 1_500
    assert max(message.count for message in tokens) > 100
    assert len(tokens) < 1_000  # those sent before its window of 64 KiB was full


async def test_big_input(road: Road) -> None:
    """Big inputs arrive whole, integers beyond 2^53 exact; too big ones are refused."""
    big = asked("echo", text=BIG, number="9007199254740993")
    echoed, refused = await road.play("read_each", big, asked("echo", text=BIG * 3))

    assert echoed.values == {"text": BIG, "number": 9007199254740993}
    assert refused.failure.kind == "RequestRefused"
    assert refused.failure.code == "RESOURCE_EXHAUSTED"


async def test_silent_connection(road: Road) -> None:
    """A connection that falls silent without being closed is noticed, and the run goes on over another."""
    order = asked(seed=2, tokens=400, pace=0.01)
    opened = itertools.count()
    again = asyncio.Event()

    def note_opening() -> None:
        if next(opened):
            again.set()

    road.proxy.budget = note_opening
    playing = asyncio.ensure_future(road.play("read_each", order))
    await road.reached(order["run_id"], 50)
    road.proxy.stall()

    async with asyncio.timeout(40):
        await again.wait()

    road.proxy.flow()
    (reading,) = await playing
    whole = await road.whole(order["run_id"], order["inputs"])

    assert reading.error is None
    assert reading.breaches(whole) == []
