"""docs/gateway.md where it cannot run by itself: the browser's example, and the table of errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from gateway.browsing import chromium, page_of
from gateway.cutting import cutting
from gateway.faucet import Faucet
from gateway.programs import ANSWER, EVIDENCE, IDEAS
from gateway.serving import Gateway
from headrace_gateway.reasons import HTTP_STATUS
from pages.blocks import blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"


@pytest.mark.timeout(60)
async def test_a_browser_s_eventsource_loses_nothing_when_its_connection_does(
    edge: Gateway, lm: Faucet
) -> None:
    (block,) = [block for block in blocks_of(PAGE) if block.language == "js"]
    example = f"(async () => {{ {block.text}; Object.assign(window, {{texts, events}}); }})()"

    async with (
        cutting(int(edge.url.rpartition(":")[2])) as way,
        chromium() as browser,
        page_of(browser, f"http://127.0.0.1:{way.port}/", listens=False) as page,
    ):
        await page.evaluate(example)
        lm.let(100)
        await page.evaluate(until("Object.keys(texts).length >= 3"))
        way.cut()
        lm.open()
        await page.evaluate(until("events.readyState === EventSource.CLOSED"))
        texts = await page.evaluate("Object.values(texts)")

    assert {IDEAS, EVIDENCE, ANSWER} <= {*texts}
    assert way.accepted > 1


def test_every_reason_stands_beside_its_status() -> None:
    rows = re.findall(r"^\| ([45]\d\d[^|]*) \| ([^|]*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    written = {
        reason: {int(status) for status in statuses.split(", ")}
        for statuses, reasons in rows
        for reason in re.findall(r"[A-Z_]+", reasons)
    }

    assert written.keys() == HTTP_STATUS.keys()
    assert [one for one, status in HTTP_STATUS.items() if status not in written[one]] == []


def until(condition: str) -> str:
    """Waits in the page, whose security policy lets playwright evaluate no strings of its own."""
    return f"new Promise((done) => setInterval(() => {condition} && done(), 20))"
