"""The reasons of errors stand in proto/headrace/v1/reasons.toml, and every table of them comes from there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from headrace import errors as runtime
from headrace.server import errors as server

ROOT = Path(__file__).parents[1]
GENERATOR = ROOT / "proto" / "generate_reasons.py"
SOURCE = "proto/headrace/v1/reasons.toml"
PARTS = ("proto/headrace/v1/headrace.proto", "docs/contract.md", "docs/gateway.md", "docs/lm.md")

Reasons: TypeAlias = dict[str, dict[str, Any]]
Pairs: TypeAlias = Sequence[tuple[str, ...]]

ONE_MORE = """
[TEA_WANTED]
phase = "over"
code = "DATA_LOSS"
http = 418
retry = "anew"
errors = ["LMTeaError"]
client = "LMError"
means = "The model is out of tea."
"""

KINDS = {
    "before": ("ErrRefused", "RequestRefused"),
    "stream": ("ErrUnreachable", "ServerUnreachable"),
    "over": ("ErrRunFailed", "RunFailed"),
    "defect": ("ErrFault", "ServerFault"),
}


def sent(reasons: Reasons, *fields: Callable[[dict[str, Any]], str]) -> Pairs:
    return [
        (name, *(field(block) for field in fields))
        for name, block in reasons.items()
        if block["phase"] in KINDS
    ]


def by_class(reasons: Reasons) -> list[tuple[str, str]]:
    return [(one, name) for name, block in reasons.items() for one in block.get("errors", ())]


def by_status(reasons: Reasons) -> Pairs:
    return [(name, str(block["http"])) for name, block in reasons.items() if "http" in block]


def of_lm_calls(reasons: Reasons) -> Pairs:
    return [
        (name, block["means"])
        for name, block in reasons.items()
        if block.get("client") == "LMError"
    ]


def by_code(reasons: Reasons) -> Pairs:
    """As the contract's comment has them: phase by phase, the reasons of one code together."""
    found: dict[tuple[str, str], list[str]] = {}

    for name, block in reasons.items():
        if block["phase"] in KINDS:
            found.setdefault((block["phase"], block["code"]), []).append(name)

    return [(", ".join(names), code) for (_, code), names in found.items()]


