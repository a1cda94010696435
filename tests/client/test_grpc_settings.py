"""gRPC's settings under the command: ours where the environment has none, and for gRPC alone."""

from __future__ import annotations

import os

import pytest
from headrace_client.cli import GRPC_SETTINGS, grpc_settings


def in_force() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in GRPC_SETTINGS}


def test_they_hold_inside_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GRPC_SETTINGS:
        monkeypatch.delenv(name, raising=False)

    with grpc_settings():
        inside = in_force()

    assert inside == {"GRPC_VERBOSITY": "NONE", "GRPC_ENABLE_FORK_SUPPORT": "0"}
    assert in_force() == {"GRPC_VERBOSITY": None, "GRPC_ENABLE_FORK_SUPPORT": None}


def test_what_the_environment_says_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"GRPC_VERBOSITY": "INFO", "GRPC_ENABLE_FORK_SUPPORT": "1"}

    for name, value in said.items():
        monkeypatch.setenv(name, value)

    with grpc_settings():
        assert in_force() == said

    assert in_force() == said


def test_whoever_asks_for_traces_gets_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_TRACE", "http")

    for name in GRPC_SETTINGS:
        monkeypatch.delenv(name, raising=False)

    with grpc_settings():
        assert in_force() == {"GRPC_VERBOSITY": None, "GRPC_ENABLE_FORK_SUPPORT": "0"}
