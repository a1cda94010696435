"""What a run asks and tells, on the page in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from gateway.browsing import chromium, page_of, state
from gateway.faucet import Faucet
from gateway.programs import KEEPER, choice, keeper
from gateway.serving import Gateway, gateway, hosted
from playwright.async_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def edge() -> AsyncIterator[Gateway]:
    lm = Faucet(KEEPER)
    lm.open()

    async with hosted(lm, choice, keeper, dev=True) as server, gateway(server) as edge:
        yield edge


def cards(page: Page) -> Locator:
    return page.get_by_role("region", name="What the run asks").get_by_role("article")


async def run(page: Page) -> None:
    await page.locator("#form").get_by_role("button", name="Run").click()
    await expect(state(page)).to_have_text("Waiting for an answer")


async def timeline(page: Page, kind: str) -> list[str]:
    return await page.locator(f"#timeline li.{kind} .what").all_text_contents()


async def test_a_question_is_a_form_made_from_its_schema(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await run(page)
        card = page.get_by_role("article", name="Which way, about weirs?")
        await expect(page.get_by_role("status")).to_have_text(
            "The run asks: Which way, about weirs?"
        )
        await card.get_by_role("radio", name="right").check()
        await card.get_by_role("button", name="Answer").click()
        await expect(state(page)).to_have_text("Done")
        await expect(cards(page)).to_have_count(0)
        await expect(page.locator(".lead .prose")).to_have_text("right")
        assert await timeline(page, "told") == ['progress: {"done":2,"of":2}']
        assert "answered" in await timeline(page, "said")


async def test_an_answer_that_is_missing_is_said_at_the_question(
    browser: Browser, edge: Gateway
) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await run(page)
        await cards(page).get_by_role("button", name="Answer").click()
        await expect(cards(page).get_by_role("alert")).to_have_text("answer: is required")
        await expect(state(page)).to_have_text("Waiting for an answer")


async def test_a_question_is_declined_with_a_reason(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await run(page)
        await cards(page).get_by_label("Reason").fill("neither will do")
        await cards(page).get_by_role("button", name="Decline").click()
        await expect(state(page)).to_have_text("Failed")
        assert "declined: neither will do" in await timeline(page, "said")
        await expect(cards(page)).to_have_count(0)


async def test_a_tool_is_allowed_as_it_was_proposed(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#keeper") as page:
        await run(page)
        await expect(cards(page)).to_contain_text("set_gate")
        await expect(cards(page).get_by_label("height")).to_have_value("0.5")
        await cards(page).get_by_role("button", name="Allow").click()
        await expect(state(page)).to_have_text("Done")
        assert await results(page) == ["The gate is at 0.5 m. by night"]


async def test_a_tools_arguments_are_changed_before_it_is_allowed(
    browser: Browser, edge: Gateway
) -> None:
    async with page_of(browser, f"{edge.url}/#keeper") as page:
        await run(page)
        await cards(page).get_by_label("height").fill("0.75")
        await cards(page).get_by_label("note").fill("")
        await cards(page).get_by_role("button", name="Allow").click()
        await expect(state(page)).to_have_text("Done")
        assert await results(page) == ["The gate is at 0.75 m."]


async def results(page: Page) -> list[str]:
    """What the tool that wanted leave returned, as the timeline opens to."""
    tool = page.locator("#timeline li.tool details").first
    await tool.locator("summary").click()

    return await tool.get_by_label("gives").locator("pre").all_text_contents()


async def test_a_reload_finds_the_question_again(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await run(page)
        await page.reload()
        await expect(state(page)).to_have_text("Waiting for an answer")
        await cards(page).get_by_role("radio", name="left").check()
        await cards(page).get_by_role("button", name="Answer").click()
        await expect(state(page)).to_have_text("Done")


async def test_a_question_that_somebody_else_answers_goes_away(
    browser: Browser, edge: Gateway
) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await run(page)
        run_id = await page.locator("#run-id").text_content()
        record = (await edge.http.get(f"/v1/runs/{run_id}")).json()
        input_id = record["input_requests"][0]["input_id"]
        path = f"/v1/runs/{run_id}/inputs/{input_id}"
        await edge.http.post(path, json={"answer": "left"})
        await expect(state(page)).to_have_text("Done")
        await expect(cards(page)).to_have_count(0)


async def test_stopping_a_run_takes_its_questions_away(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await run(page)
        await page.get_by_role("button", name="Stop").click()
        await expect(state(page)).to_have_text("Stopped")
        await expect(cards(page)).to_have_count(0)


async def test_what_a_run_asks_is_text_and_never_markup(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await page.get_by_label("topic").fill("<img src=x onerror=\"document.title='gone'\">")
        await run(page)
        await expect(cards(page).get_by_role("heading")).to_contain_text("<img src=x")
        assert await page.locator("img").count() == 0


@pytest.mark.parametrize("width", [320, 768, 1440])
async def test_no_question_hangs_over_the_edge(browser: Browser, edge: Gateway, width: int) -> None:
    async with page_of(browser, f"{edge.url}/#keeper", width=width) as page:
        await run(page)
        assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
