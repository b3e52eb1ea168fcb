"""The database of a simulated fleet: SQLite in memory, with the product's schema and behind the product's store. It can
fail to commit, and an older copy can be put back.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import StaticPool, create_engine
from sqlmodel import SQLModel

from history.db import Driver, Store, Transaction
from history.errors import Busy
from history.models import Agent, Customer
from history.outbox import MailPolicy
from history.start import NewChat, start_chat
from tests.dump import CHATS, EVENTS, IN_ORDER, LINKS, PARTICIPANTS, Dump, dump_of
from tests.record import Line

Rows = dict[str, list[tuple[object, ...]]]

NEW_CHAT = NewChat("Ann", None, "en", "UTC", None, None, None)
AGENTS = ("Robin", "Cleo")
BEGINNING_MS = 1_767_225_600_000

ONCE = re.compile(r",\s*CONSTRAINT event_once[^)]*\)")


def never() -> bool:
    return False


class Connection(sqlite3.Connection):
    """The one connection to the memory. It outlives whoever closes it; a commit can fail, and then leaves no trace."""

    fails: Callable[[], bool] = staticmethod(never)

    def commit(self) -> None:
        if self.in_transaction and self.fails():
            self.rollback()
            raise sqlite3.OperationalError("the disk is full")
        super().commit()

    def close(self) -> None:
        self.rollback()


class Disk(Store):
    """See the module. All is done on one thread, so each read is a snapshot and each write a transaction by itself."""

    def __init__(self, policy: MailPolicy, *, unique: bool) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
        self.engine = create_engine(
            "sqlite://", creator=lambda: self.connection, poolclass=StaticPool, pool_reset_on_return=None
        )
        self.fails: Callable[[], bool] = never
        SQLModel.metadata.create_all(self.engine)
        if not unique:
            self._let_ids_repeat()
        self.tables = [
            name for (name,) in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        self.chat, self.customer = self._begin(policy)
        self.connection.row_factory = None

    def _let_ids_repeat(self) -> None:
        """Takes away the index behind which the product stands even if it forgets to look."""
        (sql,) = self.connection.execute("SELECT sql FROM sqlite_master WHERE name = 'event'").fetchone()
        self.connection.execute("DROP TABLE event")
        self.connection.execute(ONCE.sub("", sql))

    def _begin(self, policy: MailPolicy) -> tuple[str, str]:
        """One customer with one chat, and the agents. Returns the ids of chat and customer."""
        with self.engine.connect() as connection, connection.begin():
            transaction = Transaction(connection, BEGINNING_MS)
            people = [Agent(id=name, name=name, email=f"{name}@agents.example.com", created_ms=0) for name in AGENTS]
            transaction.db.add_all([*people, Customer(id="Ann", name="Ann", created_ms=0)])
            transaction.db.flush()
            place, _ = start_chat(transaction, policy, "Ann", "Ann", NEW_CHAT)
            transaction.db.close()
        return place.chat_id, place.person_id

    @contextmanager
    def reading(self) -> Iterator[Driver]:
        if self.fails():
            raise Busy("The store cannot be reached")
        yield Driver("sqlite", self.connection.cursor())

    def fail_by(self, fails: Callable[[], bool]) -> None:
        """From now on `fails` decides about each read and each commit."""
        self.fails = self.connection.fails = fails

    def copy(self) -> Rows:
        """All rows, as a backup has them."""
        return {table: self.connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in self.tables}

    def put_back(self, copy: Rows) -> None:
        self.connection.rollback()
        self.connection.execute("BEGIN")
        for table, rows in copy.items():
            self.connection.execute(f'DELETE FROM "{table}"')
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                self.connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', rows)
        sqlite3.Connection.commit(self.connection)

    def head(self) -> int:
        (head,) = self.connection.execute("SELECT head FROM chat").fetchone()
        return int(head)

    def dump(self) -> Dump:
        """What the checker believes."""
        return dump_of(*(self._lines(sql) for sql in (CHATS, EVENTS + IN_ORDER, PARTICIPANTS, LINKS)))

    def _lines(self, sql: str) -> list[Line]:
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]
