"""Programs from the command line: `module:attribute`, or `name=module:attribute`."""

from __future__ import annotations

import copy
import importlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from headrace.errors import LMError, UsageError
from headrace.hosting import Program
from headrace.module import Module

logger = logging.getLogger("headrace.server")

Tell: TypeAlias = Callable[[str], object]
"""Is told of each step before it begins."""


def _to_nobody(step: str) -> None:
    pass


def load_programs(specs: Iterable[str], tell: Tell = _to_nobody) -> list[Program]:
    """Imports programs, with the current directory on the path. Raises UsageError in one line."""
    here = str(Path.cwd())

    if here not in sys.path:
        sys.path.insert(0, here)

    programs = list(_load_all(specs, tell))
    names = [program.name for program in programs]
    twice = sorted({name for name in names if names.count(name) > 1})

    if twice:
        raise UsageError(f"two programs are named {twice[0]!r}; name one: NAME=module:attribute")

    return programs


async def check_lms(programs: Iterable[Program], tell: Tell = _to_nobody) -> None:
    """Raises UsageError, in one line, for an LM that cannot be asked, such as one without a key.

    A predictor without an LM is only logged: its program may bring one in when it runs.
    """
    for program in programs:
        for predictor, lm in program.lms.items():
            if lm is None:
                logger.warning("%s: %s has no LM, and --lm is not given", program.name, predictor)
                continue

            tell(f"checking {lm.model} of {program.name}, predictor {predictor}")

            try:
                await lm.check()
            except LMError as error:
                raise UsageError(f"program {program.name}: {error.message}") from error


def say_undeclared(programs: Iterable[Program]) -> None:
    """Logs which programs give outputs that nobody can know before they run."""
    for program in programs:
        if not program.outputs:
            logger.info(
                "program %s does not declare its outputs, so clients see no schema of them; "
                "add some: Program(..., outputs='answer, score: int')",
                program.name,
            )


def _load_all(specs: Iterable[str], tell: Tell) -> Iterator[Program]:
    for spec in specs:
        tell(f"loading program {spec}")
        name, _, path = spec.rpartition("=")
        yield _hosted(_attribute(path), name, path)


def _attribute(path: str) -> object:
    module_name, colon, attribute = path.partition(":")

    if not (module_name and colon and attribute):
        raise UsageError(f"program {path!r}: expected module:attribute, such as app:composer")

    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise UsageError(f"program {path!r}: no module {error.name!r}") from error
    except Exception as error:
        raise UsageError(
            f"program {path!r}: importing {module_name} raised {type(error).__name__}: {error}"
        ) from error

    found: object = module

    for step in attribute.split("."):
        found = getattr(found, step, None)

    if found is None:
        raise UsageError(f"program {path!r}: {module_name} has no attribute {attribute!r}")

    return found


def _hosted(found: object, name: str, path: str) -> Program:
    if isinstance(found, Program):
        found = copy.copy(found)  # it may be served under several names
        found.name = name or found.name

        return found

    if isinstance(found, Module):
        return Program(found, name=name or path.rpartition(":")[2].rpartition(".")[2])

    raise UsageError(f"program {path!r} is a {type(found).__name__}, not a Program or a Module")
