"""Catalog: the hosted programs, as each caller may see them. Others do not exist for it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from headrace.errors import FieldViolation, ProgramNotFound, RequestInvalid
from headrace.hosting import HostedProgram, ProgramInfo
from headrace.server.config.model import Principal


class Catalog:
    """Programs by name."""

    def __init__(self, programs: Iterable[HostedProgram]) -> None:
        self._programs = {program.name: program for program in programs}
        self._infos: dict[str, ProgramInfo] = {}

    def find(self, principal: Principal, name: str, field: str = "program") -> HostedProgram:
        """A program; `field` is what the request calls its name. Raises ProgramNotFound."""
        if not name:
            raise RequestInvalid([FieldViolation(field, "is required")])

        programs = self._open_to(principal)

        if name not in programs:
            near = difflib.get_close_matches(name[:100], programs, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ProgramNotFound(
                f"no program {name[:100]!r}; {hint}there are {', '.join(sorted(programs)) or 'none'}"
            )

        return programs[name]

    def page(self, principal: Principal, size: int, token: str) -> tuple[list[HostedProgram], str]:
        """Programs by name, and the token of the next page: the last name of this one."""
        programs = self._open_to(principal)
        names = sorted(name for name in programs if name > token)
        page = names[:size]

        return [programs[name] for name in page], page[-1] if len(page) < len(names) else ""

    def describe(self, program: HostedProgram) -> ProgramInfo:
        """A program as data. Asked of it once, when first needed: schemas take time."""
        info = self._infos.get(program.name)

        if info is None:
            info = self._infos[program.name] = program.describe()

        return info

    def _open_to(self, principal: Principal) -> Mapping[str, HostedProgram]:
        return {name: one for name, one in self._programs.items() if principal.may_run(name)}
