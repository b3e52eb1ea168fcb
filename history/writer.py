"""The one writer of this process: whatever waits at the same moment goes into one transaction with one fsync (group
commit), and is answered after it. Nothing here knows what is written.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from history.db import Store, Transaction, begin_writing, commit, gave_way
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

GIVEN_WAY = 3
"""How often a commit gives way to others before those in it hear that the store is busy."""

T = TypeVar("T")
Done = Callable[[Any], None]

log = logging.getLogger("stillhere.store")


class Entry(NamedTuple):
    """A command for the log, and who is told of its outcome, after the commit."""

    command: Any
    done: Done


@dataclass(frozen=True, slots=True)
class Job:
    """Any other work in the writer's transaction, and who waits for its result."""

    work: Callable[[Transaction], Any]
    future: "Future[Any]"
    is_sure: bool = False
    """Whether it raises only when something is broken: it needs no savepoint, and breaks what shares its commit."""


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

    def write(self, work: Callable[[Transaction], T], *, is_sure: bool = False) -> T:
        """Runs `work` in the writer's transaction and returns its result after the commit.

        What `work` raises undoes its own part only, and is raised here. Work that refuses nothing `is_sure`, which
        spares the database two statements.
        """
        self._check_room()
        future: Future[T] = Future()
        self.waiting.put(Job(work, future, is_sure))
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
            outcomes, commits = self._transact_patiently(batch)
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
            self.committed([], [(batch[0], refusal_of(error))])
            return
        self.committed(commits, list(zip(batch, outcomes, strict=True)))

    def _transact_patiently(self, batch: list[Entry | Job]) -> tuple[list[Any], list[Any]]:
        """Again, a few times, where the database has undone all of it to let another process pass."""
        for _ in range(GIVEN_WAY):
            try:
                return self._transact(batch)
            except self.store.errors as error:
                if not gave_way(error):
                    raise
                log.warning("a commit gave way to another, and is tried again")
        return self._transact(batch)

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
        """Undoes what is not committed at once: only closed, SQLite holds its lock as long as an error is told."""
        if self.connection is not None:
            with suppress(Exception):  # it may be gone
                self.connection.connection.rollback()
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
            outcomes.append(run_job(transaction, item, (DBAPIError, *self.store.errors)))
        if commands:
            outcomes += self.apply(transaction, commands)
        return outcomes


@dataclass(frozen=True, slots=True)
class Raised:
    """The outcome of a job that raised."""

    error: BaseException


def refusal_of(error: Exception) -> StillhereError:
    """What is told to whoever waits for a write that failed: no more than what was meant to be told."""
    if isinstance(error, StillhereError):
        return error
    log.error("a write failed", exc_info=error)
    refusal = StillhereError()
    refusal.__cause__ = error
    return refusal


def run_job(transaction: Transaction, job: Job, of_store: tuple[type[BaseException], ...]) -> Any:
    """Runs a job in a savepoint, so that its failure undoes only itself; but failures `of_store`, and those of a job
    that was sure, are all's."""
    before = len(transaction.commits)
    try:
        with nullcontext() if job.is_sure else transaction.connection.begin_nested():
            result = job.work(transaction)
            transaction.db.flush()
            return result
    except of_store:
        raise
    except Exception as error:
        if job.is_sure:
            raise
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
