"""A model that is scripted: it gives its answers in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from headrace.errors import UsageError

from headrace_mock.entries import Entry, Failure, read_entry
from headrace_mock.prose import Answer
from headrace_mock.reply import Reply

AtEnd: TypeAlias = Literal["repeat", "error"]


class Script:
    """A model that gives its answers in order, each once.

    An answer is a text, or what Entry holds, as a mapping. A request gets the first answer not yet
    given whose `when` is in its prompt. Once there is none, the last of them comes again, or with
    `at_end="error"` an error. Raises UsageError, which names the answer and the rule, for a wrong one.
    """

    def __init__(
        self, answers: Iterable[str | Mapping[str, Any] | Entry], at_end: AtEnd = "repeat"
    ) -> None:
        self.entries: Sequence[Entry] = [
            one if isinstance(one, Entry) else read_entry(one, f"answer {number}")
            for number, one in enumerate(answers, 1)
        ]
        self._at_end = at_end
        self._given: set[int] = set()

        if not self.entries:
            raise UsageError("a script has at least one answer")

    async def play(self, reply: Reply) -> None:
        """Gives the next answer."""
        at = self._take(reply.request.prompt)

        if at is None:
            await reply.error(400, self._lack(reply.request.prompt), code="script_ended")
            return

        entry = self.entries[at]
        reply.pace = reply.pace if entry.pace is None else entry.pace
        await asyncio.sleep(entry.delay)

        try:
            await _give(entry.error, entry.answer(reply.request.body), reply)
        except UsageError as error:
            await reply.error(400, f"answer {at + 1}: {error.message}.", code="script_wrong")

    def _take(self, prompt: str) -> int | None:
        fitting = [at for at, entry in enumerate(self.entries) if entry.when in prompt]
        fresh = [at for at in fitting if at not in self._given]

        if fresh:
            self._given.add(fresh[0])
            return fresh[0]

        return fitting[-1] if fitting and self._at_end == "repeat" else None

    def _lack(self, prompt: str) -> str:
        if any(entry.when in prompt for entry in self.entries):
            return f"The script has no more answers for this: {len(self._given)} were given."

        return "The script has no answer whose `when` is in this prompt."


async def _give(failure: Failure | None, answer: Answer, reply: Reply) -> None:
    if failure is None:
        await reply.answer(*answer)
    elif failure.after is None or not reply.streaming:
        seconds = {} if failure.retry_after is None else {"retry_after": f"{failure.retry_after:g}"}
        await reply.error(failure.status, failure.message, code=failure.code, **seconds)
    else:
        await reply.open()
        await reply.chunks(list(answer.chunks)[: failure.after])
        await reply.event({"error": reply.fault(failure.message, failure.code or failure.status)})
        await reply.close_body()
