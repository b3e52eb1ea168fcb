"""The store: the engine for SQLite or PostgreSQL, its reading connections, and the one writer of this process.

Everybody reads through `Store.reading()` and writes through `Writer`: whatever waits at the same moment goes into
one transaction with one fsync (group commit), and is answered after it. Nothing here knows what is written.
"""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import orjson
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlmodel import Session as DbSession

from history.errors import Busy, StillhereError
from history.times import now_ms

BATCH_LIMIT = 512
"""How many waiting writes share a commit at most."""

RUSH_PER_SECOND = 2000
GATHER_SHARE = 0.3
GATHER_SECONDS, GATHER_STEP_SECONDS = 0.003, 0.0002
"""When writes come faster than this, a commit waits a moment until this share of the writes under way has come: it
costs about the same for one as for many, and without a pause it would go on with the first that comes. The others are
read and answered meanwhile."""

WAITING_LIMIT = 20_000
"""How many writes may wait before new ones are refused as busy."""

BUSY_TIMEOUT_MS = 10_000
"""How long SQLite waits for another process's write lock."""

CHECKPOINT_PAGES = 8000
"""SQLite moves its write-ahead log into the file after so many pages; measured best for even commit times."""

T = TypeVar("T")
Done = Callable[[Any], None]

MIGRATION_LOCK = 7_465_739
"""The number of the advisory lock under which PostgreSQL's schema is brought up to date."""

WRITE_BEGIN = "BEGIN IMMEDIATE"
READ_BEGIN = {
    "sqlite": "BEGIN",
    "postgresql": "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
}
"""What begins a snapshot; psycopg says BEGIN by itself."""

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
    `list_param`, and `FOR_UPDATE` where the rows read are to be locked.
    """
    if dialect == "sqlite":
        return text.replace("IN_LIST", "IN (SELECT value FROM json_each(?))").replace("FOR_UPDATE", "")
    return text.replace("IN_LIST", "= ANY(?)").replace("FOR_UPDATE", "FOR UPDATE").replace("?", "%s")


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

    @cached_property
    def driver(self) -> Driver:
        return driver_of(self.connection)

    @cached_property
    def db(self) -> DbSession:
        """A db session in this transaction; `run_job` flushes it and starts each job with a fresh one."""
        return DbSession(bind=self.connection, join_transaction_mode="rollback_only")


class Store:
    """A database, its readers and its writer.

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
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            if self.dialect == "postgresql":
                # servers that start together on an empty database take turns
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def reading(self) -> Iterator[Driver]:
        """One consistent snapshot to read from. Raises Busy when the store cannot be reached."""
        try:
            connection = self.engine.raw_connection()
        except self.errors as error:
            raise Busy("The store cannot be reached") from error
        try:
            cursor = connection.cursor()
            cursor.execute(READ_BEGIN[self.dialect])
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


class Entry(NamedTuple):
    """A command for the log, and who is told of its outcome, after the commit."""

    command: Any
    done: Done


@dataclass(frozen=True, slots=True)
class Job:
    """Any other work in the writer's transaction, and who waits for its result."""

    work: Callable[[Transaction], Any]
    future: "Future[Any]"


Answer = tuple[Entry | Job, Any]


