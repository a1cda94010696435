"""What a run asks and tells, on the page in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from gateway.browsing import chromium, page_of, state
from gateway.faucet import Faucet
from gateway.programs import KEEPER, KINDS, choice, keeper, kinds, sender
from gateway.serving import Gateway, gateway, hosted
from playwright.async_api import Browser, Locator, Page, expect

pytestmark = pytest.mark.timeout(60)

CONTROLS = """fields => [...fields.querySelectorAll("input, textarea, select")].map((one) =>
    one.type === "radio" ? `radio ${one.parentElement.textContent.trim()}`
    : one.classList.contains("json") ? "textarea json" : one.type)"""
"""The controls of a form, by their kinds."""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def edge() -> AsyncIterator[Gateway]:
    lm = Faucet(KEEPER)
    lm.open()

    async with (
        hosted(lm, choice, keeper, kinds, sender, dev=True) as server,
        gateway(server) as edge,
    ):
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
        assert "Which way, about weirs? answered" in await timeline(page, "said")


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
        assert "Which way, about weirs? declined: neither will do" in await timeline(page, "said")
        await expect(cards(page)).to_have_count(0)


async def test_enter_behind_a_reason_declines(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await run(page)
        await cards(page).get_by_role("radio", name="left").check()
        await cards(page).get_by_label("Reason").fill("neither will do")
        await page.keyboard.press("Enter")
        await expect(state(page)).to_have_text("Failed")
        assert "Which way, about weirs? declined: neither will do" in await timeline(page, "said")


async def test_control_and_enter_answer_where_the_cursor_is(
    browser: Browser, edge: Gateway
) -> None:
    async with page_of(browser, f"{edge.url}/#kinds") as page:
        await page.get_by_role("textbox", name="kind").fill("when")
        await page.keyboard.press("Control+Enter")
        await cards(page).get_by_role("textbox", name="answer").fill("2026-01-31")
        run_id = await page.locator("#run-id").text_content()
        await page.keyboard.press("Control+Enter")
        await expect(page.locator(".lead .prose")).to_have_text("2026-01-31")
        await expect(page.locator("#run-id")).to_have_text(run_id or "")


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


async def test_a_tool_is_shown_with_the_arguments_that_were_allowed(
    browser: Browser, edge: Gateway
) -> None:
    async with page_of(browser, f"{edge.url}/#keeper") as page:
        await run(page)
        await cards(page).get_by_label("height").fill("0.75")
        await cards(page).get_by_role("button", name="Allow").click()
        await expect(state(page)).to_have_text("Done")
        assert await content(page, "takes") == ["0.75", "by night"]


async def results(page: Page) -> list[str]:
    """What the tool that wanted leave returned."""
    return await content(page, "gives")


async def content(page: Page, part: str) -> list[str]:
    """What went into the tool that wanted leave or came out of it, as the timeline opens to."""
    tool = page.locator("#timeline li.tool details").first
    await tool.locator("summary").click()

    return await tool.get_by_label(part).locator("pre").all_text_contents()


async def test_a_question_of_any_kind_has_a_control_of_its_own(
    browser: Browser, edge: Gateway
) -> None:
    controls: dict[str, list[str]] = {}

    for kind in KINDS:
        async with page_of(browser, f"{edge.url}/#kinds") as page:
            await page.get_by_role("textbox", name="kind").fill(kind)
            await run(page)
            controls[kind] = await cards(page).locator(".fields").evaluate(CONTROLS)

    assert controls == {
        "yes or no": ["radio yes", "radio no"],
        "one": ["radio only"],
        "maybe a way": ["select-one"],
        "ways": ["textarea"],
        "when": ["textarea"],
        "maybe many": ["number"],
        "box": ["textarea", "select-one", "number", "textarea json"],
        "tree": ["textarea", "textarea json"],
        "any": ["textarea json"],
    }


async def test_yes_or_no_is_chosen_and_never_assumed(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#kinds") as page:
        await page.get_by_role("textbox", name="kind").fill("yes or no")
        await run(page)
        await cards(page).get_by_role("button", name="Answer").click()
        await expect(cards(page).get_by_role("alert")).to_have_text("answer: is required")
        await cards(page).get_by_role("radio", name="no").check()
        await cards(page).get_by_role("button", name="Answer").click()
        await expect(page.locator(".lead .prose")).to_have_text("false")


async def test_an_answer_that_may_be_null_is_left_empty(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#kinds") as page:
        await page.get_by_role("textbox", name="kind").fill("maybe a way")
        await run(page)
        await cards(page).get_by_role("button", name="Answer").click()
        await expect(page.locator(".lead .prose")).to_have_text("null")


async def test_arguments_that_nobody_touched_are_those_proposed(
    browser: Browser, edge: Gateway
) -> None:
    """Null, no text and text of several lines look like something else in a form."""
    async with page_of(browser, f"{edge.url}/#sender") as page:
        await run(page)
        await cards(page).get_by_label("copies").fill("2")
        await cards(page).get_by_role("button", name="Allow").click()
        await expect(state(page)).to_have_text("Done")
        assert await results(page) == ["2, None, '', ['a\\nb', ''], ['c']"]


async def test_a_question_says_until_when_it_waits(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#kinds") as page:
        await page.get_by_role("textbox", name="kind").fill("any")
        await run(page)
        await expect(cards(page).locator(".hint").first).to_have_text(
            re.compile(r"^until \d\d:\d\d:\d\d$")
        )


async def test_what_was_told_keeps_its_time_when_it_is_read_again(
    browser: Browser, edge: Gateway
) -> None:
    async with page_of(browser, f"{edge.url}/#choice") as page:
        await run(page)
        before = await page.locator("#timeline li.told .clock").all_text_contents()
        await page.wait_for_timeout(1_200)
        await page.reload()
        await expect(page.locator("#timeline li.told")).to_have_count(1)
        assert await page.locator("#timeline li.told .clock").all_text_contents() == before


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
