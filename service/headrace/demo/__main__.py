"""`python -m headrace.demo` shows the main job and ends; `--serve ADDRESS` serves until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys

from headrace_client.cli.signals import ENDING, listening, on_loop

from headrace.demo.commands import PROGRAMS, ServerFailed, provider, serve, serving
from headrace.demo.display import say, watch

NEXT = """
Next, in one terminal:
  make serve
and in another:
  grpcurl -plaintext -d '{"program":"composer","inputs":{"question":"why?"},
    "options":{"statusDetail":"STATUS_DETAIL_NONE","mergeInterval":"5s"}}' \\
    127.0.0.1:50051 headrace.v1.HeadraceService/Run
"""


async def show() -> int:
    """Serves the programs on a free port and runs the composer there; gives the exit code."""
    async with provider() as lm:
        say(lm.said)
        say(f"\n$ headrace serve {shlex.join(PROGRAMS)} --lm {lm.model}")

        async with serving(lm) as address:
            code = await watch(address)

    if code == 0:
        say(NEXT)

    return code


async def serve_on(listen: str) -> int:
    """Serves the programs until told to stop; gives the exit code."""
    async with provider() as lm:
        say(lm.said)
        server = await serve(lm, listen)
        hears = dict.fromkeys(ENDING, on_loop(lambda: None))  # Ctrl-C reaches the server by itself

        with listening({**hears, "SIGTERM": on_loop(server.terminate)}):
            return await server.wait()


def main() -> int:
    """Gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m headrace.demo", description=__doc__)
    parser.add_argument("--serve", metavar="ADDRESS", help="host:port to serve on until Ctrl-C")
    listen = parser.parse_args().serve

    try:
        return asyncio.run(serve_on(listen) if listen else show())
    except ServerFailed:
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
