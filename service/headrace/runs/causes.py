"""Causes of a failure, for those who run the server: names and places always, texts as content.

Texts of exceptions, of models and of providers may hold prompts, completions or keys. Who asks for
them here answers for who will see them.
"""

from __future__ import annotations

import os
import sysconfig
import textwrap
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from headrace.errors import AdapterParseError, HeadraceError, LMError, ProgramError, ToolError

MAX_CAUSES = 8
MAX_FRAMES = 64
MAX_TEXT = 4_000
"""Characters shown of one text."""

OURS = f"{Path(__file__).parents[1]}{os.sep}"
LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it, newest first."""
    for _ in range(MAX_CAUSES):
        if error is None:
            return

        yield error
        error = _cause(error)


def text_of(error: BaseException) -> str:
    """An exception's own words, notes included."""
    try:
        return cut("\n".join([str(error), *map(str, getattr(error, "__notes__", ()))]))
    except Exception:  # noqa: BLE001 - a program's own exception may fail at this too
        return "(its text cannot be had)"


def cut(text: str) -> str:
    """The text, or as much of it as is shown."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def names_of(failure: BaseException) -> Mapping[str, object]:
    """Facts of a failure's cause that any operator may see; unknown ones are left out."""
    names: dict[str, object] = {}

    for error in chain(failure):
        if isinstance(error, LMError):
            names = {
                "http_status": error.status_code,
                "provider_type": error.provider_type,
                "provider_code": error.provider_code,
            }
            break

    return {name: value for name, value in {**names, "place": place_of(failure)}.items() if value}


def words_of(failure: BaseException) -> Mapping[str, str]:
    """Texts of the model and the provider that led to a failure: content."""
    words: dict[str, str] = {}

    for error in chain(failure):
        match error:
            case AdapterParseError() if error.lm_response:
                words.setdefault("lm_response", cut(error.lm_response))
            case LMError() if error.detail:
                words.setdefault("provider_said", cut(error.detail))
            case _:
                pass

    return words


def origin_of(failure: BaseException) -> BaseException | None:
    """The exception of others that a failure of ours comes from, if it does."""
    return next((error for error in chain(failure) if not isinstance(error, HeadraceError)), None)


def place_of(failure: BaseException) -> str:
    """The place in the program, such as "app.py:12 in aforward"; empty if unknown."""
    frame = _place(failure)

    return f"{_short(frame.filename)}:{frame.lineno} in {frame.name}" if frame else ""


def trace_of(error: BaseException) -> list[str]:
    """The places an exception came through, without the way through headrace to the program."""
    frames = _frames(error)
    first = next((at for at, frame in enumerate(frames) if not _is_ours(frame)), 0)

    return [line for frame in frames[first:] for line in _shown(frame)]


def told(failure: HeadraceError) -> str:
    """The cause of a failure in full, in lines, for a developer."""
    names, words = names_of(failure), words_of(failure)
    parts: list[str] = []

    if (origin := origin_of(failure)) is not None:
        parts.append(f"{type(origin).__qualname__}: {text_of(origin)}")

    if "lm_response" in words:
        parts.append(f"the model wrote:\n{_indented(words['lm_response'])}")

    if kind := ", ".join(str(names[n]) for n in ("provider_type", "provider_code") if n in names):
        parts.append(f"the provider calls it {kind}")

    if "provider_said" in words:
        parts.append(f"the provider said:\n{_indented(words['provider_said'])}")

    if frame := _place(failure):
        parts.append(f"at {place_of(failure)}:\n  {frame.line or ''}".rstrip(": \n"))

    return "\n".join(parts)


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions[0]

    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _place(failure: BaseException) -> traceback.FrameSummary | None:
    """The innermost line that is neither ours nor a library's.

    Where the program raised, and is itself installed as libraries are, the innermost that is not ours.
    """
    frames = [frame for error in chain(failure) for frame in reversed(_frames(error))]
    theirs = [frame for frame in frames if not _is_ours(frame)]
    own = (frame for frame in theirs if not frame.filename.startswith(LIBRARIES))

    raised = isinstance(failure, ProgramError | ToolError)

    return next(own, theirs[0] if raised and theirs else None)


def _frames(error: BaseException) -> Sequence[traceback.FrameSummary]:
    steps = traceback.walk_tb(error.__traceback__)

    return traceback.StackSummary.extract(steps, limit=-MAX_FRAMES, lookup_lines=False)


def _shown(frame: traceback.FrameSummary) -> Iterator[str]:
    """As `traceback` does, but for the carets: to place them it parses the line, which may fail."""
    yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'

    if frame.line:
        yield f"    {frame.line}"


def _is_ours(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith((OURS, "<"))


def _short(filename: str) -> str:
    """The file as seen from where the server was started."""
    path, here = Path(filename), Path.cwd()

    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _indented(text: str) -> str:
    return textwrap.indent(text, "  ")
