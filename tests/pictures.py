"""Draws the documentation's pictures anew: `make pictures`, or `python -m pictures` in this folder."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Literal, TypeAlias

from client.board_picture import PICTURE, draw_board
from gateway.browsing import ask, chromium, lane, page_of, row, state
from gateway.faucet import Faucet
from gateway.programs import AGENT, COMPOSER, KEEPER, agent, composer, keeper, letter
from gateway.serving import gateway, hosted
from playwright.async_api import Browser, Page, expect

Scheme: TypeAlias = Literal["light", "dark"]
IMAGES = Path(__file__).parents[1] / "docs" / "images"


async def draw_page(
    browser: Browser, name: str, drops: int, width: int, height: int, scheme: Scheme = "light"
) -> None:
    """A run of composer on the gateway's page, after so many pieces of its answers."""
    lm = Faucet(COMPOSER, name="mock-lm")

    async with (
        hosted(lm, composer, letter, agent) as address,
        gateway(address) as edge,
        page_of(
            browser, f"{edge.url}/#composer", width=width, height=height, scheme=scheme
        ) as page,
    ):
        await ask(page)
        await trickle(lm, drops)
        await expect(row(lane(page, "evidence"), "probe.evidence")).to_contain_text("power")
        await save(page, name)


async def draw_agent(browser: Browser) -> None:
    """The turns of an agent, to its end."""
    lm = Faucet(AGENT, name="mock-lm")

    async with (
        hosted(lm, agent, composer, letter) as address,
        gateway(address) as edge,
        page_of(browser, f"{edge.url}/#agent") as page,
    ):
        await page.get_by_role("button", name="Run").click()
        await trickle(lm, 200)
        await expect(state(page)).to_have_text("Done")
        await save(page, "page-agent")


async def draw_question(browser: Browser) -> None:
    """An agent that waits for leave to call a tool."""
    lm = Faucet(KEEPER, name="mock-lm")
    lm.open()

    async with (
        hosted(lm, keeper, composer, letter, dev=True) as address,
        gateway(address) as edge,
        page_of(browser, f"{edge.url}/#keeper", width=1180, height=700) as page,
    ):
        await page.get_by_role("button", name="Run").click()
        await expect(state(page)).to_have_text("Waiting for an answer")
        await save(page, "page-question")


async def trickle(lm: Faucet, drops: int) -> None:
    """Lets pieces through as slowly as a model writes: the page shows how long things took."""
    for _ in range(drops):
        lm.let(1)
        await asyncio.sleep(0.015)


async def save(page: Page, name: str) -> None:
    """Writes docs/images/NAME.png: all of the page."""
    await page.mouse.move(0, 0)
    await page.screenshot(path=IMAGES / f"{name}.png", full_page=True, animations="disabled")
    say(f"{name}.png")


async def draw_pages() -> None:
    """All pictures of the page."""
    async with chromium() as browser:
        await draw_page(browser, "page", 150, 1440, 900)
        await draw_page(browser, "page-dark", 310, 1440, 900, "dark")
        await draw_page(browser, "page-narrow", 150, 390, 844)
        await draw_agent(browser)
        await draw_question(browser)


def say(name: str) -> None:
    sys.stdout.write(f"docs/images/{name}\n")


def main() -> int:
    """Gives the exit code."""
    PICTURE.write_text(draw_board(), encoding="utf-8")
    say(PICTURE.name)

    if shutil.which("chromium") is None:
        sys.stderr.write("chromium is not installed: the pictures of the page stay as they are\n")
        return 1

    asyncio.run(draw_pages())

    return 0


if __name__ == "__main__":
    sys.exit(main())
