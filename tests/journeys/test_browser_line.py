"""The customer's connection in a real browser: two tabs, pages that are left, no network, restarts, no WebSocket, and
clocks that are wrong.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, WebSocket, WebSocketRoute, expect

from tests.browsers import OPTIONS, PATIENCE_MS, RETURN_MS, device, log, say, sign_in, waiting
from tests.conftest import MakeDatabase, Serve, servers
from tests.dump import read_dump
from tests.people import Agent
from tests.record import Record
from tests.servers import Server
from tests.set_up import BROWSER, wanted

pytestmark = pytest.mark.browser

LIVE = re.compile(r"/api/v1/live$")
SYNC = "**/api/v1/sync"

WITHOUT_CHANNEL = "delete window.BroadcastChannel"
DEAF_CHANNEL = "BroadcastChannel.prototype.postMessage = () => { throw new Error('closed') }"
NOISY_CHANNEL = """
    const noise = new BroadcastChannel("stillhere");
    const words = (chat) => [null, 7, "x", {}, { chat }, { chat, head: -1 }, { chat, head: "9" }, { chat: 1, head: 9 },
        { chat, head: 1e9 }, { chat: "no such chat", head: 1, outbox: true }, { chat, outbox: true }];
    setInterval(() => words(localStorage.getItem("stillhere.chat")).forEach((word) => noise.postMessage(word)), 500);
"""
NO_SOCKETS = """
    const Real = window.WebSocket;
    window.WebSocket = function (...way) {
        if (sessionStorage.getItem("allowed")) return new Real(...way);
        throw new DOMException("No", "SecurityError");
    };
"""
SHIFTED_CLOCK = """
    window.shift_ms = %d;
    const Real = Date;
    window.Date = class extends Real {
        constructor(...time) { super(...(time.length ? time : [Date.now()])); }
        static now() { return Real.now() + window.shift_ms; }
    };
"""
COUNT_KEPT = """new Promise((resolve) => {
    indexedDB.open("stillhere").onsuccess = ({ target: { result: database } }) => {
        const count = database.transaction("outbox").objectStore("outbox").count();
        count.onsuccess = () => { database.close(); resolve(count.result); };
    };
})"""
DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def serve(make_sqlite: MakeDatabase, tmp_path: Path) -> Iterator[Serve]:
    """On SQLite only: what a browser does is the same on each database."""
    with make_sqlite() as url, servers(url, tmp_path) as serve:
        yield serve


def begin(context: BrowserContext, server: Server) -> Page:
    """A chat that a customer has just begun."""
    page = open_chat(context, server)
    say(page, "Hello")
    expect(sent(page)).to_have_count(1)
    return page


def open_chat(context: BrowserContext, server: Server) -> Page:
    page = context.new_page()
    page.goto(f"{server.url}/chat")
    return page


def sent(page: Page) -> Locator:
    """The marks at the customer's messages that the server has, read or not."""
    return page.get_by_title(re.compile("^(Sent|Delivered|Read)$"))


def chat_of(page: Page) -> str:
    return str(page.evaluate("localStorage.getItem('stillhere.chat')"))


def said(server: Server) -> list[str]:
    """What was said in the only chat, as the database has it."""
    dump = read_dump(server.database_url)
    (chat,) = dump.chats
    return dump.said(chat)


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)  # lets the browser's events in


def kept(page: Page) -> int:
    """How many own messages are in the browser's store, where they outlive the page."""
    return int(page.evaluate(COUNT_KEPT))


def sync_requests(page: Page) -> list[str]:
    """The long polls of a page from now on; the list grows."""
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url) if request.url.endswith("/sync") else None)
    return polls


def socket_frames(page: Page) -> tuple[list[str], list[str]]:
    """What the page's sockets bring and take from now on; the lists grow."""
    heard: list[str] = []
    told: list[str] = []

    def follow(socket: WebSocket) -> None:
        socket.on("framereceived", lambda text: heard.append(str(text)))
        socket.on("framesent", lambda text: told.append(str(text)))

    page.on("websocket", follow)
    return heard, told


def answer(record: Record, server: Server, page: Page) -> Agent:
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(chat_of(page))
    robin.says("Here I am")
    expect(log(page)).to_contain_text("Here I am")
    return robin


def test_a_beginning_whose_answer_was_lost_begins_one_chat(browser: Browser, serve: Serve) -> None:
    server = serve()
    with device(browser) as of_ann:
        page = open_chat(of_ann, server)

        def lose_answer(route: Route) -> None:
            route.fetch()
            route.abort()

        page.route("**/api/v1/chats", lose_answer, times=1)
        say(page, "Hello")
        expect(page.get_by_text("This could not be sent")).to_be_visible()
        page.reload()
        field = page.get_by_role("textbox", name="Message")
        expect(field).to_have_value("Hello")
        field.press("Enter")
        expect(sent(page)).to_have_count(1)
    assert said(server) == ["Hello"]


# Two tabs with one outbox


