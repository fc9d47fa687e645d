"""The status page in a real browser: live, without errors, on a phone, in the dark, without JavaScript, by keyboard."""

import asyncio
import time
from collections.abc import Callable, Iterator

import msgspec
import pytest

from sluicegate.agents.status.snapshot import Notice
from sluicegate.agents.telemetry.recent import Recent
from tests.support.browser import Browser, browser
from tests.support.node import TOOLS, node_modules
from tests.support.status_pages import GOOD, MadeUp, made_up

HOSTILE = '<img src=x onerror="document.title=1">\u202e'
TEXT = "return document.querySelector(arguments[0]).textContent"
AXE = """
const done = arguments[arguments.length - 1];
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
axe.run(document, {runOnly: rules}).then((found) => {
  const places = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target}: ${node.failureSummary}`);
  done([found.violations.flatMap(places), found.passes.length]);
});
"""
"""What axe-core finds against WCAG 2.2 at level AA and its best practices, and how many of its rules are met."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def wait(condition: Callable[[], object], timeout_s: float = 20) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def busy(process: MadeUp) -> None:
    """Let everything be on the page."""
    process.decide(300)
    process.decide(40, "review")
    process.telemetry.recent.add("review", Recent(HOSTILE, category="hate", reason="review_threshold:hate"))
    process.telemetry.recent.add("deadletter", Recent(HOSTILE, error_type="ContractError"))
    notices = (Notice("Kafka has not answered for 4 s.", "Look at the brokers.", serious=True), Notice("So.", "Do."))
    process.standing = msgspec.structs.replace(GOOD, state="Not ready", notices=notices)


async def test_the_page_follows_the_process_without_a_reload_and_the_console_stays_empty(chromium: Browser) -> None:
    async with made_up() as process:

        def look() -> None:
            chromium.look(process.url)
            wait(lambda: chromium.run(TEXT, "#live").startswith("Live."))
            assert chromium.run(TEXT, "#state") == "Ready"
            chromium.run("window.same = document.querySelector('#figures').firstElementChild")
            busy(process)
            wait(lambda: chromium.run(TEXT, "#state") == "Not ready")
            assert "Kafka has not answered for 4 s." in chromium.run(TEXT, "#notices")
            assert chromium.run(TEXT, "#announce").startswith("Not ready. Kafka has not answered")
            wait(lambda: "<U+202E>" in chromium.run(TEXT, "#sections"))
            assert chromium.run("return window.same === document.querySelector('#figures').firstElementChild")
            assert chromium.run("return document.querySelectorAll('#sections img, #sections script').length") == 0
            assert chromium.run("return document.title").startswith("Not ready · worker of queries.raw")
            process.standing = GOOD
            wait(lambda: chromium.run(TEXT, "#notices").strip() == "")
            assert chromium.complaints() == []

        await asyncio.to_thread(look)


async def test_the_page_says_when_the_process_has_gone(chromium: Browser) -> None:
    async with made_up() as process:
        await asyncio.to_thread(chromium.look, process.url)
        await asyncio.to_thread(wait, lambda: chromium.run(TEXT, "#live").startswith("Live."))

    await asyncio.to_thread(wait, lambda: "The process has sent nothing for" in chromium.run(TEXT, "#live"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
async def test_the_page_fits_and_is_accessible_in_both_colour_schemes(
    chromium: Browser, width: int, scheme: str
) -> None:
    async with made_up() as process:
        busy(process)

        def look() -> None:
            chromium.look(process.url, width=width, scheme=scheme)
            wait(lambda: "<U+202E>" in chromium.run(TEXT, "#sections"))
            assert chromium.run("return document.documentElement.scrollWidth <= innerWidth")
            background = chromium.run("return getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, background.strip("rgb()").split(","))) < 200) == (scheme == "dark")
            assert chromium.complaints() == []
            chromium.run("document.querySelector('details').open = true")
            chromium.run((node_modules(TOOLS) / "axe-core" / "axe.min.js").read_text())
            violations, rules_met = chromium.run_async(AXE)
            assert violations == []
            assert rules_met > 20

        await asyncio.to_thread(look)


async def test_a_screen_reader_and_a_keyboard_find_their_way(chromium: Browser) -> None:
    async with made_up() as process:
        busy(process)

        def look() -> None:
            chromium.look(process.url)
            wait(lambda: "<U+202E>" in chromium.run(TEXT, "#sections"))
            roles = chromium.roles()
            for role in ("banner", "main", "contentinfo", "status"):
                assert [found for found, _ in roles if found == role] == [role]
            headings = [name for role, name in roles if role == "heading"]
            assert headings[:3] == ["Sluicegate", "What is wrong", "Now"]
            assert len(headings) == len(set(headings))
            assert all(name for role, name in roles if role in ("region", "image"))
            assert {"columnheader", "rowheader"} <= {role for role, _ in roles}
            reached = {chromium.press_tab() for _ in range(20)}
            assert {"DIV", "SUMMARY", "A"} <= reached

        await asyncio.to_thread(look)


async def test_without_javascript_the_page_is_a_snapshot(chromium: Browser) -> None:
    async with made_up() as process:
        busy(process)

        def shown() -> str:
            chromium.look(process.url, scripts=False)
            return " ".join(name for _, name in chromium.roles())

        try:
            await asyncio.to_thread(wait, lambda: "Kafka has not answered for 4 s." in shown())
            page = await asyncio.to_thread(shown)
        finally:
            await asyncio.to_thread(chromium.look, "about:blank")
    assert "A snapshot of 2" in page
    assert "Reload the page for a new one." in page
    assert "Throughput" in page
