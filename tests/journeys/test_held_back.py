"""A mail whose sender failed the check is held back, until an agent at the desk lets it through."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browsers import device, log, say, sign_in, waiting
from tests.conftest import Serve
from tests.dump import read_dump
from tests.history.arrivals import mail_of
from tests.journeys.test_mail_receive import SENDER, SETTINGS, pipes, reply_address_in
from tests.people import Customer
from tests.record import Record

pytestmark = pytest.mark.browser

FORGED = "Authentication-Results: mx.example.com; dmarc=fail header.from=example.net\n\nIt is dark green.\n"


def test_an_agent_lets_a_mail_through_that_was_held_back(browser: Browser, serve: Serve, record: Record) -> None:
    server = serve("demo", REPLIES_TRUST="mx.example.com", **SETTINGS)
    customer = Customer(record, "Alex").starts(server, "The lid is missing", email=SENDER)
    with device(browser) as of_robin:
        desk = sign_in(of_robin, server)
        waiting(desk).click()
        desk.get_by_role("button", name="Accept").click()
        say(desk, "Which colour is it?")
        customer.sees("Which colour is it?")
        desk.get_by_role("button", name="Close", exact=True).click()
        customer.sees_status("closed")
        address = reply_address_in(server, customer)
        done = pipes(server, mail_of(FORGED), "--sender", SENDER, "--recipient", address)
        assert (done.returncode, done.stdout) == (0, "quarantined\n"), done.stderr
        expect(log(desk)).to_contain_text("was held back")
        expect(log(desk)).not_to_contain_text("It is dark green.")
        desk.get_by_role("button", name="Let it through").click()
        expect(log(desk)).to_contain_text("It is dark green.")
        expect(log(desk)).to_contain_text("by e-mail, not proven")
        expect(log(desk)).to_contain_text("let the mail of alex@example.net through")
        expect(desk.get_by_role("button", name="Let it through")).to_have_count(0)
        desk.reload()
        expect(log(desk)).to_contain_text("It is dark green.")
        expect(desk.get_by_role("button", name="Let it through")).to_have_count(0)
    customer.sees("It is dark green.")
    assert read_dump(server.database_url).said(customer.chat)[-1] == "It is dark green."
