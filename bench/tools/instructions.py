"""Instructions per chunk of the parsers, counted by valgrind: `python -m bench.tools.instructions`.

A count does not care who else is using the machine, so it shows a change of one percent where a clock
shows noise. It says nothing of caches; use it to compare one version of a parser with another.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

from bench.parsers import DIALECTS, TEXTS, chunks_of
from bench.places import CACHE, ROOT
from bench.table import write

CHUNKS = 2_000
_COUNT = re.compile(r"Collected : (\d+)|refs:\s+([\d,]+)")


def feed(dialect: str, count: int) -> None:
    """What is counted: one answer of so many chunks, parsed."""
    make, wrap = DIALECTS[dialect]
    text = wrap(TEXTS["prose"] * (CHUNKS * 4 // len(TEXTS["prose"]) + 1))
    parser = make()

    for chunk in chunks_of(text, CHUNKS)[:count]:
        parser.feed(chunk)

    parser.close()


def counted(valgrind: str, dialect: str, count: int) -> int:
    """Instructions of a process that does it."""
    out = CACHE / "instructions.out"
    options = ["--tool=callgrind", f"--callgrind-out-file={out}"]
    python = [sys.executable, "-m", "bench.tools.instructions", dialect, str(count)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # the same dictionaries every time
    command = [valgrind, *options, *python]
    said = subprocess.run(
        command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True
    ).stderr
    found = _COUNT.search(said)

    if found is None:
        raise RuntimeError(f"valgrind counted nothing:\n{said[-500:]}")

    return int((found[1] or found[2]).replace(",", ""))


def main() -> None:
    """Counts each dialect with and without chunks: the difference is the parser's."""
    valgrind = shutil.which("valgrind")

    if valgrind is None:
        write("skipped: valgrind is not installed (apt-get install valgrind)")
        return

    CACHE.mkdir(parents=True, exist_ok=True)
    write(f"instructions per chunk of {CHUNKS} chunks of prose")

    for dialect in DIALECTS:
        count = counted(valgrind, dialect, CHUNKS) - counted(valgrind, dialect, 0)
        write(f"  {dialect:<8}{count / CHUNKS:>10.0f}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        feed(sys.argv[1], int(sys.argv[2]))
    else:
        main()
