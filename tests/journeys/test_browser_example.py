"""The page in docs/client.md works as it stands there, for whoever copies it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browsers import device, say
from tests.conftest import Serve
from tests.people import Agent
from tests.record import Record

pytestmark = pytest.mark.browser

DOCS = Path(__file__).parents[2] / "docs" / "client.md"


def test_the_page_of_the_docs_has_a_conversation(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve()
    robin = Agent(record, "Robin").signs_in(server)
    snippet = re.search(r"```html\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert snippet
    address = f"{server.url}/own-page"
    with device(browser) as of_ann:
        of_ann.route(
            address, lambda route: route.fulfill(body=f"<!doctype html>{snippet[1]}", content_type="text/html")
        )
        page = of_ann.new_page()
        page.goto(address)
        say(page, "Hello <b>there</b>")
        expect(lines(page)).to_have_text(["Hello <b>there</b>"])
        say(page, "Anybody?")
        robin.until(lambda: bool(robin.queue.get("waiting")), "somebody who waits")
        robin.accepts(robin.queue["waiting"][0]["chat"])
        robin.sees("Anybody?")
        robin.says("Yes")
        expect(lines(page)).to_have_text(["Hello <b>there</b>", "Anybody?", "Yes"])
        page.reload()
        expect(lines(page)).to_have_text(["Hello <b>there</b>", "Anybody?", "Yes"])


def lines(page: Page) -> Locator:
    return page.get_by_role("listitem")
