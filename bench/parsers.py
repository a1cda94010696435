"""What reading a completion costs: microseconds per chunk, by dialect, kind of text and length.

    python bench/parsers.py

Chunks of 4 characters. Each figure is the best of several readings, so that a busy machine shows
less; compare figures of one run only.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from xml.sax.saxutils import escape

from headrace.parsing import ChatParser, FieldParser, JSONParser, XMLParser

CHUNK = 4
CHUNKS = 2_000
LENGTHS = (1_000, 4_000, 16_000, 64_000)
READINGS = 9

TEXTS: Mapping[str, str] = {
    "prose": "The headrace brings water to the wheel; none of it is lost on the way. ",
    "paragraphs": "The headrace brings water to the wheel.\n\nNone is lost on the way.\n",
    "code": 'for (const x of a[0]) { say("x < y && z"); }\n',
    "markup": "<p class='x'>Mills &amp; <b>wheels</b></p>\n",
    "brackets": "[[Home]] and [[London|the capital]]\n[[ ## see\n",
}

Dialect = tuple[Callable[[], FieldParser], Callable[[str], str]]

DIALECTS: Mapping[str, Dialect] = {
    "chat": (lambda: ChatParser(["answer"]), lambda text: f"[[ ## answer ## ]]\n{text}\n"),
    "json": (lambda: JSONParser({"answer": True}), lambda text: json.dumps({"answer": text})),
    "xml": (lambda: XMLParser(["answer"]), lambda text: f"<answer>{escape(text)}</answer>"),
}


def chunks_of(text: str, count: int) -> list[str]:
    """The first `count` chunks of a text that goes on long enough."""
    return [text[at : at + CHUNK] for at in range(0, count * CHUNK, CHUNK)]


def cost(dialect: Dialect, text: str, count: int) -> float:
    """Microseconds per chunk."""
    make, write = dialect
    repeated = text * (count * CHUNK // len(text) + 1)
    chunks = chunks_of(write(repeated), count)

    return min(_seconds(make, chunks) for _ in range(READINGS)) / count * 1e6


def _seconds(make: Callable[[], FieldParser], chunks: list[str]) -> float:
    parser = make()
    began = time.perf_counter()

    for chunk in chunks:
        parser.feed(chunk)

    parser.close()

    return time.perf_counter() - began


def main() -> None:
    """Prints both tables."""
    print(f"microseconds per chunk, {CHUNKS} chunks of {CHUNK} characters\n")  # noqa: T201 - its work
    rows = {
        name: [cost(dialect, text, CHUNKS) for dialect in DIALECTS.values()]
        for name, text in TEXTS.items()
    }
    _table("text", rows)

    print("\nmicroseconds per chunk of prose, by length\n")  # noqa: T201 - its work
    rows = {
        f"{count} chunks": [cost(dialect, TEXTS["prose"], count) for dialect in DIALECTS.values()]
        for count in LENGTHS
    }
    _table("length", rows)


def _table(title: str, rows: Mapping[str, list[float]]) -> None:
    lines = [f"{title:<14}" + "".join(f"{name:>8}" for name in DIALECTS)]
    lines += [f"{name:<14}" + "".join(f"{one:8.2f}" for one in row) for name, row in rows.items()]
    print("\n".join(lines))  # noqa: T201 - its work


if __name__ == "__main__":
    main()
