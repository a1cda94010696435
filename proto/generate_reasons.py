"""Writes the tables of error reasons from headrace/v1/reasons.toml: one template for each file below.

A file is either generated as a whole, or has a part that is: a page between two marks, the contract in the
comment of `Failure.reason`. `make reasons` writes them, `make check-reasons` compares.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

SOURCE = "proto/headrace/v1/reasons.toml"
PHASES = {
    "before": "nothing was started",
    "stream": "the stream was cut, the run goes on",
    "over": "the run is over",
    "defect": "a defect of the server",
}
"""Of the reasons that a server sends, as the pages and the contract call them."""

RETRIES = {"no": "no", "same": "the same", "resume": "resume", "anew": "a new run"}
HEADER = f"Generated from {SOURCE} by `make reasons`: edit that."


@dataclass(frozen=True)
class Reason:
    """A block of reasons.toml, which says what each field is."""

    name: str
    phase: str
    retry: str
    means: str
    code: str = ""
    http: int = 0
    errors: Sequence[str] = ()
    client: str = ""

    def __post_init__(self) -> None:
        if self.phase not in (known := (*PHASES, "gateway", "client")):
            raise ValueError(f"{self.name}: its phase is one of {', '.join(known)}")

        if self.phase in PHASES and not (self.code and self.http and self.client):
            raise ValueError(f"{self.name}: it lacks code, http or client")


Reasons = Sequence[Reason]


def read_reasons(text: str) -> Reasons:
    """The reasons, in the order of the file; raises TypeError for a block that lacks a field, or has another."""
    return [Reason(name, **block) for name, block in tomllib.loads(text).items()]


def sent(reasons: Reasons) -> Reasons:
    """Those that a server sends."""
    return [reason for reason in reasons if reason.phase in PHASES]


def by_http_status(reasons: Reasons) -> Reasons:
    """Those that the gateway answers with, the lowest status first."""
    return sorted((one for one in reasons if one.http), key=lambda one: one.http)


# The server and the gateway

PYTHON = """\
\"\"\"$docstring $header\"\"\"

from __future__ import annotations

$imports

$name: $type = {
$rows
}
"""


def runtime_table(reasons: Reasons) -> str:
    """Class of the runtime or the server -> its reason."""
    return filled(
        PYTHON,
        docstring="The reason of each class of error.",
        imports="from collections.abc import Mapping",
        name="REASONS",
        type="Mapping[str, str]",
        rows=[f'    "{name}": "{reason.name}",' for reason in reasons for name in reason.errors],
    )


def server_table(reasons: Reasons) -> str:
    """Reason -> gRPC code."""
    return filled(
        PYTHON,
        docstring="The gRPC code of each reason.",
        imports="from collections.abc import Mapping\n\nfrom grpc import StatusCode",
        name="CODES",
        type="Mapping[str, StatusCode]",
        rows=[f'    "{reason.name}": StatusCode.{reason.code},' for reason in sent(reasons)],
    )


def gateway_table(reasons: Reasons) -> str:
    """Reason -> HTTP status."""
    return filled(
        PYTHON,
        docstring="The HTTP status of each reason.",
        imports="from collections.abc import Mapping",
        name="HTTP_STATUS",
        type="Mapping[str, int]",
        rows=[f'    "{reason.name}": {reason.http},' for reason in by_http_status(reasons)],
    )


# The clients


def python_client_table(reasons: Reasons) -> str:
    """Reason -> class of the Python client."""
    classes = sorted({"HeadraceError", *(reason.client for reason in sent(reasons))})
    imported = "".join(f"    {name},\n" for name in classes)

    return filled(
        PYTHON,
        docstring="The class of each reason.",
        imports=f"from collections.abc import Mapping\n\nfrom headrace_client._errors import (\n{imported})",
        name="BY_REASON",
        type="Mapping[str, type[HeadraceError]]",
        rows=[f'    "{reason.name}": {reason.client},' for reason in sent(reasons)],
    )


GO = """\
// Code generated from $source by `make reasons`. DO NOT EDIT.

package headrace

// kinds says what the error of each reason means for the caller.
var kinds = map[string]error{
$rows
}
"""


def go_table(reasons: Reasons) -> str:
    """Reason -> kind of error of the Go client, aligned as gofmt does."""
    kinds = {"before": "Refused", "stream": "Unreachable", "over": "RunFailed", "defect": "Fault"}
    width = max(len(reason.name) for reason in sent(reasons)) + len('"":')
    keys = [(f'"{reason.name}":', kinds[reason.phase]) for reason in sent(reasons)]

    return filled(GO, rows=[f"\t{key:<{width}} Err{kind}," for key, kind in keys])


CLASSES = {
    "before": "RequestRefused",
    "stream": "ServerUnreachable",
    "over": "RunFailed",
    "defect": "ServerFault",
}
"""The classes of the Node and Java clients, by phase."""

NODE = """\
// $header

import { HeadraceError, RequestRefused, RunFailed, ServerFault, ServerUnreachable } from "./errors.js";

/** The class of each reason. */
export const BY_REASON: ReadonlyMap<string, typeof HeadraceError> = new Map<string, typeof HeadraceError>([
$rows
]);
"""


def node_table(reasons: Reasons) -> str:
    """Reason -> class of the Node client."""
    return filled(
        NODE, rows=[f'  ["{reason.name}", {CLASSES[reason.phase]}],' for reason in sent(reasons)]
    )


JAVA = """\
// $header

package dev.headrace.client;

import java.util.Map;
import java.util.function.BiFunction;

/** The exception of each reason. */
final class Reasons {
  static final Map<String, BiFunction<String, CallStatus, HeadraceException>> EXCEPTIONS =
      Map.ofEntries(
$rows);

