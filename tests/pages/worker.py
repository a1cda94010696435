"""Runs Python blocks one after another in one namespace, as a reader does at a prompt.

Reads one JSON string per line, the code; writes one JSON string per line, the traceback or nothing.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import sys
import traceback
from types import CodeType, ModuleType


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.path.insert(0, os.getcwd())
    main = sys.modules["__main__"] = ModuleType("__main__")

    with asyncio.Runner() as runner:
        for line in sys.stdin:
            answers.write(json.dumps(_run(json.loads(line), vars(main), runner)) + "\n")
            answers.flush()


def _run(text: str, namespace: dict[str, object], runner: asyncio.Runner) -> str:
    try:
        code = compile(text, "<block>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(_awaited(code, namespace))
        else:
            exec(code, namespace)
    except BaseException:  # noqa: BLE001 - whatever it was, it is what the reader would see
        return traceback.format_exc()

    return ""


async def _awaited(code: CodeType, namespace: dict[str, object]) -> None:
    await eval(code, namespace)


if __name__ == "__main__":
    main()
