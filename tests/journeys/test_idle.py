"""The idle rule, where the operator wants it: it warns first, and closes only what stays quiet behind an agent's word.
A word said at that moment is said before the close or refused.
"""

import json
from typing import Any

import pytest

from tests.checker import check
from tests.conftest import Serve
from tests.dump import read_dump
from tests.people import Agent, Customer, Refused
from tests.record import Record
from tests.servers import Server

RULE = {"IDLE_WARN_SECONDS": "1", "IDLE_CLOSE_SECONDS": "1"}
PEOPLE = 8

Two = tuple[Server, Server]


@pytest.fixture
def strict_doors(serve: Serve, backend: str) -> Two:
    """Servers that all follow the rule: two where the database is for several."""
    here = serve(**RULE)
    return here, serve(**RULE) if backend == "postgres" else here


def events(server: Server, chat: str) -> list[tuple[str, Any]]:
    """Kind and data of a chat's public events."""
    dump = read_dump(server.database_url)
    return [(one["kind"], json.loads(one["data"])) for one in dump.events if one["chat"] == chat]


def is_warned(ann: Customer) -> bool:
    return any(one["kind"] == "notice" for one in ann.copy.events.values())


def is_closed(ann: Customer) -> bool:
    return any(one["kind"] == "close" for one in ann.copy.events.values())


def test_a_chat_that_stays_quiet_is_warned_and_closed_once(strict_doors: Two, record: Record) -> None:
    here, there = strict_doors
    ann, waits = (Customer(record, name).starts(here, "Hello") for name in ("Ann", "Ben"))
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    robin.says("Are you still there?")
    ann.sees_status("closed")
    kinds = [kind for kind, _ in events(here, ann.chat)]
    assert kinds == ["join", "message", "join", "assign", "message", "notice", "close"]
    notice, close = (data for kind, data in events(here, ann.chat) if kind in ("notice", "close"))
    assert (notice["code"], close["reason"]) == ("idle", "idle")
    assert notice["text"] in [one["data"].get("text") for one in ann.copy.events.values()]
    waits.pings()
    assert waits.copy.state["status"] in ("open", "waiting"), "whoever waits is owed an answer"
    ann.says("Now I am", reopen=True)
    ann.sees_status("open", "waiting", thread=2)
    for person in (ann, robin):
        person.catches_up(read_dump(here.database_url).head(ann.chat))
    assert check(record.lines, read_dump(here.database_url)) == []


def test_a_word_of_the_customer_ends_the_quiet(serve: Serve, record: Record) -> None:
    server = serve(**RULE | {"IDLE_CLOSE_SECONDS": "3600"})
    ann, ben = (Customer(record, name).starts(server, "Hello") for name in ("Ann", "Ben"))
    robin = Agent(record, "Robin").signs_in(server)
    for customer in (ann, ben):
        robin.accepts(customer.chat)
        robin.says("Are you still there?")
        customer.until(lambda customer=customer: is_warned(customer), "a warning")  # type: ignore[misc]
        customer.says("Yes, one moment")
    cleo = Customer(record, "Cleo").starts(server, "Hello")
    robin.accepts(cleo.chat)
    robin.says("And you?")
    cleo.until(lambda: is_warned(cleo), "a warning, so that the rule has looked at the others, too")
    for customer in (ann, ben):
        kinds = [kind for kind, _ in events(server, customer.chat)]
        assert kinds[-1] == "message", "an agent owes an answer"
        assert kinds.count("notice") == 1


def test_what_is_said_while_the_rule_closes_is_said_before_or_refused(strict_doors: Two, record: Record) -> None:
    here, there = strict_doors
    robin = Agent(record, "Robin").signs_in(there)
    people = [Customer(record, f"Ann {number}").starts(here, "Hello") for number in range(PEOPLE)]
    for ann in people:
        robin.accepts(ann.chat)
        robin.says("Are you still there?")
    for number, ann in enumerate(people):
        ann.until(lambda ann=ann: is_warned(ann), "a warning")  # type: ignore[misc]
        says_at = ann.record.clock() + number / PEOPLE
        ann.until(lambda ann=ann, at=says_at: is_closed(ann) or ann.record.clock() > at, "the moment")  # type: ignore[misc]
        try:
            ann.says("At the last moment")
        except Refused as late:
            assert (late.nack["code"], late.nack["retry"]) == ("closed", False)
            ann.says("At the last moment", reopen=True)
    dump = read_dump(here.database_url)
    for ann in people:
        ann.catches_up(dump.head(ann.chat))
        robin.chat = ann.chat
        robin.catches_up(dump.head(ann.chat))
        assert dump.said(ann.chat)[-1] == "At the last moment"
    assert check(record.lines, dump) == []