  private Reasons() {}
}
"""


def java_table(reasons: Reasons) -> str:
    """Reason -> exception of the Java client."""
    entries = [
        f'          Map.entry("{reason.name}", {CLASSES[reason.phase]}Exception::new)'
        for reason in sent(reasons)
    ]

    return filled(JAVA, rows=[",\n".join(entries)])


# The contract and the pages


def contract_comment(reasons: Reasons, contract: str) -> str:
    """The contract with its comment of `Failure.reason`: codes and their reasons, phase by phase."""
    paragraphs = ["Stable name of the cause, UPPER_SNAKE. New ones may be added."]

    for phase, meaning in PHASES.items():
        codes: dict[str, list[str]] = {}

        for reason in reasons:
            if reason.phase == phase:
                codes.setdefault(reason.code, []).append(reason.name)

        told = "; ".join(f"{', '.join(names)} ({code})" for code, names in codes.items())
        paragraphs.append(f"{meaning.capitalize()}: {told}.")

    wrapped = [textwrap.fill(one, 100, break_on_hyphens=False) for one in paragraphs]
    comment = textwrap.indent("\n\n".join(wrapped), "  // ", lambda line: True).replace(
        "// \n", "//\n"
    )

    mark = "  // Generated from reasons.toml by `make reasons`.\n\n"
    part = rf"{re.escape(mark)}(  //.*\n)+(?=  string reason = 2;\n)"

    return replaced(part, f"{mark}{comment}\n", contract)


def contract_page(reasons: Reasons, page: str) -> str:
    """docs/contract.md with its table: a row for each reason that a server sends."""
    rows: list[tuple[str, ...]] = []
    last = ""

    for reason in sent(reasons):
        phase = "" if reason.phase == last else PHASES[reason.phase]
        last = reason.phase
        rows.append((phase, reason.name, reason.code, RETRIES[reason.retry], reason.means))

    return between_marks(
        table("when", "reason", "code", "try again", "what it means", rows=rows), page
    )


def gateway_page(reasons: Reasons, page: str) -> str:
    """docs/gateway.md with its table: a row for each HTTP status."""
    statuses: dict[int, list[str]] = {}

    for reason in by_http_status(reasons):
        statuses.setdefault(reason.http, []).append(reason.name)

    rows = [(str(status), ", ".join(names)) for status, names in statuses.items()]

    return between_marks(table("status", "reasons", rows=rows), page)


def lm_page(reasons: Reasons, page: str) -> str:
    """docs/lm.md with its table: a row for each reason of a failed LM call."""
    rows = [
        (
            ", ".join(f"`{name}`" for name in reason.errors if name != "LMError"),
            reason.name,
            reason.means,
        )
        for reason in reasons
        if reason.client == "LMError"
    ]

    return between_marks(table("class", "reason", "when", rows=rows), page)


# Text


def filled(template: str, *, rows: Sequence[str], **parts: str) -> str:
    """The template with its parts, and a line for each row."""
    return Template(template).substitute(parts, rows="\n".join(rows), header=HEADER, source=SOURCE)


def table(*columns: str, rows: Iterable[Sequence[str]]) -> str:
    """A table of a page."""
    lines = [columns, ["---"] * len(columns), *rows]

    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def between_marks(text: str, page: str) -> str:
    """The page with the text between its marks."""
    start, end = f"<!-- {HEADER} -->\n", "<!-- end of what is generated -->\n"

    return replaced(rf"(?s){re.escape(start)}.*?{re.escape(end)}", start + text + end, page)


def replaced(pattern: str, text: str, page: str) -> str:
    """The page with its one part of this pattern replaced."""
    changed, count = re.subn(pattern, lambda found: text, page)

    if count != 1:
        raise ValueError(f"there are {count} parts like {pattern}")

    return changed


# Files

WHOLE: Mapping[str, Callable[[Reasons], str]] = {
    "service/headrace/reasons.py": runtime_table,
    "service/headrace/server/reasons.py": server_table,
    "service/headrace_gateway/reasons.py": gateway_table,
    "client/headrace_client/_reasons.py": python_client_table,
    "client/go/headrace/reasons.go": go_table,
    "client/node/src/reasons.ts": node_table,
    "client/java/src/main/java/dev/headrace/client/Reasons.java": java_table,
}
PARTS: Mapping[str, Callable[[Reasons, str], str]] = {
    "proto/headrace/v1/headrace.proto": contract_comment,
    "docs/contract.md": contract_page,
    "docs/gateway.md": gateway_page,
    "docs/lm.md": lm_page,
}


def generated(root: Path) -> dict[str, str]:
    """The text that each file is to hold, by its path below `root`."""
    reasons = read_reasons((root / SOURCE).read_text("utf-8"))
    whole = {path: write(reasons) for path, write in WHOLE.items()}

    return whole | {
        path: write(reasons, (root / path).read_text("utf-8")) for path, write in PARTS.items()
    }


def main() -> int:
    """Writes the files, or with --check says which are stale."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--root", type=Path, default=Path(__file__).parents[1])
    options.add_argument(
        "--check", action="store_true", help="write nothing, fail on what is stale"
    )
    given = options.parse_args()
    stale = False

    for path, text in generated(given.root).items():
        file = given.root / path
        before = file.read_text("utf-8") if file.exists() else ""

        if before != text and given.check:
            lines = before.splitlines(keepends=True), text.splitlines(keepends=True)
            sys.stdout.writelines(difflib.unified_diff(*lines, path, f"{path} (generated)"))
            stale = True
        elif before != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")

    if stale:
        sys.stdout.write("tables of reasons are stale: run make proto and commit\n")
    elif given.check:
        sys.stdout.write("tables of reasons are fresh\n")

    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