class Writer:
    """The one writing thread of this process.

    `apply` takes the transaction and a list of commands and returns an outcome for each: a value, or a
    StillhereError for a refusal, which is an outcome too. `committed` is called after each commit, and after one that
    failed, with what the log got and the answers to give, and gives them on the thread where they belong.
    """

    def __init__(
        self,
        store: Store,
        apply: Callable[[Transaction, list[Any]], list[Any]],
        committed: Callable[[list[Any], list[Answer]], None],
    ) -> None:
        self.store = store
        self.apply = apply
        self.committed = committed
        self.waiting: queue.SimpleQueue[Entry | Job | None] = queue.SimpleQueue()
        self.connection: Connection | None = None
        self.thread = threading.Thread(target=self._run, name="stillhere-writer", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Commits what waits, then ends."""
        self.waiting.put(None)
        self.thread.join()

    def submit(self, entries: list[Entry]) -> None:
        """Queues commands for the log. Raises Busy when too many wait; nothing is queued then."""
        self._check_room()
        for entry in entries:
            self.waiting.put(entry)

    def append(self, command: Any) -> Any:
        """Queues a command and waits for its outcome; a refusal is raised."""
        future: Future[Any] = Future()
        self.submit([Entry(command, future.set_result)])
        outcome = future.result()
        if isinstance(outcome, StillhereError):
            raise outcome
        return outcome

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Runs `work` in the writer's transaction and returns its result after the commit.

        What `work` raises undoes its own part only, and is raised here.
        """
        self._check_room()
        future: Future[T] = Future()
        self.waiting.put(Job(work, future))
        return future.result()

    def later(self, work: Callable[[Transaction], object]) -> None:
        """Like `write`, without waiting: for what may be lost, such as presence."""
        self.waiting.put(Job(work, Future()))

    def _check_room(self) -> None:
        if self.waiting.qsize() > WAITING_LIMIT:
            raise Busy("Too many writes are waiting", after_ms=1000)

    def _run(self) -> None:
        going, rush, under_way, since = True, False, 0, time.monotonic()
        while going:
            batch = [self.waiting.get()]
            if rush:
                self._gather(int(under_way * GATHER_SHARE))
            while len(batch) < BATCH_LIMIT and not self.waiting.empty():
                batch.append(self.waiting.get())
            now = time.monotonic()
            rush, since = len(batch) > RUSH_PER_SECOND * (now - since), now
            going = None not in batch
            self._commit([item for item in batch if item is not None])
            under_way = len(batch) + self.waiting.qsize()
        self._drop_connection()

    def _gather(self, count: int) -> None:
        """Waits a moment for `count` writes."""
        until = time.monotonic() + GATHER_SECONDS
        while self.waiting.qsize() < count and time.monotonic() < until:
            time.sleep(GATHER_STEP_SECONDS)

    def _commit(self, batch: list[Entry | Job]) -> None:
        if not batch:
            return
        try:
            outcomes, commits = self._transact(batch)
        except self.store.errors as error:
            log.error("a commit failed: %s", error)
            busy = Busy("The store did not take it; please try again", after_ms=1000)
            self.committed([], [(item, busy) for item in batch])
            return
        except Exception as error:
            if len(batch) > 1:  # one of them is to blame: each alone, so that it hurts only itself
                for item in batch:
                    self._commit([item])
                return
            log.exception("a write failed")
            refusal = StillhereError()
            refusal.__cause__ = error
            self.committed([], [(batch[0], refusal)])
            return
        self.committed(commits, list(zip(batch, outcomes, strict=True)))

    def _transact(self, batch: list[Entry | Job]) -> tuple[list[Any], list[Any]]:
        """The batch in one transaction, on a connection that is kept as long as it works."""
        if self.connection is None:
            self.connection = self.store.engine.connect().execution_options(writes=True)
        try:
            transaction = Transaction(self.connection, now_ms())
            begin_writing(transaction)
            outcomes = self._work(transaction, batch)
            commit(transaction)
        except BaseException:
            self._drop_connection()  # a driver error below SQLAlchemy leaves it in doubt
            raise
        return outcomes, transaction.commits

    def _drop_connection(self) -> None:
        if self.connection is not None:
            self.connection.invalidate()
            self.connection.close()
            self.connection = None

    def _work(self, transaction: Transaction, batch: list[Entry | Job]) -> list[Any]:
        """Runs the batch in order; neighbouring commands go to `apply` together."""
        outcomes: list[Any] = []
        commands: list[Any] = []
        for item in batch:
            if isinstance(item, Entry):
                commands.append(item.command)
                continue
            if commands:
                outcomes += self.apply(transaction, commands)
                commands = []
            outcomes.append(run_job(transaction, item))
        if commands:
            outcomes += self.apply(transaction, commands)
        return outcomes


@dataclass(frozen=True, slots=True)
class Raised:
    """The outcome of a job that raised."""

    error: BaseException


def run_job(transaction: Transaction, job: Job) -> Any:
    """Runs a job in a savepoint, so that its failure undoes only itself."""
    before = len(transaction.commits)
    try:
        with transaction.connection.begin_nested():
            result = job.work(transaction)
            transaction.db.flush()
            return result
    except DBAPIError:
        raise
    except Exception as error:
        del transaction.commits[before:]
        return Raised(error)
    finally:
        transaction.db.close()
        del transaction.db


def only_answer(_commits: list[Any], answers: list[Answer]) -> None:
    """The `committed` of a writer that nobody in its process follows."""
    give(answers)


def give(answers: list[Answer]) -> None:
    """Tells everybody in a batch what came of it."""
    for item, outcome in answers:
        answer(item, outcome)


def answer(item: Entry | Job, outcome: Any) -> None:
    if isinstance(item, Entry):
        item.done(outcome)
    elif isinstance(outcome, Raised):
        item.future.set_exception(outcome.error)
    elif isinstance(outcome, StillhereError):
        item.future.set_exception(outcome)
    else:
        item.future.set_result(outcome)
