"""Scripts: models that give their answers in order, and the files that these are read from.

Files are JSON, JSON Lines or TOML by their endings; all else is texts with lines of `---` between.
"""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from headrace.errors import UsageError
from headrace.lm.loose_json import mapping

from headrace_mock.canned import Answer
from headrace_mock.entries import Entry, Failure, read_entry
from headrace_mock.reply import Reply

AtEnd: TypeAlias = Literal["repeat", "error"]

BETWEEN = re.compile(r"^---[ \t]*$\n?", re.MULTILINE)


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


class _Written(NamedTuple):
    """A file's answers, each with its place."""

    answers: list[tuple[str, Any]]
    at_end: object = "repeat"


def read_script(path: Path) -> Script:
    """The script in a file. Raises UsageError, in one line, that names the file, the place and the rule."""
    read = _READERS.get(path.suffix.lower(), _texts)

    try:
        return _script(read(path.read_text(encoding="utf-8-sig")))
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8, at byte {error.start}; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:  # of a text that is no JSON, or no TOML
        raise UsageError(f"{path}: {error}") from None


def _script(written: _Written) -> Script:
    if written.at_end not in ("repeat", "error"):
        raise UsageError('at_end: expected "repeat" or "error"')

    entries = [read_entry(value, place) for place, value in written.answers]

    return Script(entries, written.at_end)


def _texts(text: str) -> _Written:
    blocks = [block.strip("\r\n") for block in BETWEEN.split(text)]

    return _numbered(blocks if blocks[-1].strip() else blocks[:-1])


def _lines(text: str) -> _Written:
    return _Written(list(_parsed_lines(text)))


def _parsed_lines(text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except ValueError as error:
                raise UsageError(f"line {number}: not JSON: {error}") from None


def _document(found: object) -> _Written:
    """A list of answers, or an object that has one."""
    whole = mapping({"answers": found} if isinstance(found, list) else found)
    unknown = sorted(whole.keys() - {"answers", "at_end"})

    if unknown:
        raise UsageError(f"{unknown[0]}: unknown key; there are answers and at_end")

    if not isinstance(whole.get("answers"), list):
        raise UsageError("answers: expected a list of answers")

    return _numbered(whole["answers"])._replace(at_end=whole.get("at_end", "repeat"))


def _numbered(answers: Iterable[Any]) -> _Written:
    return _Written([(f"answer {number}", one) for number, one in enumerate(answers, 1)])


_READERS: Mapping[str, Callable[[str], _Written]] = {
    ".json": lambda text: _document(json.loads(text)),
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".toml": lambda text: _document(tomllib.loads(text)),
}
