"""Real servers, each with one rule broken on purpose, in a talk in which that rule matters: the checker names the
broken promise, and has nothing to say of the whole server in the same talk.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from tests import nursery
from tests.broken import BREAKS
from tests.checker import check
from tests.conftest import MakeDatabase
from tests.device import Gone
from tests.dump import connected, read_dump
from tests.people import Agent, Customer
from tests.postgres import lose_hints
from tests.record import Record
from tests.servers import Server

WORDS = 60
"""More than a resume carries."""

ROUNDS = 10
"""More than the times a server looks into the log because somebody has come."""


@dataclass(frozen=True)
class Place:
    """Where a talk happens: on a database, with servers that have a rule broken, or whole ones."""

    folder: Path
    make: MakeDatabase
    url: str
    broken: str

    @contextmanager
    def server(self) -> Iterator[Server]:
        server = Server(self.folder, self.url)
        if self.broken:
            server.begin = partial(nursery.begin, "tests.broken:main", self.broken)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def sends_again_elsewhere(place: Place, record: Record) -> list[str]:
    """Ann's server dies, and she sends the message again to the next, as if its ack were lost."""
    with connected(place.url) as database:  # without the index behind which the product stands
        database.exec_driver_sql("ALTER TABLE event DROP CONSTRAINT event_once")
        database.commit()
    with place.server() as server:
        ann = Customer(record, "Ann").starts(server, "Hello")
        ann.says("Only once")
    with place.server() as server:
        ann.comes_back(server)
        ann.outbox.append(list(ann.composed.values())[-1])
        ann.settles()
        return judged(record, place.url)


def one_message_is_lost(place: Place, record: Record) -> list[str]:
    """The first of two messages does not leave Ann's device."""
    with place.server() as server:
        ann = Customer(record, "Ann").starts(server, "Hello")
        ann.hold_until = float("inf")
        ann.writes("First")
        ann.writes("Second")
        ann.outbox.pop(0)
        ann.hold_until = 0
        ann.settles()
        return judged(record, place.url)


def two_servers_hear_nothing_of_each_other(place: Place, record: Record) -> list[str]:
    """Before each word of Ann's there is one of Robin's, of which her server has not heard."""
    lose_hints(place.url)
    with place.server() as here, place.server() as there:
        ann = Customer(record, "Ann").starts(here, "Hello")
        robin = Agent(record, "Robin").signs_in(there)
        robin.accepts(ann.chat)
        for number in range(ROUNDS):
            robin.says(f"Robin {number}")
            ann.says(f"Ann {number}")
        robin.comes_back()
        for person in (ann, robin):
            person.catches_up(read_dump(place.url).head(ann.chat))
        return judged(record, place.url)


def much_is_missed(place: Place, record: Record) -> list[str]:
    """Ann misses more than a resume carries."""
    with place.server() as server:
        ann = Customer(record, "Ann").starts(server, "Hello")
        robin = Agent(record, "Robin").signs_in(server)
        robin.accepts(ann.chat)
        ann.leaves()
        for number in range(WORDS):
            robin.writes(f"Word {number}")
        robin.settles()
        ann.comes_back()
        ann.catches_up(robin.copy.high)
        return judged(record, place.url)


def a_backup_is_put_back(place: Place, record: Record) -> list[str]:
    """A backup is put back, and others have written over it when Ann comes back."""
    with place.server() as server:
        ann = Customer(record, "Ann").starts(server, "Hello")
        ann.leaves()
    with place.make(place.url) as backup:
        with place.server() as server:
            ann.comes_back(server)
            ann.says("Lost")
            ann.leaves()
        record.restored()
        with replace(place, url=backup).server() as server:
            robin = Agent(record, "Robin").signs_in(server)
            robin.accepts(ann.chat)
            robin.says("Written over it")
            ann.comes_back(server)
            ann.settles()
            for person in (ann, robin):
                person.catches_up(read_dump(backup).head(ann.chat))
            return judged(record, backup)


def the_server_dies_behind_an_ack(place: Place, record: Record) -> list[str]:
    """The server is killed as soon as Ann has an ack."""
    with place.server() as server:
        ann = Customer(record, "Ann").starts(server, "Hello")
        message_id = ann.writes("Kept?")
        ann.until(lambda: message_id in ann.answers, "the ack")
        server.kill()
        with pytest.raises(Gone):
            ann.until(lambda: False, "the end")
    return judged(record, place.url)


def judged(record: Record, url: str) -> list[str]:
    return check(record.lines, read_dump(url))


TALKS: dict[str, tuple[Callable[[Place, Record], list[str]], str, bool]] = {
    "dedup per process": (sends_again_elsewhere, "I2", True),
    "no prev": (one_message_is_lost, "I7", False),
    "push without the log": (two_servers_hear_nothing_of_each_other, "I5", True),
    "oldest first": (much_is_missed, "I5", False),
    "no prefix check": (a_backup_is_put_back, "I8", False),
    "ack before commit": (the_server_dies_behind_an_ack, "I1", False),
}
"""For each broken rule a talk, the promise that is broken in it, and whether it takes PostgreSQL."""


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_rule_is_named(
    name: str, make_sqlite: MakeDatabase, make_postgres: MakeDatabase, tmp_path: Path, record: Record
) -> None:
    talk, number, needs_postgres = TALKS[name]
    make = make_postgres if needs_postgres else make_sqlite
    with make() as url:
        assert number in {violation.partition(":")[0] for violation in talk(Place(tmp_path, make, url, name), record)}
    with make() as url:
        whole = Record()
        assert talk(Place(tmp_path, make, url, ""), whole) == []
        for driver in whole.drivers:
            driver.hangs_up()
