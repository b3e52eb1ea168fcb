"""The main job in real browsers, as people do it: from the shop to the desk, through the mail, and back."""

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browsers import RETURN_MS, device, log, say, sign_in, visit_shop, waiting
from tests.checker.log import chains_hold
from tests.conftest import Serve
from tests.dump import read_dump
from tests.servers import Server

pytestmark = pytest.mark.browser


def test_nothing_is_lost_from_the_shop_to_the_mail_and_back(browser: Browser, serve: Serve) -> None:
    server = serve("demo", SETTLE_SECONDS="2")
    with device(browser) as of_robin, device(browser) as of_ann, device(browser) as of_anns_phone:
        desk = sign_in(of_robin, server)
        expect(desk.get_by_text("Nobody is waiting.")).to_be_visible()

        page, widget = visit_shop(of_ann, server)
        widget.get_by_text("Add your name or e-mail").click()
        widget.get_by_label("Your name").fill("Ann")
        widget.get_by_label("E-mail for the transcript").fill("ann@gmail.com")
        say(widget, "Is the marzipan tea vegan?")
        expect(log(widget)).to_contain_text("Is the marzipan tea vegan?")

        expect(waiting(desk)).to_contain_text("Is the marzipan tea vegan?")
        waiting(desk).click()
        desk.get_by_role("button", name="Accept").click()
        expect(widget.get_by_text("Robin is with you")).to_be_visible()
        say(desk, "Yes, it is")
        expect(log(widget)).to_contain_text("Yes, it is")

        page.close()
        say(desk, "And it has no nuts")
        page, widget = visit_shop(of_ann, server)
        for text in ("Is the marzipan tea vegan?", "Yes, it is", "And it has no nuts"):
            expect(log(widget)).to_contain_text(text)
        say(widget, "Wonderful")
        expect(log(desk)).to_contain_text("Wonderful")

        desk.get_by_role("button", name="Close", exact=True).click()
        expect(widget.get_by_text("This chat has ended.").first).to_be_visible()

        expect(widget.get_by_text("The transcript was mailed to ann@gmail.com.")).to_be_visible()
        mails = desk.get_by_role("region", name="Mails")
        expect(mails).to_contain_text("Transcript")
        expect(mails).to_contain_text("Sent")
        mails.get_by_role("button", name="Send again").click()
        expect(mails.get_by_role("listitem")).to_have_count(2)
        expect(mails).to_contain_text("Copy")

        phone = follow_the_mail(of_anns_phone, server)
        for text in ("Is the marzipan tea vegan?", "Wonderful"):
            expect(log(phone)).to_contain_text(text)
        say(phone, "How much is it?")
        expect(log(widget)).to_contain_text("How much is it?")

        expect(waiting(desk)).to_contain_text("How much is it?")
        desk.get_by_role("combobox", name="Search all messages").fill("marzipan")
        hit = desk.get_by_role("link").filter(has=desk.locator("mark", has_text="marzipan"))
        hit.click()
        expect(log(desk)).to_contain_text("Is the marzipan tea vegan?")
        expect(log(desk)).to_contain_text("How much is it?")
        expect(log(desk)).to_contain_text("Thread 2")
    dump = read_dump(server.database_url)
    assert list(chains_hold([], dump)) == []
    (chat,) = dump.chats.values()
    assert chat["thread"] == 2


def follow_the_mail(context: BrowserContext, server: Server) -> Page:
    """Reads the mail in the outbox, and presses its button and that of the page behind it."""
    outbox = context.new_page()
    outbox.goto(f"{server.url}/outbox")
    outbox.locator(".mails .subject a").first.click()
    mail = outbox.frame_locator("iframe[title='The mail']")
    expect(mail.get_by_text("And it has no nuts").last).to_be_visible()
    with context.expect_page() as opened:
        mail.locator("a[href*='/link#']").first.click()
    phone = opened.value
    phone.get_by_role("button", name="Continue the chat").click()
    phone.wait_for_url("**/chat")
    return phone


def test_what_is_written_without_a_network_is_sent_when_it_is_back(browser: Browser, serve: Serve) -> None:
    server = serve("demo")
    with device(browser) as of_ann:
        _, widget = visit_shop(of_ann, server)
        say(widget, "Hello")
        expect(widget.get_by_title("Sent")).to_have_count(1)
        server.kill()
        say(widget, "Are you there?")
        expect(widget.get_by_text("Offline. Your message will be sent.")).to_be_visible()
        server.start()
        expect(widget.get_by_title("Sent")).to_have_count(2, timeout=RETURN_MS)
    (chat,) = read_dump(server.database_url).chats
    assert read_dump(server.database_url).said(chat) == ["Hello", "Are you there?"]
