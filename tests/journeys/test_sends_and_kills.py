"""A server is killed between a message's arrival and its ack: the message is in the log once, whoever acks it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from time import monotonic, sleep

import psycopg

from tests.checker import check
from tests.conftest import Serve
from tests.dump import read_dump
from tests.fault_proxy import DOWN, ProxyTo
from tests.people import Customer
from tests.record import Record
from tests.servers import Server

STUCK = "Inserted and not committed"
STUCK_S = 15
HELD_S = 1
"""No write of the product's own holds SQLite's lock so long."""

LOCK = 47_110_815
"""An advisory lock of PostgreSQL that nobody else uses."""

ENDLESS = f"""
CREATE VIEW endless AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n;
CREATE TRIGGER stuck AFTER INSERT ON event WHEN new.data LIKE '%{STUCK}%' BEGIN SELECT count(*) FROM endless; END;
"""
WAITING = f"""
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock({LOCK}); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER stuck AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (new.data::text LIKE '%{STUCK}%') EXECUTE FUNCTION wait();
SELECT pg_advisory_lock({LOCK});
"""
WHO_WAITS = """
SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND datname = current_database() AND locktype = ANY(%s)
"""

Wait = Callable[[], None]


def before(deadline: float, what: str) -> None:
    """A pause in a loop that waits."""
    assert monotonic() < deadline, f"waited in vain for {what}"
    sleep(0.01)


@contextmanager
def stuck_in_sqlite(url: str) -> Iterator[Wait]:
    """The transaction that inserts STUCK never comes to its end. What it gives waits until there is one."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=HELD_S, isolation_level=None)) as database:
        database.executescript(ENDLESS)

        def wait() -> None:
            deadline = monotonic() + STUCK_S
            with suppress(sqlite3.OperationalError):  # somebody has held the lock all the time
                while True:
                    database.execute("BEGIN IMMEDIATE")
                    database.execute("ROLLBACK")
                    before(deadline, "an insert without an end")

        yield wait
        database.executescript("DROP TRIGGER stuck; DROP VIEW endless")


@contextmanager
def stuck_in_postgres(url: str) -> Iterator[Wait]:
    """The commit of STUCK waits for a lock of ours, until it is undone in the end."""
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(WAITING)
        yield lambda: waits_for_lock(database, "advisory")
        database.execute(f"SELECT pg_terminate_backend(pid, 10000) FROM ({WHO_WAITS}) waiting", [["advisory"]])
        database.execute("DROP TRIGGER stuck ON event")


def waits_for_lock(database: "psycopg.Connection[tuple[int]]", *kinds: str) -> None:
    """Returns once somebody waits for a lock of these kinds."""
    deadline = monotonic() + STUCK_S
    while not database.execute(WHO_WAITS, [list(kinds)]).fetchall():
        before(deadline, "a transaction that waits")


def stuck(url: str) -> AbstractContextManager[Wait]:
    return stuck_in_sqlite(url) if url.startswith("sqlite") else stuck_in_postgres(url)


def another(serve: Serve, killed: Server) -> Server:
    """Where to go when a server was killed. SQLite has but one, which starts again."""
    if killed.database_url.startswith("postgresql"):
        return serve()
    killed.start()
    return killed


def test_what_a_server_committed_before_it_died_is_acked_by_the_next(
    serve: Serve, proxy_to: ProxyTo, record: Record
) -> None:
    server = serve()
    link = proxy_to(server)
    ann = Customer(record, "Ann").starts(link, "Hello")
    ann.says("All is well")
    lost = link.drops(DOWN, "ack")
    message_id = ann.writes("Did you get this?")
    event = ann.sees("Did you get this?")
    assert lost.has_struck.wait(STUCK_S)
    server.kill()

    ann.comes_back(another(serve, server))
    ann.settles()
    ack = ann.answers[message_id]
    assert (ack["seq"], ack["hash"], ack["duplicate"]) == (event["seq"], event["hash"], True)
    assert ann.texts() == ["Hello", "All is well", "Did you get this?"]
    assert check(record.lines, read_dump(server.database_url)) == []


def test_what_a_server_inserted_before_it_died_leaves_no_gap(serve: Serve, record: Record) -> None:
    server = serve()
    ann = Customer(record, "Ann").starts(server, "Hello")
    head = ann.says("All is well")["seq"]
    with stuck(server.database_url) as wait:
        message_id = ann.writes(STUCK)
        wait()
        server.kill()
    assert read_dump(server.database_url).head(ann.chat) == head

    ann.comes_back(another(serve, server))
    ann.settles()
    ack = ann.answers[message_id]
    assert (ack["seq"], ack["duplicate"]) == (head + 1, False)
    ann.says("And on")
    assert ann.texts() == ["Hello", "All is well", STUCK, "And on"]
    assert check(record.lines, read_dump(server.database_url)) == []


def test_a_commit_that_outlives_its_server_is_found_by_the_next(serve_postgres: Serve, record: Record) -> None:
    here, there = serve_postgres(), serve_postgres()
    ann = Customer(record, "Ann").starts(here, "Hello")
    with psycopg.connect(here.database_url, autocommit=True) as database:
        database.execute(WAITING)
        message_id = ann.writes(STUCK)
        waits_for_lock(database, "advisory")
        here.kill()
        ann.comes_back(there)
        ann.flushes()
        waits_for_lock(database, "transactionid", "tuple")
        assert not ann.answers, "nothing can be acked yet"
        database.execute(f"SELECT pg_advisory_unlock({LOCK})")
    ann.settles()
    assert ann.answers[message_id]["duplicate"]
    assert ann.texts() == ["Hello", STUCK]
    assert check(record.lines, read_dump(there.database_url)) == []
