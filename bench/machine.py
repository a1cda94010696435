"""What the figures were measured on, and how busy it was with other things."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.places import PEER_PYTHON

OWN = ("aiohttp", "grpcio", "headrace", "litellm", "orjson", "protobuf", "uvloop")
PEERS = ("dspy", "fastapi", "grpcio", "litellm", "uvicorn")

_VERSIONS = "import sys, importlib.metadata as m\nfor n in sys.argv[1:]: print(n, m.version(n))"


def describe() -> dict[str, Any]:
    """Cores, processor, memory, versions, and the load of the last minute."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "versions": {name: version(name) for name in OWN},
        "peers": _peers(),
    }


def _processor() -> str:
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)

    return names[0] if names else platform.machine()


def _peers() -> dict[str, str]:
    if not PEER_PYTHON.exists():
        return {}

    listing = subprocess.run(
        [str(PEER_PYTHON), "-c", _VERSIONS, *PEERS], capture_output=True, text=True, check=True
    ).stdout

    return dict(line.split(" ", 1) for line in listing.splitlines())
