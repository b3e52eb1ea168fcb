"""Networks that let no WebSocket live: people change to polls and back in the midst of sending, and lose nothing."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from websockets.exceptions import InvalidHandshake

from tests.checker import check
from tests.device import Gone
from tests.dump import read_dump
from tests.fault_proxy import DOWN, Fault, Link, ProxyTo
from tests.people import Agent, Customer
from tests.polling import PollingCustomer
from tests.record import Record
from tests.servers import Server

ROUNDS = 3
SILENCE_S = 1
BUFFER_BYTES = 4096


def writes(ann: Customer, count: int) -> None:
    for _ in range(count):
        ann.writes(f"Word {len(ann.composed)}")


def knows_no_websocket(ann: Customer, link: Link) -> Fault:
    fault = link.strips_upgrade()
    link.cuts_all()
    with suppress(Gone):
        ann.settles()
    with pytest.raises(InvalidHandshake):
        ann.comes_back(link)
    return fault


def buffers_frames(ann: Customer, link: Link) -> Fault:
    fault = link.holds(DOWN, "ack", "event")
    writes(ann, 1)
    with pytest.raises(AssertionError, match="in vain"):
        ann.until(lambda: not ann.outbox, "what never comes", SILENCE_S)
    return fault


def cuts_what_is_old(ann: Customer, link: Link) -> Fault:
    fault = link.ages(DOWN, 0.2, "ack", "event")
    with pytest.raises(Gone):
        while True:
            ann.says(f"Word {len(ann.composed)}")
    return fault


@pytest.mark.parametrize("gets_in_the_way", [knows_no_websocket, buffers_frames, cuts_what_is_old])
def test_where_no_socket_lives_polls_go_on_and_sockets_again_later(
    here_and_there: tuple[Server, Server],
    proxy_to: ProxyTo,
    record: Record,
    gets_in_the_way: Callable[[Customer, Link], Fault],
) -> None:
    here, there = here_and_there
    link = proxy_to(here)
    ann = PollingCustomer(record, "Ann")
    ann.fleet, ann.by_polls = (link, there), False
    ann.starts(link, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    for number in range(ROUNDS):
        writes(ann, 5)
        fault = gets_in_the_way(ann, link)
        writes(ann, 5)
        ann.by_polls = True
        ann.comes_back(link)
        writes(ann, 5)
        robin.says(f"I can read you, {number}")
        ann.sees(f"I can read you, {number}")
        link.lifts(fault)
        ann.by_polls = False
        ann.comes_back(link)
        ann.settles()
    robin.catches_up(ann.copy.high)
    ann.catches_up(robin.copy.high)
    composed = [message.frame["data"]["text"] for message in ann.composed.values()]
    assert [text for text in robin.texts() if text in composed] == composed
    assert ann.texts() == robin.texts()
    assert check(record.lines, read_dump(here.database_url)) == []


def test_a_proxy_that_sends_on_in_large_pieces_only_delays(
    here_and_there: tuple[Server, Server], proxy_to: ProxyTo, record: Record
) -> None:
    here, there = here_and_there
    link = proxy_to(here)
    ann = Customer(record, "Ann").starts(link, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    ann.sees_status("active")
    buffering = link.holds(DOWN, "ack", "event", until_bytes=BUFFER_BYTES)
    words = [f"Robin {number}" for number in range(50)]
    for word in words:
        robin.writes(word)
    robin.settles()
    ann.sees(words[9])
    writes(ann, 5)
    link.lifts(buffering)
    ann.settles()
    robin.catches_up(ann.copy.high)
    ann.catches_up(robin.copy.high)
    assert [text for text in ann.texts() if text in words] == words
    assert check(record.lines, read_dump(here.database_url)) == []
