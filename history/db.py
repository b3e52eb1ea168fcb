"""The store: the engine for SQLite or PostgreSQL, its connections, and driver SQL that both understand.

Everybody reads through `Store.reading()`; only `writer.py` opens a `Transaction`. Nothing here knows what is stored.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import Session as DbSession

from history.errors import Busy

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for another process's write lock."""

CHECKPOINT_PAGES = 8000
"""SQLite moves its write-ahead log into the file after so many pages; measured best for even commit times."""

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 7_465_739
"""The number of the advisory lock under which PostgreSQL's schema is brought up to date."""

WRITE_BEGIN = "BEGIN IMMEDIATE"
READ_BEGIN = {
    "sqlite": "BEGIN",
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
}
"""What begins a snapshot; psycopg says BEGIN by itself."""

REPEATABLE_READ = 3
"""psycopg's number of the isolation level in which a transaction sees one snapshot."""

UNDONE = ("40P01", "40001")
"""PostgreSQL's codes for a deadlock and for transactions that cannot be put in order."""

log = logging.getLogger("stillhere.store")


class Cursor(Protocol):
    """What we use of a driver's cursor (PEP 249)."""

    def execute(self, sql: str, params: Sequence[Any] = ...) -> Any: ...
    def executemany(self, sql: str, params: Sequence[Sequence[Any]]) -> Any: ...
    def fetchall(self) -> Sequence[Any]: ...
    def fetchone(self) -> Any: ...


@lru_cache(maxsize=256)
def driver_sql(dialect: str, text: str) -> str:
    """`text` for the driver of `dialect`. It is written with `?` for values, `IN_LIST` for a list given by
    `list_param`, `FOR_UPDATE` where the rows read are to be locked, and `FOR_UPDATE_SKIPPING` where those that somebody
    else has locked are passed over.
    """
    if dialect == "sqlite":
        text = text.replace("IN_LIST", "IN (SELECT value FROM json_each(?))")
        return text.replace("FOR_UPDATE_SKIPPING", "").replace("FOR_UPDATE", "")
    text = text.replace("IN_LIST", "= ANY(?)").replace("FOR_UPDATE_SKIPPING", "FOR UPDATE SKIP LOCKED")
    return text.replace("FOR_UPDATE", "FOR UPDATE").replace("?", "%s")


@dataclass(frozen=True)
class Driver:
    """Driver SQL on one connection: the hot path, without the cost of building statements."""

    dialect: str
    cursor: Cursor

    def rows(self, text: str, *params: Any) -> Sequence[Any]:
        self.cursor.execute(driver_sql(self.dialect, text), params)
        return self.cursor.fetchall()

    def row(self, text: str, *params: Any) -> Any | None:
        self.cursor.execute(driver_sql(self.dialect, text), params)
        return self.cursor.fetchone()

    def run(self, text: str, *params: Any) -> int:
        """Executes and returns how many rows were touched."""
        return int(self.cursor.execute(driver_sql(self.dialect, text), params).rowcount)

    def run_many(self, text: str, params: Sequence[Sequence[Any]]) -> None:
        if params:
            self.cursor.executemany(driver_sql(self.dialect, text), params)

    def stamp(self) -> object | None:
        """Something that is another thing as soon as anybody has written to the database, or this is another
        connection; null where the database does not tell.
        """
        if self.dialect != "sqlite":
            return None
        raw: Any = self.cursor
        return raw.connection, raw.connection.total_changes, self.row("PRAGMA data_version")

    def list_param(self, values: Sequence[Any]) -> Any:
        """`values` as the parameter of an `IN_LIST`."""
        return orjson.dumps(values).decode() if self.dialect == "sqlite" else list(values)


def driver_of(connection: Connection) -> Driver:
    """Driver SQL inside the transaction that `connection` is in."""
    raw: Any = connection.connection.driver_connection
    return Driver(connection.dialect.name, raw.cursor())


@dataclass
class Transaction:
    """The writer's open transaction, handed to whoever writes. They never commit."""

    connection: Connection
    now_ms: int
    commits: list[Any] = field(default_factory=list)
    """What the log got in this transaction (`journal.Commit`); the bell after the commit rings with it."""
    is_committed: bool = False

    @cached_property
    def driver(self) -> Driver:
        return driver_of(self.connection)

    @cached_property
    def db(self) -> DbSession:
        """A db session in this transaction; `run_job` flushes it and starts each job with a fresh one."""
        return DbSession(bind=self.connection, join_transaction_mode="rollback_only")


