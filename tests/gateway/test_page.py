"""The page in a real browser: fill, run, watch, lose the network, come back, stop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from gateway.browsing import ask, chromium, lane, page_of, row, state
from gateway.cutting import cutting
from gateway.faucet import Faucet
from gateway.programs import (
    AGENT,
    ANSWER,
    COMPOSER,
    EVIDENCE,
    IDEAS,
    REASONING,
    agent,
    composer,
)
from gateway.serving import BOUND, Gateway, gateway, hosted
from playwright.async_api import Browser, Page, expect

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def test_both_branches_fill_side_by_side_and_then_the_answer(
    browser: Browser, edge: Gateway, lm: Faucet
) -> None:
    async with page_of(browser, f"{edge.url}/#composer") as page:
        await ask(page)
        lm.let(100)
        ideas, evidence = lane(page, "ideas"), lane(page, "evidence")
        await expect(row(ideas, "brainstorm.brainstorm")).to_contain_text("A channel that")
        await expect(row(evidence, "probe.evidence")).to_contain_text("Smeaton's")
        await expect(state(page)).to_have_text("Running")
        boxes = [await one.bounding_box() for one in (ideas, evidence)]
        assert [box["y"] for box in boxes if box] == [boxes[0]["y"]] * 2 if boxes[0] else False

        lm.open()
        await expect(state(page)).to_have_text("Done")
        assert await shown_texts(page) == WHOLE
        await expect(page.locator(".lead .prose")).to_have_text(ANSWER)
        await expect(page.locator("#usage")).to_contain_text("3 model calls")
        said = await page.locator("#timeline li.said .what").all_text_contents()
        assert said == [
            "Spinning ideas...",
            "Pulling evidence...",
            "Ideas ready.",
            "Evidence ready.",
        ]


async def test_a_broken_connection_is_mended_and_nothing_is_lost(
    browser: Browser, edge: Gateway, lm: Faucet
) -> None:
    port = int(edge.url.rpartition(":")[2])

    async with (
        cutting(port) as way,
        page_of(browser, f"http://127.0.0.1:{way.port}/#composer") as page,
    ):
        await ask(page)
        lm.let(80)
        await expect(row(lane(page, "ideas"), "brainstorm.brainstorm")).to_contain_text("A")
        way.is_down = True
        way.cut()
        await expect(state(page)).to_have_text("Reconnecting")
        lm.let(80)
        await asyncio.wait_for(lm.waiting.wait(), BOUND)
        way.is_down = False
        await expect(state(page)).to_have_text("Running")
        way.cut()
        lm.open()
        await expect(state(page)).to_have_text("Done")
        assert await shown_texts(page) == WHOLE
        noted = await page.locator("#timeline li:is(.lost, .mended) .what").all_text_contents()
        assert noted[:2] == ["Connection lost", "Connected again, nothing missed"]


async def test_a_reload_goes_on_with_the_same_run(
    browser: Browser, edge: Gateway, lm: Faucet
) -> None:
    async with page_of(browser, f"{edge.url}/#composer") as page:
        await ask(page)
        lm.let(80)
        await expect(row(lane(page, "ideas"), "brainstorm.brainstorm")).to_contain_text("A")
        run_id = await page.locator("#run-id").text_content()
        await page.reload()
        await expect(row(lane(page, "ideas"), "brainstorm.brainstorm")).to_contain_text("A")
        lm.open()
        await expect(state(page)).to_have_text("Done")
        assert await page.locator("#run-id").text_content() == run_id
        assert await shown_texts(page) == WHOLE


async def test_a_run_can_be_stopped(browser: Browser, edge: Gateway, lm: Faucet) -> None:
    async with page_of(browser, f"{edge.url}/#composer") as page:
        await ask(page)
        lm.let(80)
        await expect(row(lane(page, "ideas"), "brainstorm.brainstorm")).to_contain_text("A")
        await page.get_by_role("button", name="Stop").click()
        await expect(state(page)).to_have_text("Stopped")
        await asyncio.wait_for(lm.stopped.wait(), BOUND)
        await expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        await expect(lane(page, "ideas")).to_contain_text("stopped")
        await expect(page.locator(".row.live")).to_have_count(0)


async def test_a_run_that_fails_says_why(browser: Browser) -> None:
    lm = Faucet({**COMPOSER, "answer": ValueError("boom")})
    lm.open()

    async with (
        hosted(lm, composer) as address,
        gateway(address) as edge,
        page_of(browser, f"{edge.url}/#composer") as page,
    ):
        await ask(page)
        await expect(state(page)).to_have_text("Failed")
        await expect(page.locator(".standing .complaint")).not_to_be_empty()
        await expect(page.locator("body")).not_to_contain_text("Traceback")


async def test_calls_open_to_what_went_in_and_came_out(browser: Browser) -> None:
    lm = Faucet(AGENT)
    lm.open()

    async with (
        hosted(lm, agent, dev=True) as address,
        gateway(address) as edge,
        page_of(browser, f"{edge.url}/#agent") as page,
    ):
        await page.get_by_role("button", name="Run").click()
        await expect(state(page)).to_have_text("Done")
        asked, tool = (
            page.locator(f"#timeline li.{kind} details").first for kind in ("lm", "tool")
        )
        await asked.locator("summary").click()
        await expect(asked.get_by_label("takes")).to_contain_text("shallower is the headrace")
        await expect(asked.get_by_label("gives")).to_contain_text("I need two depths.")
        await expect(tool.locator("pre").first).to_be_hidden()
        await tool.locator("summary").click()
        assert await tool.locator("h3").all_text_contents() == ["place", "result"]
        assert await tool.locator("pre").all_text_contents() == ["weir", "1.4"]
        await expect(page.locator("#content-hint")).to_be_hidden()


async def test_a_server_that_does_not_show_content_is_said_so(
    browser: Browser, edge: Gateway, lm: Faucet
) -> None:
    lm.open()

    async with page_of(browser, f"{edge.url}/#composer") as page:
        await ask(page)
        await expect(state(page)).to_have_text("Done")
        await expect(page.locator("#content-hint")).to_contain_text("headrace serve --dev")
        await expect(page.locator("#timeline details")).to_have_count(0)


@pytest.mark.parametrize("local", [True, False])
async def test_a_developer_sees_the_cause_on_this_machine(browser: Browser, local: bool) -> None:
    lm = Faucet({**COMPOSER, "answer": ValueError("boom <b>")})
    lm.open()

    async with (
        hosted(lm, composer, dev=True) as address,
        gateway(address, local=local) as edge,
        page_of(browser, f"{edge.url}/#composer") as page,
    ):
        await ask(page)
        await expect(state(page)).to_have_text("Failed")
        cause = page.locator("#cause")

        if local:
            await expect(cause).to_contain_text("ValueError: boom <b>")
        else:
            await expect(cause).to_be_hidden()


async def test_every_kind_of_input_has_its_control(browser: Browser, edge: Gateway) -> None:
    async with page_of(browser, f"{edge.url}/#letter") as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("letter")
        await page.get_by_label("topic").fill("The miller's key")
        await page.get_by_role("radio", name="formal").check()
        await page.get_by_label("words").fill("120")
        await page.get_by_label("points").fill("one\ntwo\n")
        await page.get_by_label("urgent").check()

        async with page.expect_request("**/letter/stream*") as sent:
            await page.get_by_role("button", name="Run").click()

        assert json.loads((await sent.value).post_data or "") == {
            "topic": "The miller's key",
            "tone": "formal",
            "words": 120,
            "points": ["one", "two"],
            "urgent": True,
            "reader": {"name": "Ada", "knows_mills": True},
        }


async def test_what_the_server_refuses_is_said_at_its_field(
    browser: Browser, edge: Gateway
) -> None:
    async with page_of(browser, f"{edge.url}/#letter") as page:
        words = page.get_by_label("words")
        await words.fill("3")
        await page.get_by_role("button", name="Run").click()
        await expect(words).to_have_attribute("aria-invalid", "true")
        await expect(words).to_be_focused()
        await expect(page.locator("#complaint-words")).not_to_be_empty()
        await expect(page.locator("#run")).to_be_hidden()  # nothing was started
        await words.fill("30")
        await page.get_by_label("reader").fill("{")
        await page.get_by_role("button", name="Run").click()
        await expect(page.locator("#complaint-reader")).to_have_text("is no JSON")
        await expect(page.locator("#complaint-words")).to_be_empty()


async def test_what_models_write_is_text_and_never_markup(browser: Browser) -> None:
    nasty = (
        "<img src=x onerror=\"document.title='gone'\"><b>bold</b> & 🌊 **not** [[ ## x ## ]] end"
    )
    lm = Faucet({**COMPOSER, "answer": {"reasoning": nasty, "answer": nasty}})
    lm.open()

    async with (
        hosted(lm, composer) as address,
        gateway(address) as edge,
        page_of(browser, f"{edge.url}/#composer") as page,
    ):
        await ask(page)
        await expect(state(page)).to_have_text("Done")
        await expect(page.locator(".lead .prose")).to_have_text(nasty)
        assert await page.locator("img, b").count() == 0
        assert await page.title() == "composer · headrace"


async def test_the_turns_of_an_agent_stay_in_its_lane(browser: Browser) -> None:
    lm = Faucet(AGENT)
    lm.open()

    async with (
        hosted(lm, agent) as address,
        gateway(address) as edge,
        page_of(browser, f"{edge.url}/#agent") as page,
    ):
        await page.get_by_role("button", name="Run").click()
        await expect(state(page)).to_have_text("Done")
        labels = await lane(page, "react").locator("h4").all_text_contents()
        assert labels == ["next_thought", "next_thought 2", "next_thought 3"]
        tools = await lane(page, "react").locator(".tool span:first-child").all_text_contents()
        assert tools == ["depth_of", "depth_of", "finish"]
        await expect(lane(page, "extract")).to_contain_text("By 0.8 m.")


async def test_the_keyboard_is_enough(browser: Browser, edge: Gateway, lm: Faucet) -> None:
    async with page_of(browser, f"{edge.url}/") as page:
        await expect(page.locator("#ask")).to_be_visible()
        await focus_by_tab(page, "composer")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("composer")
        await focus_by_tab(page, "Why do parallel branches feel faster?")
        await page.keyboard.press("Control+a")
        await page.keyboard.type("Why does water hurry?")
        await page.keyboard.press("Control+Enter")
        await expect(state(page)).to_have_text("Running")
        await focus_by_tab(page, "Stop")
        await page.keyboard.press("Enter")
        await expect(state(page)).to_have_text("Stopped")


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
async def test_nothing_hangs_over_the_edge(
    browser: Browser, edge: Gateway, lm: Faucet, width: int
) -> None:
    lm.open()

    async with page_of(browser, f"{edge.url}/#composer", width=width) as page:
        await ask(page)
        await expect(state(page)).to_have_text("Done")
        assert await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


async def test_a_gateway_without_its_server_says_so_and_tries_again(
    browser: Browser, server: str
) -> None:
    async with cutting(int(server.rpartition(":")[2])) as way:
        way.is_down = True

        async with (
            gateway(f"127.0.0.1:{way.port}") as edge,
            page_of(browser, f"{edge.url}/") as page,
        ):
            await expect(page.get_by_role("alert")).to_contain_text("cannot reach")
            way.is_down = False

            async with asyncio.timeout(BOUND):
                while (await edge.http.get("/v1/server")).status_code != 200:
                    pass

            await page.get_by_role("button", name="Try again").click()
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
            await expect(page.get_by_role("alert")).to_be_hidden()


async def test_a_gateway_with_a_token_asks_for_it(browser: Browser, server: str) -> None:
    async with (
        gateway(server, token="sesame") as edge,
        page_of(browser, f"{edge.url}/") as page,
    ):
        await page.get_by_role("textbox", name="This gateway asks for a token").fill("sesame")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()


async def test_who_listens_hears_what_happens(browser: Browser, edge: Gateway, lm: Faucet) -> None:
    async with page_of(browser, f"{edge.url}/#composer") as page:
        said = page.get_by_role("status")
        await ask(page)
        await expect(said).to_have_text("Pulling evidence...")
        lm.open()
        await expect(said).to_have_text("The answer is there.")


async def test_events_are_the_same_however_their_bytes_are_cut(
    browser: Browser, edge: Gateway
) -> None:
    stream = (
        ': hi\r\nretry: 1\nid: a:1\ndata: {"x":1}\n\ndata: two\ndata:  lines\r\r: \nid\ndata\n\n'
    )
    wanted = [
        {"id": "a:1", "data": '{"x":1}'},
        {"id": "a:1", "data": "two\n lines"},
        {"id": "", "data": ""},
    ]

    async with page_of(browser, edge.url) as page:
        found = await page.evaluate(
            """async (stream) => {
                const { Parser } = await import("./sse.js");
                const seen = new Set();
                for (let size = 1; size <= stream.length; size += 1) {
                    const parser = new Parser();
                    const events = [];
                    for (let at = 0; at < stream.length; at += size)
                        events.push(...parser.feed(stream.slice(at, at + size)));
                    seen.add(JSON.stringify(events));
                }
                return [...seen].map(JSON.parse);
            }""",
            stream,
        )

    assert found == [wanted]


async def test_text_follows_its_offsets_in_code_points(browser: Browser, edge: Gateway) -> None:
    tokens = [(0, "🌊 wa"), (4, "ter 🛶"), (4, "ter 🛶"), (8, "!"), (2, "mill"), (6, "")]

    async with page_of(browser, edge.url) as page:
        texts = await page.evaluate(
            """async (tokens) => {
                const { FieldText } = await import("./transcript.js");
                const text = new FieldText();
                return tokens.map(([offset, chunk]) => (text.apply(offset, chunk, false), text.text));
            }""",
            tokens,
        )

    assert texts == ["🌊 wa", "🌊 water 🛶", "🌊 water 🛶", "🌊 water !", "🌊 mill", "🌊 mill"]


WHOLE = {
    "ideas brainstorm.reasoning": REASONING["brainstorm"],
    "ideas brainstorm.brainstorm": IDEAS,
    "evidence probe.reasoning": REASONING["evidence"],
    "evidence probe.evidence": EVIDENCE,
    "compose reasoning": REASONING["answer"],
    "compose answer": ANSWER,
}


async def shown_texts(page: Page) -> dict[str, str]:
    """Every text on the board, by lane and label."""
    texts: dict[str, str] = await page.locator(".lane").evaluate_all(
        """(lanes) => Object.fromEntries(lanes.flatMap((lane) =>
            [...lane.querySelectorAll(".row")].map((row) => [
                `${lane.querySelector("h3").textContent} ${row.querySelector("h4").textContent}`,
                row.querySelector(".text").textContent,
            ])))"""
    )

    return texts


async def focus_by_tab(page: Page, text: str) -> None:
    """Presses Tab until what is focused has a text or a value."""
    for _ in range(20):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(
            "document.activeElement.value || document.activeElement.textContent"
        )

        if focused == text:
            return

    raise AssertionError(f"Tab does not lead to {text!r}")
