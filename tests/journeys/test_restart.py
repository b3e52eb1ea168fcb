"""A server that is told to end sends everybody away with a slot of the own, and nobody loses anything."""

import signal
from contextlib import suppress

from tests.checker import check
from tests.conftest import Serve
from tests.device import Gone
from tests.dump import read_dump
from tests.people import Customer
from tests.record import Record

PEOPLE, WORDS = 8, 40
HELLOS_PER_SECOND = 20


def test_everybody_is_given_a_slot_of_the_own_to_come_back_in(serve: Serve, record: Record) -> None:
    server = serve(HELLOS_PER_SECOND=str(HELLOS_PER_SECOND))
    people = [Customer(record, f"Customer {number}").starts(server, "Hello") for number in range(PEOPLE)]
    server.stop()
    for person in people:
        person.is_shut_out(1012)
        assert person.bye["code"] == 1012
    slots = [person.drained["after_ms"] for person in people]
    assert sorted(slots) == [place * 1000 // HELLOS_PER_SECOND for place in range(PEOPLE)]

    server.start()
    for person in people:
        person.comes_back()
        person.says("Back again")
    assert check(record.lines, read_dump(server.database_url)) == []


def test_told_twice_to_end_in_the_midst_of_sends_it_ends_once_and_keeps_what_was_acked(
    serve: Serve, record: Record
) -> None:
    server = serve()
    people = [Customer(record, f"Customer {number}").starts(server, "Hello") for number in range(PEOPLE)]
    for person in people:
        for number in range(WORDS):
            person.writes(f"{person.actor}, word {number}")
    assert server.process is not None
    for _ in range(2):
        server.process.send_signal(signal.SIGTERM)
    for person in people:
        with suppress(Gone):
            person.settles()
        assert person.close_code in (0, 1012), "whoever was sent away was told why"
    server.stop()

    server.start()
    for person in people:
        person.comes_back()
        person.settles()
        assert person.texts() == ["Hello", *(f"{person.actor}, word {number}" for number in range(WORDS))]
    assert check(record.lines, read_dump(server.database_url)) == []
