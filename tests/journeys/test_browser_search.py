"""Search in real browsers: at the desk by its field, chips and facets; in the widget in the own chats only."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from history.db import Store, driver_of
from tests.browsers import Widget, device, log, say, sign_in, visit_shop
from tests.conftest import Serve
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server
from tests.web import ask

pytestmark = pytest.mark.browser

TOKEN = "localStorage.getItem('stillhere.token')"


def field(desk: Page) -> Locator:
    return desk.get_by_role("combobox", name="Search all messages")


def chats(desk: Page) -> Locator:
    return desk.get_by_role("list", name="Chats found").locator("> li")


def chips(desk: Page) -> Locator:
    return desk.get_by_role("list", name="Conditions").get_by_role("button")


def waits_for_index(person: Customer, q: str, total: int) -> None:
    person.until(lambda: person.asks("GET", f"/search?q={q}").json["total"] == total, f"{total} of {q} in the index")


def test_an_agent_narrows_a_search_by_keyboard_chips_and_facets(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve("demo")
    ann = Customer(record, "Ann").starts(server, "the first marzipan tea")
    for number in range(60):
        ann.says(f"about the weather {number}")
    ann.says("a second marzipan tea")
    ann.says("and a third one of marzipan")
    for name in ("Bea", "Cleo", "Dora", "Emil"):
        Customer(record, name).starts(server, "marzipan, please")
    robin = Agent(record, "Ray").signs_in(server)
    robin.accepts(ann.chat)
    robin.says("Marzipan is here")
    robin.closes()
    waits_for_index(ann, "marzipan", 4)
    with device(browser) as of_robin:
        desk = sign_in(of_robin, server)
        field(desk).fill("marzipan")
        expect(chats(desk)).to_have_count(5)
        expect(desk.get_by_text("8 messages in 5 chats")).to_be_visible()

        field(desk).press_sequentially(" is:c")
        expect(desk.get_by_role("option", name="closed")).to_be_visible()
        field(desk).press("ArrowDown")
        field(desk).press("Enter")
        expect(chips(desk)).to_have_text([re.compile("is:closed")])
        expect(chats(desk)).to_have_count(1)
        expect(chats(desk)).to_contain_text("and a third one of marzipan")  # said before the hit
        expect(chats(desk).locator("mark")).to_have_text("Marzipan")

        desk.get_by_text("Narrow down").click()
        desk.get_by_role("button", name="Customers 3").click()
        expect(chips(desk)).to_have_text([re.compile("is:closed"), re.compile("from:customer")])
        chats(desk).get_by_role("button", name="2 more in this chat").click()
        expect(chats(desk).get_by_role("link")).to_have_count(3)

        shared = of_robin.new_page()
        shared.goto(desk.url)
        expect(chats(shared)).to_have_count(1)
        expect(field(shared)).to_have_value("marzipan is:closed from:customer")

        chats(desk).get_by_role("link").filter(has_text="the first").click()
        expect(log(desk).locator(".flash")).to_have_text(re.compile("the first marzipan tea"))
        expect(log(desk).get_by_text("the first marzipan tea")).to_be_in_viewport()

        chips(desk).first.focus()
        desk.keyboard.press("Enter")
        expect(chips(desk)).to_have_text([re.compile("from:customer")])
        expect(field(desk)).to_be_focused()
        expect(field(desk)).to_have_value("marzipan from:customer")

        desk.get_by_label("Order").select_option("Oldest first")
        expect(field(desk)).to_have_value("marzipan from:customer sort:old")
        expect(chats(desk).first).to_contain_text("Ann")

        field(desk).fill("marzipna")
        desk.get_by_role("button", name="marzipan", exact=True).click()
        expect(chats(desk)).to_have_count(5)


def test_the_desk_shows_solved_chats_like_the_open_one(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve("demo")
    old = Customer(record, "Ann").starts(server, "the thermostat of my radiator drips")
    robin = Agent(record, "Ray").signs_in(server)
    robin.accepts(old.chat)
    robin.says("tighten the valve")
    robin.closes()
    for number in range(20):
        Customer(record, f"Somebody {number}").starts(server, f"something else {number}")
    new = Customer(record, "Bea").starts(server, "my radiator drips at the thermostat")
    waits_for_index(new, "radiator", 1)
    waits_for_index(old, "radiator", 1)
    with device(browser) as of_robin:
        desk = sign_in(of_robin, server)
        desk.goto(f"{server.url}/desk#chat/{new.chat}")
        alike = desk.get_by_role("region", name="Similar solved chats").get_by_role("link")
        expect(alike).to_have_count(1)
        expect(alike).to_contain_text("the thermostat of my radiator drips")
        expect(alike).to_contain_text("Both say")
        alike.click()
        expect(log(desk)).to_contain_text("tighten the valve")


def test_while_the_index_is_made_people_are_told_and_find_the_newest(
    browser: Browser, serve: Serve, record: Record
) -> None:
    server = serve("demo")
    with device(browser) as of_ann, device(browser) as of_robin:
        _, widget = visit_shop(of_ann, server)
        say(widget, "Is the marzipan tea vegan?")
        expect(widget.get_by_title("Sent")).to_have_count(1)
        desk = sign_in(of_robin, server)
        field(desk).fill("marzipan vegan")
        expect(chats(desk)).to_have_count(1)
        expect(desk.locator("#degraded")).to_be_hidden()
        forget_that_it_is_whole(server)
        field(desk).fill("marzipan")
        expect(desk.get_by_text("Only the newest messages are searched until then.")).to_be_visible()
        expect(chats(desk)).to_contain_text("Is the marzipan tea vegan?")
        opens_search(widget).fill("marzipan")
        expect(widget.get_by_text("Only the newest messages could be searched just now.")).to_be_visible()
        widget.get_by_role("button", name="Is the marzipan tea vegan?").click()
        expect(log(widget).locator(".flash")).to_contain_text("vegan")


def forget_that_it_is_whole(server: Server) -> None:
    """As it is while an index is made for the first time; the next sweep, in half a minute, sets it right."""
    store = Store(server.database_url)
    with store.engine.connect().execution_options(writes=True) as connection, connection.begin():
        driver_of(connection).run("UPDATE index_state SET whole = ?", False)
    store.close()


def opens_search(widget: Widget) -> Locator:
    widget.get_by_role("button", name="Search your messages").click()
    return widget.get_by_role("searchbox", name="Search your messages")


def test_a_customer_finds_own_words_and_nobody_elses(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve("demo")
    Customer(record, "Bea").starts(server, "canary of Bea")
    with device(browser) as of_ann:
        page, widget = visit_shop(of_ann, server)
        say(widget, "the very first marzipan")
        expect(widget.get_by_title("Sent")).to_have_count(1)
        token = next(frame for frame in page.frames if "/widget" in frame.url).evaluate(TOKEN)
        chat = ask(server.port, "GET", "/api/v1/chats", None, token).json["items"][0]["chat"]
        robin = Agent(record, "Ray").signs_in(server)
        robin.accepts(chat)
        robin.notes("canary marzipan")
        for number in range(120):
            robin.says(f"about the weather {number}")
        second = {"new": True, "message": {"id": "0123456789abcdef", "data": {"text": "marzipan once more"}}}
        other = ask(server.port, "POST", "/api/v1/chats", second, token).json["chat"]
        robin.until(
            lambda: ask(server.port, "GET", "/api/v1/search?q=marzipan", None, token).json["total"] == 2, "the index"
        )

        search = opens_search(widget)
        expect(search).to_be_focused()
        search.fill("canary")
        expect(widget.get_by_text("Nothing found.")).to_be_visible()
        search.fill("marzip*")
        expect(widget.get_by_text("2 messages")).to_be_visible()
        search.press("Tab")  # the way back
        search.page.keyboard.press("Tab")
        expect(widget.get_by_role("button", name="marzipan once more")).to_be_focused()
        search.page.keyboard.press("Tab")
        search.page.keyboard.press("Enter")
        expect(log(widget).locator(".flash")).to_contain_text("the very first marzipan")
        expect(log(widget).get_by_text("the very first marzipan")).to_be_in_viewport()

        opens_search(widget).fill("marzipan")
        search.page.keyboard.press("Escape")
        expect(widget.get_by_role("textbox", name="Your message")).to_be_focused()
        widget.get_by_role("button", name="Search your messages").click()
        widget.get_by_role("button", name="marzipan once more").click()
        expect(log(widget).locator(".flash")).to_contain_text("marzipan once more")
        expect(log(widget)).not_to_contain_text("the very first")
        assert other != chat
