"""Links that go bad in one direction, in both, or at any byte: nothing is lost, doubled or out of order."""

import os
from contextlib import suppress
from random import Random

from tests.checker import check
from tests.device import Gone
from tests.dump import read_dump
from tests.fault_proxy import DOWN, UP, Link, ProxyTo, comes_back_somehow
from tests.people import Agent, Customer
from tests.record import Record
from tests.servers import Server

ROUNDS = 12
CUTS = 40
EVERY_BYTE = "TEST_EVERY_BYTE"
"""Set, this environment variable has the exchange cut after each of its bytes, not after some chosen by chance."""


def test_whoever_hears_nothing_and_takes_a_new_socket_has_said_all_once(
    here_and_there: tuple[Server, Server], proxy_to: ProxyTo, record: Record
) -> None:
    here, there = here_and_there
    link = proxy_to(here)
    robin = Agent(record, "Robin").signs_in(there)
    ann = Customer(record, "Ann").starts(link, "Hello")
    robin.accepts(ann.chat)
    ann.sees_status("active")
    link.holds(DOWN)
    words = [f"Can you hear me? {number}" for number in range(30)]
    for number, word in enumerate(words):
        ann.writes(word)
        if number % 5 == 0:
            ann.tells(type="ping", n=number)
    in_flight = [message for message in ann.outbox if message.in_flight]
    robin.sees(words[len(in_flight) - 1])
    robin.says("I hear you")
    assert not ann.hears(0.2), "nothing comes through"

    ann.vanishes()
    ann.comes_back(there)
    ann.settles()
    ann.sees("I hear you")
    robin.sees(words[-1])
    ann.catches_up(robin.copy.high)
    robin.catches_up(ann.copy.high)
    assert in_flight
    assert all(ann.answers[message.frame["id"]]["duplicate"] for message in in_flight)
    assert [text for text in ann.texts() if text in words] == words
    assert check(record.lines, read_dump(here.database_url)) == []


def test_what_an_old_socket_still_brings_is_neither_doubled_nor_overtaken(
    here_and_there: tuple[Server, Server], proxy_to: ProxyTo, record: Record, chance: Random
) -> None:
    """A silent change of network: the server is not told that the old socket is dead, and what was on its way comes
    late, before, while or after the same words come by a new one.
    """
    here, there = here_and_there
    link = proxy_to(here)
    ann = Customer(record, "Ann").starts(link, "Hello")
    words: list[str] = []

    def writes() -> None:
        for _ in range(chance.randint(1, 10)):
            words.append(f"Word {len(words)}")
            ann.writes(words[-1])

    for _ in range(ROUNDS):
        way = link.holds(UP)
        writes()
        ann.vanishes()
        late = chance.choice(("before", "while", "after"))
        if late == "before":
            link.lifts(way)
        ann.comes_back(there)
        writes()
        if late == "while":
            ann.flushes()
            link.lifts(way)
        ann.settles()
        if late == "after":
            link.lifts(way)
        ann.comes_back(link)
        ann.settles()
    assert ann.texts() == ["Hello", *words]
    assert check(record.lines, read_dump(here.database_url)) == []


def exchange(ann: Customer, robin: Agent, link: Link) -> None:
    """Three messages, whatever happens to Ann's link."""
    robin.enters(ann.chat)
    for word in ("One", "Two", "Three"):
        if word == "Two":
            robin.writes(word)
        else:
            ann.writes(word)
        settles_somehow(ann, robin, word, link)


def settles_somehow(ann: Customer, robin: Agent, word: str, link: Link) -> None:
    while True:
        try:
            ann.settles()
            robin.settles()
            ann.sees(word)
            robin.sees(word)
            return
        except Gone:
            comes_back_somehow(ann, link)


def test_a_link_may_be_cut_at_every_byte(server: Server, proxy_to: ProxyTo, record: Record, chance: Random) -> None:
    link = proxy_to(server)
    robin = Agent(record, "Robin").signs_in(server)

    def meet() -> Customer:
        ann = Customer(record, "Ann").starts(server)
        ann.leaves()
        return ann

    whole = meet().comes_back(link)
    exchange(whole, robin, link)
    lengths = {way.direction: way.passed for way in link.ways}
    whole.leaves()
    for direction in (UP, DOWN):
        places = range(1, lengths[direction])
        for place in places if EVERY_BYTE in os.environ else chance.sample(places, CUTS):
            ann = meet()
            fault = link.cuts(direction, after_bytes=place)
            comes_back_somehow(ann, link)
            exchange(ann, robin, link)
            with suppress(Gone):
                while not fault.has_struck.is_set():
                    ann.pings()
            assert ann.texts() == ["One", "Two", "Three"], f"cut after byte {place} from {direction}"
            ann.leaves()
            robin.tells(type="unwatch", chats=[ann.chat])
    assert check(record.lines, read_dump(server.database_url)) == []
