"""Core: the service without a protocol. Callers start, follow, find, stop and delete runs of its programs.

It knows no protobuf and no gRPC: a protocol decodes a caller's words into a `Start` and `ReaderOptions`,
and encodes the deliveries of a `Reader`. `server/v1` is one such; others stand beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from headrace.errors import (
    CursorAhead,
    FieldViolation,
    InputInvalid,
    PermissionDenied,
    RequestInvalid,
    RunNotFound,
)
from headrace.events import InputResolved
from headrace.hosting import HostedProgram, ProgramInfo
from headrace.hosting.port import StartRequest, check_revision, check_run_id
from headrace.questions import Reply, not_asked
from headrace.runs.inputs import question_in
from headrace.runs.registry import Registry
from headrace.runs.run import Run
from headrace.runs.stores.listing import ALL, RunFilter
from headrace.server.catalog import Catalog
from headrace.server.config.model import Principal
from headrace.server.reader import MAX_STREAM_AGE, Reader
from headrace.server.selection import ReaderOptions, check_selectors

logger = logging.getLogger("headrace.server")

MAX_REASON = 200
"""Characters that are kept of why a caller cancels a run, answers or declines."""

NO_DATA = (
    "{field}: this server does not show {what} to you; serve --dev shows it on loopback, "
    "include_data = true to a principal"
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone who was let in."""

    principal: Principal
    peer: str = ""
    """Address, for logs."""
    context: Mapping[str, str] = field(default_factory=dict[str, str])
    """Trace context that the caller sent along, for the observers of its runs."""


