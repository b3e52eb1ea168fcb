"""The writer beside other processes on the same database."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from psycopg import connect

from history.db import Store, Transaction
from history.writer import Writer, only_answer
from tests.conftest import MakeDatabase

PATIENCE_S = 30
ADD = "INSERT INTO agent (id, name, email, created_ms, online_until_ms) VALUES (%s, '', %s, 0, 0)"


@pytest.fixture
def url(make_postgres: MakeDatabase) -> Iterator[str]:
    """A database with two agents who have no names yet."""
    with make_postgres() as url:
        with connect(url) as database:
            for id in ("ann", "ben"):
                database.execute(ADD, (id, id))
        yield url


def test_a_commit_that_gives_way_to_another_process_is_made_after_it(url: str) -> None:
    """Each has what the other waits for. PostgreSQL undoes the writer's part, as only that one looks for it."""
    tries = []
    begun = threading.Event()

    def name_both(transaction: Transaction) -> str:
        tries.append(len(tries))
        for id in ("ann", "ben"):
            transaction.driver.run("UPDATE agent SET name = name || 'writer' WHERE id = ?", id)
            begun.set()
        return "named"

    with connect(url) as other, closing(Store(url)) as store, ThreadPoolExecutor(1) as thread:
        other.execute("SET deadlock_timeout = '1h'")
        other.execute("UPDATE agent SET name = 'other ' WHERE id = 'ben'")
        writer = Writer(store, lambda _transaction, _commands: [], only_answer)
        writer.start()
        answer = thread.submit(writer.write, name_both)
        assert begun.wait(PATIENCE_S)
        other.execute("UPDATE agent SET name = 'other ' WHERE id = 'ann'")
        other.commit()
        assert answer.result(PATIENCE_S) == "named"
        writer.stop()
        named = other.execute("SELECT id, name FROM agent ORDER BY id").fetchall()
    assert tries == [0, 1]
    assert named == [("ann", "other writer"), ("ben", "other writer")]