class Store:
    """A database and its connections.

    `url` is a SQLAlchemy URL of SQLite (a file) or PostgreSQL (psycopg 3).
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.engine = make_engine(url)

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    def migrate(self) -> None:
        """Brings the schema up to date; safe to repeat."""
        if self._is_current():
            return
        from alembic import command  # it takes as long to load as a third of all else, and is seldom needed
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            if self.dialect == "postgresql":
                # servers that start together on an empty database take turns
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _is_current(self) -> bool:
        with self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return False
            version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return version == newest_migration()

    @contextmanager
    def reading(self) -> Iterator[Driver]:
        """One consistent snapshot to read from. Raises Busy when the store cannot be reached."""
        try:
            connection = self.engine.raw_connection()
        except self.errors as error:
            raise Busy("The store cannot be reached") from error
        try:
            with SNAPSHOTS[self.dialect](connection.driver_connection) as cursor:
                yield Driver(self.dialect, cursor)
        except self.errors as error:
            connection.invalidate()
            raise Busy("The store did not answer") from error
        finally:
            connection.close()

    @cached_property
    def errors(self) -> tuple[type[BaseException], ...]:
        """What is raised when the database cannot be reached or cannot write, by SQLAlchemy or below it."""
        driver: Any = self.engine.dialect.dbapi
        return (OperationalError, InterfaceError, driver.OperationalError, driver.InterfaceError)

    @contextmanager
    def session(self) -> Iterator[DbSession]:
        """A db session to read from."""
        with DbSession(self.engine) as db:
            yield db

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def sqlite_snapshot(connection: Any) -> Iterator[Cursor]:
    cursor = connection.cursor()
    cursor.execute(READ_BEGIN["sqlite"])
    yield cursor


@contextmanager
def postgres_snapshot(connection: Any) -> Iterator[Cursor]:
    """The driver says all of it with its BEGIN: one journey to the server less than by a statement."""
    usual = connection.isolation_level
    connection.isolation_level, connection.read_only = REPEATABLE_READ, True
    try:
        yield connection.cursor()
    finally:
        connection.rollback()
        connection.isolation_level, connection.read_only = usual, None


SNAPSHOTS: dict[str, Callable[[Any], AbstractContextManager[Cursor]]] = {
    "sqlite": sqlite_snapshot,
    "postgresql": postgres_snapshot,
}
"""Each begins a read of one consistent state on a connection that is in no transaction."""


def newest_migration() -> str:
    """The revision of the newest migration: the number that its file's name begins with."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def make_engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, pool_size=16, max_overflow=16)
        event.listen(engine, "connect", prepare_sqlite)
        event.listen(engine, "begin", begin_sqlite)
        return engine
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, pool_size=16, max_overflow=16, isolation_level="READ COMMITTED")
    event.listen(engine, "begin", begin_postgres)
    return engine


def gave_way(error: BaseException) -> bool:
    """Whether the database chose this transaction to be undone, as it and another waited for each other."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) in UNDONE


def prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, with the lock that we want
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")


def begin_sqlite(connection: Connection) -> None:
    """A writer takes the write lock at once: a lock taken later can fail when somebody else wrote meanwhile."""
    raw: Any = connection.connection.driver_connection
    if not raw.in_transaction:  # the writer has begun below SQLAlchemy
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql(WRITE_BEGIN if writes else READ_BEGIN["sqlite"])


def begin_postgres(connection: Connection) -> None:
    """A reader sees one snapshot through all its statements."""
    if not connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(READ_BEGIN["postgresql"])


def begin_writing(transaction: Transaction) -> None:
    """Begins below SQLAlchemy, which joins in when it is used: most batches do without it, and it costs as much as a
    dozen messages.
    """
    if transaction.driver.dialect == "sqlite":
        transaction.driver.run(WRITE_BEGIN)


def commit(transaction: Transaction) -> None:
    connection = transaction.connection
    if connection.in_transaction():
        connection.commit()
    else:
        connection.connection.commit()
    transaction.is_committed = True
