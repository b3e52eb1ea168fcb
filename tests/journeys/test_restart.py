"""A server that is told to end sends everybody away with a slot of the own, and nobody loses anything."""

from tests.checker import check
from tests.conftest import Serve
from tests.dump import read_dump
from tests.people import Customer
from tests.record import Record

PEOPLE = 8
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