def test_what_waits_in_one_tab_is_sent_by_the_other(browser: Browser, serve: Serve) -> None:
    server = serve()
    with device(browser) as of_ann:
        first = begin(of_ann, server)
        second = open_chat(of_ann, server)
        expect(sent(second)).to_have_count(1)
        server.kill()
        for here, there, text in ((first, second, "one"), (second, first, "two"), (first, second, "three")):
            say(here, text)
            expect(log(there)).to_contain_text(text)
        first.close()
        server.start()
        expect(sent(second)).to_have_count(4, timeout=RETURN_MS)
    assert said(server) == ["Hello", "one", "two", "three"]


@pytest.mark.parametrize("channel", [WITHOUT_CHANNEL, DEAF_CHANNEL, NOISY_CHANNEL], ids=["none", "deaf", "noisy"])
def test_tabs_that_hear_nothing_of_each_other_lose_nothing(browser: Browser, serve: Serve, channel: str) -> None:
    server = serve()
    with device(browser) as of_ann:
        of_ann.add_init_script(channel)
        first = begin(of_ann, server)
        second = open_chat(of_ann, server)
        expect(sent(second)).to_have_count(1)
        server.kill()
        for text in ("1a", "1b", "1c"):
            say(first, text)
            say(second, text.replace("1", "2"))
        wait_until(first, lambda: kept(first) == 6)
        first.close()
        server.start()
        expect(sent(second)).to_have_count(7, timeout=RETURN_MS)
        expect(second.get_by_title("Sending")).to_have_count(0)
    texts = said(server)
    assert sorted(texts) == ["1a", "1b", "1c", "2a", "2b", "2c", "Hello"]
    assert [text for text in texts if text[0] == "1"] == ["1a", "1b", "1c"]
    assert [text for text in texts if text[0] == "2"] == ["2a", "2b", "2c"]


def test_two_tabs_show_the_same_while_both_write(browser: Browser, serve: Serve) -> None:
    server = serve()
    with device(browser) as of_ann:
        tabs = [begin(of_ann, server), open_chat(of_ann, server)]
        expect(sent(tabs[1])).to_have_count(1)
        for number in range(6):
            say(tabs[number % 2], f"message {number}")
        for tab in tabs:
            expect(sent(tab)).to_have_count(7)
        shown = [log(tab).locator(".bubble").all_text_contents() for tab in tabs]
    assert shown == [said(server), said(server)]
    assert sorted(said(server)) == ["Hello", *(f"message {number}" for number in range(6))]


# Leaving, losing, coming back


