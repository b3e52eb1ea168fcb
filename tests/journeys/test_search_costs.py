"""Searches that are made to cost: each is answered or refused, and the server serves on (S35). How long they take is
measured by `python -m bench --only search`."""

from urllib.parse import quote

import pytest

from tests.conftest import Serve
from tests.people import Agent, Customer
from tests.record import Record

COSTLY = {
    "a phrase of equal words": '"' + "tea " * 160 + '"',
    "a short phrase of equal words": '"' + "tea " * 120 + '"',
    "three thousand words": "tea " * 3_000,
    "all words that fit": "tea t e a " * 60,
    "one very long word": "x" * 16_000,
    "one long word": "x" * 512,
    "far away spelling": "marzipan~9",
    "many spellings": "marzipna~ " * 24,
    "a beginning of one letter": "u*",
    "many beginnings": "mar* tea* the* " * 8,
    "stars everywhere": "*w*1*" * 8,
    "only a star": "*",
    "a range of words": "[a TO zzz]",
    "words far apart": '"one two"~999999',
    "three thousand brackets": "(" * 3_000,
    "brackets that fit": "(" * 500,
    "brackets in brackets": "((((tea OR the) OR a) OR b) OR c)",
    "many negations": "NOT " * 2_000,
    "many minus": "-" * 500 + "tea",
    "what is not there, many times": " ".join(f"-w{number}" for number in range(24)),
    "any field": "text:* tags:* place:*",
    "each kind of condition": "is:open -is:closed agent:a customer:b lang:en rating:5 chat:0199ffff has:link in:web",
    "many conditions on chats": "is:closed OR " * 23 + "is:open",
    "all languages": "-lang:xx " * 24,
    "accents upon accents": "e" + "\u0301" * 400,
    "letters of many scripts": "茶เอกສາ" * 60,
    "two hundred thousand letters": "tea " * 50_000,
    "a deep page": "tea sort:best",
}


@pytest.fixture
def customer(serve: Serve, record: Record) -> Customer:
    """A server with a chat of some hundred messages."""
    customer = Customer(record, "Ann").starts(serve(), "marzipan tea")
    for number in range(300):
        customer.writes(f"the tea number {number} of w{number} one two marzipan {'x' * (number % 60)}")
    customer.settles()
    customer.until(lambda: customer.asks("GET", "/search?q=marzipan").json["total"] == 301, "the index")
    return customer


def test_what_costs_is_answered_or_refused(customer: Customer, record: Record) -> None:
    agent = Agent(record, "Ray").signs_in(customer.server)
    told = {}
    for name, q in COSTLY.items():
        for person in (customer, agent):
            for way in ("", "&sort=best&collapse=chat&facets=all&context=messages"):
                told[name, person.actor, way] = person.asks("GET", f"/search?q={quote(q)}{way}").status
    wrong = {what: status for what, status in told.items() if status not in (200, 400, 414, 422, 431)}
    assert wrong == {}
    assert customer.asks("GET", "/search?q=marzipan").json["total"] == 301
