"""The pages that mails lead to, in a real browser, in the reader's language."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from history.sentences import CODES, language_of
from tests.browsers import axe
from tests.servers import Server
from tests.set_up import judges
from tests.web import ask

pytestmark = pytest.mark.browser

PAGES = ("/mail/confirm#nothing", "/mail/mute/nothing")


@contextmanager
def visited(browser: Browser, server: Server, path: str, code: str, dark: bool = False) -> Iterator[Page]:
    viewport = {"width": 320, "height": 640}
    page = browser.new_page(locale=code, color_scheme="dark" if dark else "light", viewport=viewport)  # type: ignore[arg-type]
    page.goto(f"{server.url}{path}")
    yield page
    page.close()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("code", ["en", "ar", "ja"])
def test_everybody_can_read_them(browser: Browser, server: Server, path: str, code: str) -> None:
    judges()
    for dark in (False, True):
        with visited(browser, server, path, code, dark) as page:
            assert axe(page)["violations"] == []
            assert page.locator("html").get_attribute("dir") == language_of(code).direction
            assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_a_link_that_is_not_known_is_told_in_words(browser: Browser, server: Server) -> None:
    german = language_of("de")
    with visited(browser, server, "/mail/confirm#nothing", "de") as page:
        page.get_by_role("button", name=german.say("page_copy_button")).click()
        expect(page.get_by_role("status")).to_have_text(german.say("page_lost"))
    with visited(browser, server, "/mail/mute/nothing", "de") as page:
        expect(page.get_by_role("status")).to_have_text(german.say("page_lost"))


def test_they_speak_the_browsers_language_or_english(server: Server) -> None:
    for wanted, spoken in [*((code, code) for code in CODES), ("fr-CA,en;q=0.5", "fr"), ("hi, xx;q=0.9", "en")]:
        answer = ask(server.port, "GET", "/mail/confirm", Accept_Language=wanted)
        assert language_of(spoken).say("page_copy_title") in answer.body.decode()