def test_a_page_that_is_left_and_come_back_to_goes_on(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve()
    with device(browser) as of_ann:
        page = begin(of_ann, server)
        robin = answer(record, server, page)
        page.goto(f"{server.url}/link")
        robin.says("While you were away")
        page.go_back()
        expect(log(page)).to_contain_text("While you were away")
        say(page, "I am back")
        robin.sees("I am back")
    assert said(server) == ["Hello", "Here I am", "While you were away", "I am back"]


def test_a_page_that_slept_in_the_browsers_cache_goes_on(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve()
    caching = browser.browser_type.launch(
        executable_path=wanted(BROWSER), args=OPTIONS, ignore_default_args=["--disable-back-forward-cache"]
    )
    with closing(caching), device(caching) as of_ann:
        page = begin(of_ann, server)
        robin = answer(record, server, page)
        page.evaluate("window.slept = true")
        page.goto(f"{server.url}/link")
        robin.says("While you slept")
        page.go_back(wait_until="commit")
        expect(log(page)).to_contain_text("While you slept")
        assert page.evaluate("window.slept"), "the page was loaded again: something keeps it out of the cache"
        say(page, "Awake")
        robin.sees("Awake")


def test_a_page_that_was_frozen_with_its_phone_goes_on(browser: Browser, serve: Serve, record: Record) -> None:
    """Locked in a pocket: timers stand still, what comes is not heard, and meanwhile the server is another one."""
    server = serve()
    with device(browser) as of_ann:
        page = begin(of_ann, server)
        robin = answer(record, server, page)
        phone = of_ann.new_cdp_session(page)
        phone.send("Page.setWebLifecycleState", {"state": "frozen"})
        robin.says("While you slept")
        server.kill()
        server.start()
        robin.comes_back()
        robin.says("And after that")
        phone.send("Page.setWebLifecycleState", {"state": "active"})
        expect(log(page)).to_contain_text("And after that", timeout=RETURN_MS)
        say(page, "Awake")
        robin.sees("Awake")
        shown = log(page).locator(".bubble").all_text_contents()
    assert shown == said(server) == ["Hello", "Here I am", "While you slept", "And after that", "Awake"]


def test_without_a_network_it_says_will_be_sent_and_then_sends_once(browser: Browser, serve: Serve) -> None:
    server = serve()
    with device(browser) as of_ann:
        page = begin(of_ann, server)
        of_ann.set_offline(True)
        say(page, "In a tunnel")
        expect(page.get_by_text("Offline. Your message will be sent.")).to_be_visible()
        of_ann.set_offline(False)
        expect(sent(page)).to_have_count(2)
    assert said(server) == ["Hello", "In a tunnel"]


def test_a_restart_under_an_open_chat_loses_nothing(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve()
    with device(browser) as of_ann:
        page = begin(of_ann, server)
        answer(record, server, page).hangs_up()
        server.stop()
        say(page, "Are you restarting?")
        server.start()
        expect(sent(page)).to_have_count(2, timeout=RETURN_MS)
        robin = Agent(record, "Robin").signs_in(server)
        robin.enters(chat_of(page))
        robin.says("Done")
        expect(log(page)).to_contain_text("Done")
    assert said(server) == ["Hello", "Here I am", "Are you restarting?", "Done"]


# Without WebSocket


def refuse(context: BrowserContext) -> None:
    context.add_init_script(NO_SOCKETS)


def swallow(context: BrowserContext) -> None:
    context.route_web_socket(LIVE, lambda socket: None)


def cut(context: BrowserContext) -> None:
    def until_the_welcome(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(text: str | bytes) -> None:
            socket.send(text)
            if json.loads(text)["type"] == "welcome":
                socket.close(code=1001)

        server.on_message(pass_on)

    context.route_web_socket(LIVE, until_the_welcome)


@pytest.mark.parametrize("block", [refuse, swallow, cut], ids=["refused", "silent", "cut"])
def test_where_sockets_are_blocked_the_chat_goes_on_by_polls(
    browser: Browser, serve: Serve, record: Record, block: Callable[[BrowserContext], None]
) -> None:
    server = serve()
    with device(browser) as of_ann:
        block(of_ann)
        page = open_chat(of_ann, server)
        polls = sync_requests(page)
        say(page, "Hello")
        expect(log(page)).to_contain_text("Hello")
        robin = Agent(record, "Robin").signs_in(server)
        robin.accepts(chat_of(page))
        robin.says("Here I am")
        expect(log(page)).to_contain_text("Here I am")
        for number in range(3):
            say(page, f"question {number}")
            robin.sees(f"question {number}")
            robin.says(f"answer {number}")
            expect(log(page)).to_contain_text(f"answer {number}")
        assert polls
    own = [f"{kind} {number}" for number in range(3) for kind in ("question", "answer")]
    assert said(server) == ["Hello", "Here I am", *own]


def test_where_sockets_are_blocked_the_desk_works_by_polls(browser: Browser, serve: Serve) -> None:
    server = serve("demo")
    with device(browser) as of_robin, device(browser) as of_ann:
        refuse(of_robin)
        desk = sign_in(of_robin, server)
        polls = sync_requests(desk)
        page = begin(of_ann, server)
        expect(waiting(desk)).to_contain_text("Hello")
        waiting(desk).click()
        desk.get_by_role("button", name="Accept").click()
        expect(page.get_by_text("Robin is with you")).to_be_visible()
        say(desk, "Here I am")
        expect(log(page)).to_contain_text("Here I am")
        say(page, "Good")
        expect(log(desk)).to_contain_text("Good")
        desk.get_by_text("Note", exact=True).click()
        field = desk.get_by_role("textbox", name="Message")
        field.fill("A patient one")
        field.press("Enter")
        expect(log(desk)).to_contain_text("A patient one")
        expect(desk.get_by_title("Sending")).to_have_count(0)
        assert polls
    assert said(server) == ["Hello", "Here I am", "Good"]


def test_a_page_returns_to_the_socket_when_it_may(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve()
    with device(browser) as of_ann:
        refuse(of_ann)
        page = open_chat(of_ann, server)
        with page.expect_request(SYNC):
            say(page, "Hello")
        expect(sent(page)).to_have_count(1)
        page.evaluate("sessionStorage.setItem('allowed', 'yes')")
        heard, told = socket_frames(page)
        page.evaluate("dispatchEvent(new Event('focus'))")
        wait_until(page, lambda: any('"welcome"' in frame for frame in heard))
        say(page, "By the socket")
        expect(sent(page)).to_have_count(2)
        assert any("By the socket" in frame for frame in told)
        answer(record, server, page)
    assert said(server) == ["Hello", "By the socket", "Here I am"]


# Clocks


@pytest.mark.parametrize("days", [-2, 2])
def test_a_wrong_clock_has_no_effect(browser: Browser, serve: Serve, record: Record, days: int) -> None:
    server = serve()
    with device(browser) as of_ann:
        of_ann.add_init_script(SHIFTED_CLOCK % (days * DAY_MS))
        page = begin(of_ann, server)
        answer(record, server, page)
        server.kill()
        say(page, "one")
        page.evaluate(f"window.shift_ms -= {days * DAY_MS}")
        say(page, "two")
        server.start()
        expect(sent(page)).to_have_count(3, timeout=RETURN_MS)
        assert log(page).locator(".mark.day").all_text_contents() == ["Today"]
        shown = log(page).locator(".bubble").all_text_contents()
    assert shown == said(server) == ["Hello", "Here I am", "one", "two"]
