"""docs/interop.md shows what there is: every case, every language, the versions that are pinned."""

from __future__ import annotations

from interop import (
    test_matrix,
    test_matrix_approvals,
    test_matrix_runs,
    test_matrix_values,
)
from interop.languages import LANGUAGES, found, text_of

PAGE = text_of("docs/interop.md")
HINT = "run make interop, and commit docs/interop.md"


def test_it_has_every_case_green_in_every_language() -> None:
    rows = [line.strip("| ").split("|") for line in PAGE.splitlines() if line.startswith("| ")]
    table = [[cell.strip() for cell in row] for row in rows if not row[0].startswith("--")]
    files = test_matrix, test_matrix_approvals, test_matrix_runs, test_matrix_values
    names = [name for file in files for name in vars(file)]
    cases = [name.removeprefix("test_") for name in names if name.startswith("test_")]

    assert table == [
        ["case", *(language.name for language in LANGUAGES)],
        *([case.replace("_", " "), *("pass" for _ in LANGUAGES)] for case in cases),
    ], HINT


def test_it_names_the_versions_that_are_pinned() -> None:
    pinned = [
        "grpc-go " + found(r"google.golang.org/grpc v([\d.]+)", text_of("client/go/go.mod")),
        "grpc-js " + found(r'grpc-js": "([\d.]+)', text_of("client/node/package.json")),
        "grpc-java " + found(r"<grpc.version>([\d.]+)", text_of("client/java/pom.xml")),
    ]

    assert [version for version in pinned if version not in PAGE] == [], HINT
