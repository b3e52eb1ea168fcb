"""kill -9 in the middle of 1,000 sends: nothing that was acked is lost, nothing is there twice."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from tests.checker import check
from tests.conftest import Serve
from tests.device import Gone
from tests.dump import read_dump
from tests.people import Customer
from tests.record import Record

CUSTOMERS = 5
MESSAGES_EACH = 200
KILL_AFTER = 300
"""Acks, over all customers."""


def test_nothing_acked_is_lost_by_kill_9(serve: Serve, record: Record) -> None:
    server = serve()
    people = [Customer(record, f"Customer {number}").starts(server, "Hello") for number in range(CUSTOMERS)]
    back = Event()

    def talk(person: Customer) -> None:
        for number in range(MESSAGES_EACH):
            person.writes(f"{person.actor} says {number}")
        try:
            person.settles()
        except Gone:
            assert back.wait(60), "the server never came back"
            person.comes_back()
            person.settles()
        person.catches_up(1 + 1 + MESSAGES_EACH)  # the join, the first words, and these

    with ThreadPoolExecutor(CUSTOMERS) as threads:
        talks = [threads.submit(talk, person) for person in people]
        acked = record.waits_for("ack", KILL_AFTER)
        server.kill()
        server.start()
        back.set()
        for talk_of_one in talks:
            talk_of_one.result()

    assert KILL_AFTER <= acked < CUSTOMERS * MESSAGES_EACH, "it was not killed in the middle"
    assert any(line["ev"] == "close" and line["code"] == 1006 for line in record.lines)
    dump = read_dump(server.database_url)
    for person in people:
        assert dump.said(person.chat) == ["Hello", *(f"{person.actor} says {n}" for n in range(MESSAGES_EACH))]
    assert check(record.lines, dump) == []


def test_a_server_killed_again_and_again_still_keeps_everything(serve: Serve, record: Record) -> None:
    server = serve()
    ann = Customer(record, "Ann").starts(server, "Hello")
    for number in range(60):
        ann.writes(f"Word {number}")
    for acks in (10, 25, 40):
        ann.until(lambda acks=acks: len(ann.answers) >= acks, f"{acks} acks")  # type: ignore[misc]
        server.kill()
        server.start()
        ann.comes_back()
    ann.settles()
    ann.catches_up(read_dump(server.database_url).head(ann.chat))
    assert ann.texts() == ["Hello", *(f"Word {number}" for number in range(60))]
    assert check(record.lines, read_dump(server.database_url)) == []
