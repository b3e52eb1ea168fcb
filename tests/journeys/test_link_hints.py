"""Hints between servers that are lost or wrong: they only say where to look, so they delay and never lose or invent."""

import json
from random import Random
from time import monotonic

from psycopg import connect

from history.bus import CHANNEL
from tests.checker import check
from tests.conftest import Serve
from tests.device import PATIENCE_S
from tests.dump import read_dump
from tests.people import Agent, Customer, Person
from tests.postgres import lose_hints
from tests.record import Record
from tests.servers import Server

ON_THE_BUS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND (query LIKE 'LISTEN%' OR query LIKE 'SELECT pg_notify%')
"""

NO_HINTS = [
    "",
    "hello",
    "null",
    "7",
    '"hint"',
    "{}",
    "[]",
    '["somebody"]',
    '["somebody", 7]',
    '["somebody", [7]]',
    '["somebody", [[]]]',
    '["somebody", [["7"]]]',
    '["somebody", [[[7]]]]',
    '["somebody", [[7.5]]]',
    '["somebody", [[7, "p_x"]]]',
    '["somebody", [[7, "p_x", "on"]]]',
    '["somebody", [[7, "p_x", true, true]]]',
    '[["somebody"], [[7]]]',
    "[" * 7000,
    '["somebody", [[' + "9" * 4000 + "]]]",
]


def meet(here: Server, there: Server, record: Record) -> tuple[Customer, Agent]:
    """Ann on one server and Robin on another, in an active chat."""
    ann = Customer(record, "Ann").starts(here, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    ann.sees_status("active")
    return ann, robin


def talk(ann: Customer, robin: Agent, words: str) -> None:
    """A few words at once, each way."""
    for number in range(5):
        ann.writes(f"Ann {words} {number}")
        robin.writes(f"Robin {words} {number}")
    ann.settles()
    robin.settles()
    ann.sees(f"Robin {words} 4")
    robin.sees(f"Ann {words} 4")


def hints_come(ann: Person, robin: Person) -> None:
    """Typing is told by hints alone, and never again when one is lost."""
    deadline = monotonic() + PATIENCE_S
    robin.copy.typing.clear()
    while ann.me not in robin.copy.typing:
        assert monotonic() < deadline, "no hint comes any more"
        ann.types()
        robin.hears(0.1)


def check_all(ann: Customer, robin: Agent, record: Record, database_url: str) -> None:
    """Both have everything, and no promise was broken."""
    head = read_dump(database_url).head(ann.chat)
    ann.catches_up(head)
    robin.catches_up(head)
    dump = read_dump(database_url)
    assert ann.texts() == robin.texts() == dump.said(ann.chat)
    assert check(record.lines, dump) == []


def test_without_any_hint_everything_comes_a_little_later(
    postgres_url: str, serve_postgres: Serve, record: Record
) -> None:
    lose_hints(postgres_url)
    with connect(postgres_url, autocommit=True) as database:
        ann, robin = meet(serve_postgres(), serve_postgres(), record)
        for words in ("first", "second", "third"):
            talk(ann, robin, words)
        robin.closes()
        ann.sees_status("closed")
        senders = "SELECT count(DISTINCT payload::json ->> 0) FROM lost.hint"
        assert database.execute(senders).fetchall() == [(2,)], "the hints of both servers were lost"
    check_all(ann, robin, record, postgres_url)


def test_a_bus_that_loses_its_connections_again_and_again_goes_on(
    postgres_url: str, serve_postgres: Serve, record: Record
) -> None:
    ann, robin = meet(serve_postgres(), serve_postgres(), record)
    with connect(postgres_url, autocommit=True) as database:
        for words in ("first", "second", "third"):
            hints_come(ann, robin)
            cut = database.execute(f"SELECT pg_terminate_backend(pid) FROM ({ON_THE_BUS}) connections").fetchall()
            assert len(cut) >= 3, "two that listen, and whoever has sent"
            talk(ann, robin, words)
    hints_come(ann, robin)
    check_all(ann, robin, record, postgres_url)


def test_wrong_hints_cost_a_look_and_change_nothing(
    postgres_url: str, serve_postgres: Serve, record: Record, chance: Random
) -> None:
    ann, robin = meet(serve_postgres(), serve_postgres(), record)
    with connect(postgres_url, autocommit=True) as database:
        chats = [pk for (pk,) in database.execute("SELECT pk FROM chat")]
        unknown = [0, -1, 10**6, 2**31, 2**63 - 1]
        hints = [[[pk]] for pk in chats * 20 + unknown] + [[[pk, "p_nobody", True]] for pk in chats + unknown]
        payloads = [json.dumps(["somebody", hint]) for hint in hints] + NO_HINTS
        chance.shuffle(payloads)
        for number, payload in enumerate(payloads):
            database.execute("SELECT pg_notify(%s, %s)", [CHANNEL, payload])
            if number % 10 == 0:
                talk(ann, robin, str(number))
    hints_come(ann, robin)
    hints_come(robin, ann)
    check_all(ann, robin, record, postgres_url)
