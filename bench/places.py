"""Where the bench keeps what it needs: everything in build/, which git ignores."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "bench"
LOGS = CACHE / "logs"
RESULTS = CACHE / "results.json"
PLOTS = ROOT / "docs" / "plots"
OWN_PYTHON = ROOT / ".venv" / "bin" / "python"
PEER_PYTHON = CACHE / "peers" / "bin" / "python"
PLOT_PYTHON = CACHE / "plots" / "bin" / "python"