TABLES: dict[str, tuple[str, Callable[[Reasons], Pairs]]] = {
    "service/headrace/reasons.py": (r'^    "(\w+)": "(\w+)",$', by_class),
    "service/headrace/server/reasons.py": (
        r'^    "(\w+)": StatusCode\.(\w+),$',
        lambda reasons: sent(reasons, lambda block: block["code"]),
    ),
    "service/headrace_gateway/reasons.py": (r'^    "(\w+)": (\d+),$', by_status),
    "client/headrace_client/_reasons.py": (
        r'^    "(\w+)": (\w+),$',
        lambda reasons: sent(reasons, lambda block: block["client"]),
    ),
    "client/go/headrace/reasons.go": (
        r'^\t"(\w+)": +(\w+),$',
        lambda reasons: sent(reasons, lambda block: KINDS[block["phase"]][0]),
    ),
    "client/node/src/reasons.ts": (
        r'^  \["(\w+)", (\w+)\],$',
        lambda reasons: sent(reasons, lambda block: KINDS[block["phase"]][1]),
    ),
    "client/java/src/main/java/dev/headrace/client/Reasons.java": (
        r'Map\.entry\("(\w+)", (\w+)Exception::new\)',
        lambda reasons: sent(reasons, lambda block: KINDS[block["phase"]][1]),
    ),
    "docs/contract.md": (
        r"^\| [^|]*\| ([A-Z_]+) \| ([A-Z_]+) \| [a-z ]+ \| (.+) \|$",
        lambda reasons: sent(reasons, lambda block: block["code"], lambda block: block["means"]),
    ),
    "docs/lm.md": (r"^\| `\w+Error`.* \| ([A-Z_]+) \| (.+) \|$", of_lm_calls),
}


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the generator reads, with one reason more, and what it made of that."""
    root = tmp_path_factory.mktemp("headrace")

    for path in (SOURCE, *PARTS):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, root / path)

    with (root / SOURCE).open("a", encoding="utf-8") as source:
        source.write(ONE_MORE)

    assert generate(root).returncode == 0

    return root


@pytest.fixture
def own(longer: Path, tmp_path: Path) -> Path:
    """The same for one test, which may change it."""
    return shutil.copytree(longer, tmp_path / "headrace")


def generate(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(GENERATOR), "--root", str(root), *options]

    return subprocess.run(command, capture_output=True, text=True, check=False)


def reasons_of(root: Path) -> Reasons:
    return tomllib.loads((root / SOURCE).read_text("utf-8"))


@pytest.mark.parametrize("path", TABLES)
def test_a_reason_more_is_in_every_table(longer: Path, path: str) -> None:
    pattern, expected = TABLES[path]

    for root in (ROOT, longer):
        found = re.findall(pattern, (root / path).read_text("utf-8"), re.MULTILINE)

        assert sorted(found) == sorted(expected(reasons_of(root)))


def test_a_reason_more_is_in_the_contract_s_comment(longer: Path) -> None:
    for root in (ROOT, longer):
        contract = (root / "proto/headrace/v1/headrace.proto").read_text("utf-8")
        (comment,) = re.findall(r"reasons\.toml.*\n\n((?:  //.*\n)+)", contract)
        found = re.findall(r"[:;] ([A-Z_, ]+) \(([A-Z_]+)\)", re.sub(r"\s*//\s*", " ", comment))

        assert sorted(found) == sorted(by_code(reasons_of(root)))


def test_a_reason_more_is_in_the_gateway_s_page(longer: Path) -> None:
    for root in (ROOT, longer):
        page = (root / "docs/gateway.md").read_text("utf-8")
        rows = re.findall(r"^\| ([45]\d\d) \| ([A-Z_, ]+) \|$", page, re.MULTILINE)
        found = [(name, status) for status, names in rows for name in names.split(", ")]

        assert sorted(found) == sorted(by_status(reasons_of(root)))


def test_what_is_committed_is_fresh_and_what_is_stale_is_named(own: Path) -> None:
    assert generate(ROOT, "--check").returncode == 0

    (own / "docs/lm.md").write_bytes((ROOT / "docs/lm.md").read_bytes())
    stale = generate(own, "--check")

    assert stale.returncode == 1
    assert "+| `LMTeaError` | TEA_WANTED | The model is out of tea. |" in stale.stdout


def test_every_class_carries_its_reason() -> None:
    classes = {
        one.__name__: one.reason
        for module in (runtime, server)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, runtime.HeadraceError)
    }
    written = dict(by_class(reasons_of(ROOT)))
    without = dict.fromkeys(
        ["SignatureError", "UsageError", "CannotAsk", "RunError"], "PROGRAM_ERROR"
    )

    assert classes == written | without


def test_a_class_of_a_program_has_the_reason_of_the_class_above() -> None:
    class ToolError(runtime.LMRateLimitError):
        pass

    class Own(runtime.RunError):
        reason = "MINE"

    assert (ToolError.reason, Own.reason) == ("LM_RATE_LIMITED", "MINE")


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ('phase = "over"', 'phase = "never"', "TEA_WANTED: its phase is one of"),
        ('code = "DATA_LOSS"', "", "TEA_WANTED: it lacks code"),
        ('means = "The model is out of tea."', "", "'means'"),
    ],
)
def test_a_block_that_lacks_something_is_named(
    own: Path, written: str, instead: str, said: str
) -> None:
    source = own / SOURCE
    whole = source.read_text("utf-8")
    source.write_text(whole.replace(ONE_MORE, ONE_MORE.replace(written, instead)), "utf-8")
    refused = generate(own)

    assert refused.returncode == 1
    assert said in refused.stderr


FOLDERS = (
    "client/go/headrace", "client/headrace_client", "client/java/src/main", "client/node/src", "service",
)  # fmt: skip
SUFFIXES = {".go", ".java", ".js", ".py", ".ts"}
STUBS = ("client/go/headrace/v1/", "client/node/src/gen/")
LISTING = {"client/headrace_client/cli/exits.py"}  # which flag helps, by what the client found
NEIGHBOURS = 4


def written_by_hand() -> Iterator[str]:
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.*")):
            if file.suffix in SUFFIXES and not file.stem.endswith("_test"):
                path = file.relative_to(ROOT).as_posix()

                if path not in TABLES and not path.startswith(STUBS):
                    yield path


def test_nothing_written_by_hand_lists_reasons() -> None:
    """Three reasons in quotes within four lines are a list; what raises one names one."""
    quoted = re.compile(f"[\"'`]({'|'.join(reasons_of(ROOT))})[\"'`]")
    lists: set[str] = set()

    for path in written_by_hand():
        lines = (ROOT / path).read_text("utf-8").splitlines()

        for start in range(len(lines)):
            if len({*quoted.findall("\n".join(lines[start : start + NEIGHBOURS]))}) > 2:
                lists.add(path)

    assert lists == LISTING
