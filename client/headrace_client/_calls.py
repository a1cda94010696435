"""The calls with one answer: about runs, programs and the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from headrace_proto.v1 import headrace_pb2 as pb

from headrace_client import _requests as requests
from headrace_client._connection import Connection


class Calls:
    """Calls over one connection, each bounded by the connection's `call_timeout`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Runs

    async def get_run(
        self,
        run_id: str,
        /,
        *,
        view: requests.RunView = "basic",
        output_form: requests.OutputForm = "json",
    ) -> pb.Run:
        """A run's record: its state and open questions, and its prediction or failure once it has ended.

        `view="full"` adds its inputs, where the server allows it.
        """
        request = requests.get_run(run_id, view=view, output_form=output_form)

        asking = self._connection.ask(self._connection.stub.GetRun, request, run_id=run_id)

        return (await asking).run

    async def runs(
        self,
        *,
        program: str = "",
        states: Sequence[requests.RunState] = (),
        labels: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 100,
    ) -> list[pb.Run]:
        """The runs you may still read, newest first, at most `limit`.

        Each filter that is given applies: `program` is the one that runs, `states` such as
        `["waiting"]`, `labels` must all be there. Times need a time zone. The records come without
        predictions, failures and open questions, which `get_run` has.
        """
        if limit < 1:
            raise ValueError(f"limit: {limit} runs are none; give 1 or more")

        request = requests.list_runs(
            program=program,
            states=states,
            labels_=labels,
            created_after=created_after,
            created_before=created_before,
        )
        found: list[pb.Run] = []

        while len(found) < limit:
            request.page_size = min(limit - len(found), requests.LARGEST_PAGE)
            page = await self._connection.ask(self._connection.stub.ListRuns, request)
            found.extend(page.runs)
            request.page_token = page.next_page_token

            if not page.next_page_token:
                break

        return found

    async def cancel(self, run_id: str, /, *, reason: str = "") -> pb.CancelRunResponse:
        """Stops a run and gives its record as `run`; one that had ended comes back unchanged.

        Where no run has this id, `run` is unset: until `refused_until` a run of this id is refused.
        """
        request = pb.CancelRunRequest(run_id=run_id, reason=reason)

        return await self._connection.ask(self._connection.stub.CancelRun, request)

    async def delete(self, run_id: str, /) -> None:
        """Ends a run if need be, and has the server forget all of it."""
        request = pb.DeleteRunRequest(run_id=run_id)
        await self._connection.ask(self._connection.stub.DeleteRun, request)

    async def answer(
        self, run_id: str, input_id: str, /, value: object, *, reason: str = ""
    ) -> pb.InputResolved:
        """Answers an open question of a run, whoever started it; gives how the question ended.

        `value` is anything with a JSON form; to an approval, the arguments to call the tool with, or
        True for those proposed. The same answer again changes nothing. Raises RequestInvalid where the
        value does not fit the question, which stays open; InputAlreadyResolved where it is over;
        InputNotFound where it was never asked.
        """
        return await self._send(requests.answer(run_id, input_id, value, reason))

    async def decline(self, run_id: str, input_id: str, /, *, reason: str = "") -> pb.InputResolved:
        """Says that there will be no answer, or that the tool must not be called; else as `answer`."""
        return await self._send(
            pb.SendInputRequest(run_id=run_id, input_id=input_id, decline=True, reason=reason)
        )

    # Programs and the server

    async def programs(self) -> list[pb.Program]:
        """The programs hosted, by name."""
        ask, stub = self._connection.ask, self._connection.stub
        programs: list[pb.Program] = []
        page_token = ""

        while True:
            page = await ask(stub.ListPrograms, pb.ListProgramsRequest(page_token=page_token))
            programs.extend(page.programs)
            page_token = page.next_page_token

            if not page_token:
                return programs

    async def describe(self, program: str, /) -> pb.Program:
        """One program: its fields, schemas, predictors, tools and inputs to try."""
        ask, stub = self._connection.ask, self._connection.stub

        return (await ask(stub.GetProgram, pb.GetProgramRequest(name=program))).program

    async def server_info(self) -> pb.GetServerInfoResponse:
        """The server's version, features and limits."""
        ask, stub = self._connection.ask, self._connection.stub

        return await ask(stub.GetServerInfo, pb.GetServerInfoRequest())

    async def _send(self, request: pb.SendInputRequest) -> pb.InputResolved:
        return (await self._connection.ask(self._connection.stub.SendInput, request)).resolved
