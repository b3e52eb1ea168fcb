"""Real browsers, and what people do in them. The fixture `browser` stands in conftest.py.

`device` is a browser of somebody's own: cookies, storage and chats are shared by its pages, and with nobody else's.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, Page, expect, sync_playwright

from tests.servers import Server
from tests.set_up import BROWSER, judges, wanted

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 20_000
RETURN_MS = 60_000
"""So long a page may take to find a server that was away: half a minute may lie between two tries."""

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN_AXE = """tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']}).then(result => ({
    rules: result.passes.length,
    violations: result.violations.map(one => `${one.id}: ${one.nodes[0].html}`),
}))"""

Widget = FrameLocator | Page
"""The chat, in its frame on somebody's page or as a page of its own."""


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser for the tests of one module; without one they are skipped."""
    path = wanted(BROWSER)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


@contextmanager
def device(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of somebody's own. An error in a script of ours fails the test."""
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(PATIENCE_MS)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


def visit_shop(context: BrowserContext, server: Server) -> tuple[Page, FrameLocator]:
    """The shop's page, and the chat in its corner, opened if it is not."""
    page = context.new_page()
    page.goto(f"{server.url}/demo")
    opener = page.get_by_role("button", name=re.compile("^(Open|Close) chat"))
    if opener.get_attribute("aria-expanded") == "false":
        opener.click()
    return page, page.frame_locator("iframe[title=Chat]")


def say(widget: Widget, text: str) -> None:
    field = widget.get_by_role("textbox", name="Your message")
    field.fill(text)
    field.page.keyboard.press("Enter")  # the first message replaces the field, so nothing may wait for it


def log(widget: Widget) -> Locator:
    return widget.get_by_role("log", name="Messages")


def sign_in(context: BrowserContext, server: Server) -> Page:
    """The desk, by the one-time link that the demo prints."""
    link = re.search(r"http\S+/desk/sign-in#\S+", server.log.read_text())
    assert link
    page = context.new_page()
    page.goto(link[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/desk")
    return page


def waiting(desk: Page) -> Locator:
    return desk.get_by_role("list", name="Waiting").get_by_role("link")


def axe(page: Page) -> Any:
    """What axe-core finds in a page: `violations` in words, and how many `rules` were kept. Skips without npm."""
    if not page.evaluate("'axe' in window"):
        page.evaluate((judges() / "axe-core" / "axe.min.js").read_text())
    return page.evaluate(RUN_AXE, AXE_TAGS)
