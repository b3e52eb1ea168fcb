"""How our mails look and read in a real browser, as a stand-in for mail programs: narrow and wide, light and dark, with
styles taken away, in languages that run both ways.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from playwright.sync_api import Browser, Page

from history.mail.compose import html_part
from history.mail.letter import Letter
from history.mail.samples import SAMPLES, chats, sample
from history.transcript_formats import as_html
from tests.browsers import OPTIONS, axe, launched
from tests.set_up import BROWSER, judges, wanted

pytestmark = pytest.mark.browser

WIDTHS, HEIGHT = (320, 700), 640
LANGUAGES = ("en", "ar", "ja")
KINDS = ("away", "unproven")
"""Between them they have all that a mail can have."""

VIEWS = ("light", "dark", "forced dark", "stripped")

STRIP = """() => {
    document.querySelectorAll('style').forEach(element => element.remove());
    document.querySelectorAll('[class]').forEach(element => element.removeAttribute('class'));
}"""


class Desk:
    """Where mails are looked at, one after the other, in pages that may ask the network for nothing."""

    def __init__(self, plain: Browser, forced: Browser) -> None:
        self.pages = {view: (forced if view == "forced dark" else plain).new_page() for view in VIEWS}
        self.asked: list[str] = []
        for page in self.pages.values():
            page.on("request", lambda request: self.asked.append(request.url))
        self.pages["dark"].emulate_media(color_scheme="dark")

    def show(self, html: str, width: int = 320, view: str = "light") -> Page:
        page = self.pages[view]
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.set_content(html)
        if view == "stripped":
            page.evaluate(STRIP)
        return page


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with launched() as plain:
        options = [*OPTIONS, "--blink-settings=forceDarkModeEnabled=true"]
        forced = plain.browser_type.launch(executable_path=wanted(BROWSER), args=options)
        desk = Desk(plain, forced)
        yield desk
        forced.close()
    assert desk.asked == [], "a mail loads nothing"


def html_of(letter: Letter) -> str:
    return html_part(letter)[0]


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    pixels: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return pixels


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("code", LANGUAGES)
def test_everybody_can_read_it_in_every_view(desk: Desk, code: str, view: str) -> None:
    judges()
    for name, width in product(KINDS, WIDTHS):
        page = desk.show(html_of(sample(name, code)), width, view)
        seen = axe(page)
        assert (name, width, seen["violations"]) == (name, width, [])
        assert seen["rules"] > 20
        assert sideways(page) == 0


def test_the_judge_of_reading_bites(desk: Desk) -> None:
    judges()
    page = desk.show(html_of(sample("away", "en")).replace("#5c5952", "#bbbbbb"))
    assert any("color-contrast" in one for one in axe(page)["violations"])


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "code"])
def test_the_button_is_on_the_first_screen_of_a_phone(desk: Desk, name: str) -> None:
    for code in chats():
        letter = sample(name, code)
        page = desk.show(html_of(letter))
        box = page.get_by_role("link", name=letter.say("button")).bounding_box()
        assert box is not None
        assert (code, box["y"] + box["height"] <= HEIGHT) == (code, True)
        assert box["height"] >= 44, "a thumb must find it"


def test_the_code_is_on_the_first_screen_of_a_phone(desk: Desk) -> None:
    for code in chats():
        letter = sample("code", code)
        box = desk.show(html_of(letter)).get_by_text(letter.code, exact=True).bounding_box()
        assert box is not None
        assert (code, box["y"] + box["height"] <= HEIGHT) == (code, True)


@pytest.mark.parametrize("text", ["x" * 5000, "https://example.com/" + "y" * 5000, "مرحبا" * 1000])
def test_words_without_end_do_not_widen_the_page(desk: Desk, text: str) -> None:
    letter = sample("transcript", "en")
    said = tuple(replace(entry, data={**entry.data, "text": text}) for entry in letter.transcript.entries[:5])
    page = desk.show(html_of(replace(letter, transcript=replace(letter.transcript, entries=said))))
    assert sideways(page) == 0


def test_a_line_finds_its_own_direction_in_a_mail_of_the_other(desk: Desk) -> None:
    page = desk.show(html_of(sample("transcript", "ar")), 700)
    direction = "element => getComputedStyle(element).direction"
    assert page.locator("html").evaluate(direction) == "rtl"
    assert page.get_by_text("منبعجة").evaluate(direction) == "rtl"
    assert page.get_by_text("Mira", exact=True).first.evaluate(direction) == "ltr"


@pytest.mark.parametrize("view", ["light", "dark"])
def test_the_transcript_as_a_page_reads_as_well(desk: Desk, view: str) -> None:
    judges()
    for code, width in product(LANGUAGES, WIDTHS):
        letter = sample("transcript", code)
        html = as_html(letter.transcript, letter.brand, letter.locale, letter.time_zone)
        page = desk.show(html, width, view)
        assert (code, width, axe(page)["violations"], sideways(page)) == (code, width, [], 0)