@dataclass(frozen=True, slots=True)
class Start:
    """A start in a caller's words: the program by its name, the inputs as they came."""

    program: str
    inputs: Mapping[str, object]
    revision: str = ""
    """The only one that will do; empty = any."""
    interface_revision: str = ""
    """The only one that will do; empty = any."""
    run_id: str = ""
    """Empty = the registry picks one."""
    timeout: float | None = None
    """Seconds the run may take; None = the limit."""
    linger: float | None = None
    """Seconds the run outlives its last reader; None = the default."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    resumes: bool = False
    """Only join: never start a run."""
    input_hint: str = ""
    """Told beside what is wrong with the inputs, where the protocol knows a likely reason."""


class Core:
    """Serves programs from a registry. A protocol asks it, on behalf of callers it has identified."""

    def __init__(
        self,
        programs: Iterable[HostedProgram],
        registry: Registry,
        *,
        max_stream_age: float = MAX_STREAM_AGE,
    ) -> None:
        self.catalog = Catalog(programs)
        self.limits = registry.limits
        self._registry = registry
        self._max_stream_age = max_stream_age

    def authorise(
        self, caller: Caller, program: str, options: ReaderOptions | None = None
    ) -> HostedProgram:
        """A program that the caller may run, and read as the options say.

        Raises PermissionDenied, ProgramNotFound, and RequestInvalid for selectors of unknown fields.
        """
        if options and options.include_data and not caller.principal.include_data:
            raise PermissionDenied(NO_DATA.format(field="options.include_data", what="call data"))

        found = self.catalog.find(caller.principal, program)

        if options and options.fields:
            check_selectors(options, _streamable(self.catalog.describe(found)))

        return found

    async def start(self, caller: Caller, program: HostedProgram, start: Start) -> Run:
        """The run of a start: the caller's run that has its id, a new one, or a refusal.

        Raises InputInvalid, and what Registry.start raises.
        """
        return await self._registry.start(
            StartRequest(
                program,
                _checked(program, start),
                principal=caller.principal.name,
                peer=caller.peer,
                run_id=start.run_id,
                timeout=start.timeout,
                linger=start.linger,
                labels=start.labels,
                resumes=start.resumes,
                revision=start.revision,
                interface_revision=start.interface_revision,
                caller_context=caller.context,
            )
        )

    def follow(self, run: Run, options: ReaderOptions) -> Reader:
        """A reader of the run, for a `with` block. Raises CursorAhead."""
        last = run.log.last_sequence

        if options.after > last:
            raise CursorAhead(
                f"after_sequence is {options.after}, and the run's last event is {last}"
            )

        return Reader(
            run,
            options,
            max_token_bytes=self.limits.max_token_bytes,
            max_age=self._max_stream_age,
        )

    @contextmanager
    def kept(self, run: Run) -> Generator[None, None, None]:
        """Keeps the run, as a reader does, inside a `with` block."""
        cursor = run.join()

        try:
            yield
        finally:
            run.leave(cursor)

    async def find(self, caller: Caller, run_id: str, *, with_inputs: bool = False) -> Run:
        """The caller's run. Raises RunNotFound, and PermissionDenied for inputs that it may not see."""
        _require(run_id)

        if with_inputs and not caller.principal.include_data:
            raise PermissionDenied(NO_DATA.format(field="view", what="the inputs of runs"))

        return await self._registry.find(caller.principal.name, run_id)

    async def cancel(self, caller: Caller, run_id: str, reason: str = "") -> Run:
        """The caller's run, stopped; or the refusal of the one that has not come yet."""
        _require(run_id)
        check_run_id(run_id)

        return await self._registry.cancel(caller.principal.name, run_id, reason[:MAX_REASON])

    async def delete(self, caller: Caller, run_id: str) -> None:
        """Ends the caller's run if need be, and forgets all of it. Raises RunNotFound."""
        _require(run_id)
        await self._registry.delete(caller.principal.name, run_id)

    async def reply(
        self, caller: Caller, run_id: str, input_id: str, reply: Reply
    ) -> InputResolved:
        """A caller's reply to a question of a run; gives how that ended.

        Raises RunNotFound, InputNotFound, InputInvalid and InputAlreadyResolved.
        """
        _require(run_id)
        _require(input_id, "input_id")
        runs = await self._answerable(caller, run_id)
        run = next((run for run in runs if question_in(run.log, input_id) is not None), None)

        if run is None:
            raise not_asked(input_id)

        resolved, counts = await run.reply(
            input_id, replace(reply, reason=reply.reason[:MAX_REASON])
        )

        if counts:
            _log_reply(caller, run, resolved)

        return resolved

    async def _answerable(self, caller: Caller, run_id: str) -> Sequence[Run]:
        """The runs of that name that the caller may answer: its own, and others' if its settings say so."""
        principal = caller.principal

        if not principal.may_answer:
            return [await self.find(caller, run_id)]

        runs = [
            run
            for run in await self._registry.named(run_id)
            if run.key.principal == principal.name or principal.may_run(run.program)
        ]

        if not runs:
            raise RunNotFound(f"no run {run_id[:64]!r}: never started, expired, or not for you")

        return runs

    async def page(
        self, caller: Caller, wanted: RunFilter = ALL, *, size: int, token: str = ""
    ) -> tuple[Sequence[Run], str]:
        """Runs of the caller, newest first, and the token of the next page; see Registry.page."""
        return await self._registry.page(caller.principal.name, wanted, size=size, token=token)


def _checked(program: HostedProgram, start: Start) -> Mapping[str, object]:
    try:
        return program.check(start.inputs)
    except InputInvalid as error:
        check_revision(program, start)  # another may take other inputs, which says more

        if not start.input_hint:
            raise

        hint = FieldViolation("inputs", start.input_hint)
        raise InputInvalid([*error.violations, hint]) from None


def _streamable(program: ProgramInfo) -> Mapping[str, Iterable[str]]:
    return {one.address: [field.name for field in one.outputs] for one in program.predictors}


def _log_reply(caller: Caller, run: Run, resolved: InputResolved) -> None:
    """Logs who answered what, and not what they said."""
    facts = {
        "run_id": run.run_id,
        "program": run.program,
        "starter": run.key.principal,
        "principal": caller.principal.name,
        "peer": caller.peer,
        "input_id": resolved.input_id,
        "outcome": resolved.outcome.name,
    }
    logger.info("question %s", resolved.outcome.name.lower(), extra={"facts": facts})


def _require(value: str, field: str = "run_id") -> None:
    if not value:
        raise RequestInvalid([FieldViolation(field, "is required")])
