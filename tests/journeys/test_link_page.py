"""The pages behind the links of mails, in a real browser: a scanner opens them and uses nothing up, a person presses
the button; somebody to whom the mail was forwarded is asked for a code.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from history.sentences import CODES, language_of
from tests.browsers import axe, device, log
from tests.conftest import Serve
from tests.dump import everything
from tests.journeys.test_link_codes import CODE
from tests.journeys.test_links import ended_chat
from tests.journeys.test_mail import asks, deliveries, mail_of, talk, text_of
from tests.journeys.test_mail_pages import visited
from tests.people import Customer
from tests.record import Record
from tests.servers import Server
from tests.set_up import judges
from tests.web import ask

pytestmark = pytest.mark.browser

VISITS = 20
SCANNED = "return Promise.all([...document.querySelectorAll('*')].map(one => one.scrollIntoView()))"


@pytest.fixture
def prompt(serve: Serve) -> Server:
    """A server that mails a transcript, and an unread answer, at once."""
    return serve(SETTLE_SECONDS="0", AWAY_MAIL_SECONDS="1")


def mailed(person: Customer, kind: str) -> tuple[str, str]:
    """Id and text of the person's mail of this kind, once it is there."""
    folder: Path = person.server.folder
    found: list[str] = []

    def is_there() -> bool:
        found[:] = [
            item["id"] for item in deliveries(person, person.chat) if (item["kind"], item["state"]) == (kind, "sent")
        ]
        return bool(found)

    person.until(is_there, f"a mail of kind {kind}", patience_s=20)
    return found[0], text_of(mail_of(folder, found[0]))


def links_in(text: str, server: Server) -> list[str]:
    """The links of a mail that lead to us."""
    return re.findall(rf"{re.escape(server.url)}/\S+", text)


def test_a_scanner_with_a_browser_opens_every_link_and_uses_none_up(
    browser: Browser, prompt: Server, record: Record
) -> None:
    ann, robin = talk(prompt, record)
    asks(ann, ann.chat, email="sam@gmail.com")
    ann.leaves()
    robin.says("It left the depot")
    ann.comes_back()
    texts = [mailed(ann, kind)[1] for kind in ("away", "confirm")]
    robin.closes()
    texts.append(mailed(ann, "transcript")[1])
    links = sorted({link for text in texts for link in links_in(text, prompt)})
    kinds = ("/link#", "/mail/confirm#", "/mail/mute/")
    assert all(any(kind in link for link in links) for kind in kinds), links
    ann.leaves()
    settled = everything(prompt.database_url)
    for link in links:
        for method in ("HEAD", *["GET"] * VISITS):
            assert ask(prompt.port, method, link.removeprefix(prompt.url).partition("#")[0]).status == 200
        with device(browser) as scanner:
            for _ in range(2):
                page = scanner.new_page()
                page.goto(link)
                page.wait_for_load_state("networkidle")
                page.evaluate(f"() => {{ {SCANNED} }}")
                if "/link#" in link:
                    page.wait_for_url("**/link")  # the secret leaves the address
            assert scanner.cookies() == []
            assert page.evaluate("Object.keys(localStorage)") == []
    assert everything(prompt.database_url) == settled
    link = next(link for link in links if "/link#" in link)
    with device(browser) as of_ann:
        page = of_ann.new_page()
        page.goto(f"{prompt.url}/link#nothing")
        page.wait_for_url("**/link")
        page.goto(link)  # in the same tab, which loads the page only if it asks for it
        page.wait_for_url("**/link")
        page.get_by_role("button", name="Continue the chat").click()
        expect(log(page)).to_contain_text("It left the depot")


@pytest.fixture
def forwarded(prompt: Server, record: Record) -> tuple[Customer, str]:
    """A customer who has used the link of their mail, and the link."""
    ann, _ = ended_chat(prompt, record)
    (link,) = (link for link in links_in(mailed(ann, "transcript")[1], prompt) if "/link#" in link)
    assert ann.redeems(link.partition("#")[2], "n" * 20).status == 200
    return ann, link


def test_who_opens_a_forwarded_mails_link_is_asked_for_the_code_that_its_owner_gets(
    browser: Browser, forwarded: tuple[Customer, str]
) -> None:
    ann, link = forwarded
    say = language_of("de").say
    with visited(browser, ann.server, link.removeprefix(ann.server.url), "de") as page:
        page.get_by_role("button", name=say("page_link_button")).click()
        expect(page.get_by_role("alert")).to_have_text(say("page_link_used"))
        page.get_by_role("button", name=say("page_code_button")).click()
        expect(page.get_by_role("status")).to_have_text(say("page_code_sent"))
        field = page.get_by_label(say("page_code_label"))
        expect(field).to_be_focused()
        field.fill("aaaa-aaaa")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_have_text(say("page_code_wrong"))
        assert page.evaluate("Object.keys(localStorage)") == []
        code = CODE.search(mailed(ann, "code")[1])
        assert code
        field.fill(code[0])
        field.press("Enter")
        page.wait_for_url("**/chat")
        expect(log(page)).to_contain_text("At the depot")


@pytest.mark.parametrize("code", ["en", "ar", "ja"])
def test_everybody_can_read_the_page_of_a_link(browser: Browser, forwarded: tuple[Customer, str], code: str) -> None:
    judges()
    ann, link = forwarded
    for dark in (False, True):
        with visited(browser, ann.server, link.removeprefix(ann.server.url), code, dark) as page:

            def fits() -> bool:
                return axe(page)["violations"] == [] and page.evaluate("document.documentElement.scrollWidth") == 320

            assert page.locator("html").get_attribute("dir") == language_of(code).direction
            assert fits()
            page.locator("#open").click()
            page.locator("#mail").click()
            expect(page.get_by_role("status")).not_to_be_empty()
            assert fits()


def test_the_page_of_a_link_speaks_the_browsers_language_or_english(server: Server) -> None:
    for wanted, spoken in [*((code, code) for code in CODES), ("fr-CA,en;q=0.5", "fr"), ("hi, xx;q=0.9", "en")]:
        answer = ask(server.port, "GET", "/link", Accept_Language=wanted)
        assert language_of(spoken).say("page_link_text") in answer.body.decode()
        assert answer.headers["Vary"] == "Accept-Language"
