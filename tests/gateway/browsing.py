"""A real Chromium, Debian's, driven by playwright; a page of it that tolerates no complaint."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import pytest
from gateway.programs import QUESTION
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

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


async def ask(page: Page) -> None:
    """Puts the question, and starts the run."""
    await page.get_by_role("textbox", name="question").fill(QUESTION)
    await page.get_by_role("button", name="Run").click()


def state(page: Page) -> Locator:
    return page.locator("#state")


def lane(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def row(lane: Locator, label: str) -> Locator:
    return lane.get_by_role("group", name=label, exact=True)
