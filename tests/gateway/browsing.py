"""A real Chromium, Debian's, driven by playwright; a page of it that tolerates no complaint."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TAKES_PICTURES = os.environ.get("HEADRACE_SCREENSHOTS") == "1"
"""Whether this run is to draw the documentation's pictures anew."""

expect.set_options(timeout=10_000)

QUIETLY = (
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser, None]:
    """A browser; skips where there is none."""
    found = shutil.which("chromium")

    if found is None:
        pytest.skip("chromium is not installed; .ci/run shows how to install it")

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=[*QUIETLY])

        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_of(
    browser: Browser,
    url: str,
    *,
    width: int = 1440,
    height: int = 900,
    scheme: Literal["light", "dark"] = "light",
    listens: bool = True,
) -> AsyncGenerator[Page, None]:
    """The gateway's page, loaded; what it asks elsewhere for fails the test.

    So does what it complains of, unless nobody `listens`, because the test itself writes to the console.
    """
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        device_scale_factor=1.5,
        locale="en",
    )
    context.set_default_timeout(10_000)
    page = await context.new_page()
    complaints: list[str] = []
    asked: set[str] = set()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text))
    page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3])))
    await page.goto(url)

    try:
        yield page
    finally:
        await context.close()

    unforeseen = [one for one in complaints if "Failed to load resource" not in one]
    assert not listens or unforeseen == []
    assert asked <= {"/".join(url.split("/")[:3])}


async def take_picture(page: Page, name: str) -> None:
    """Writes docs/images/NAME.png: all of the page."""
    await page.mouse.move(0, 0)
    await page.screenshot(path=IMAGES / f"{name}.png", full_page=True, animations="disabled")
