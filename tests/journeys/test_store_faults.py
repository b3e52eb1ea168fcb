"""The store is locked, full, failing or gone: nothing is acked meanwhile, all are told `busy`; later all arrives."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from history.times import new_id
from tests import power_cut
from tests.checker import check
from tests.conftest import MakeDatabase, Serve, servers
from tests.dump import read_dump
from tests.people import Agent, Customer, Person
from tests.postgres import Cluster, running_cluster
from tests.record import Record
from tests.servers import Server
from tests.web import Answer, ask

LOCK_PATIENCE_S = 25
"""SQLite itself waits ten seconds for a lock before the server has to say that it is busy."""

RECOVERY_S = 20


@pytest.fixture
def serve_sqlite(make_sqlite: MakeDatabase, tmp_path: Path) -> Iterator[Serve]:
    with make_sqlite() as url, servers(url, tmp_path) as serve:
        yield serve


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A PostgreSQL that no other test uses."""
    with running_cluster() as cluster:
        yield cluster


def pair(here: Server, there: Server, record: Record) -> tuple[Customer, Agent]:
    """Ann and Robin in an active chat, who have said a few words."""
    ann = Customer(record, "Ann").starts(here, "Hello")
    robin = Agent(record, "Robin").signs_in(there)
    robin.accepts(ann.chat)
    robin.says("Hello Ann")
    ann.sees("Hello Ann")
    return ann, robin


def writes_in_vain(person: Person, words: list[str], patience_s: float = RECOVERY_S) -> None:
    """Writes, is told `busy`, and gets no ack."""
    before = len(person.answers)
    for text in words:
        person.writes(text)
    person.until(lambda: bool(person.nacks), "a refusal", patience_s)
    assert {(nack["code"], nack["retry"]) for nack in person.nacks} == {("busy", True)}
    assert all(nack["after_ms"] > 0 for nack in person.nacks)
    assert len(person.answers) == before, "something was acked that cannot have been stored"


def all_is_well(url: str, ann: Customer, robin: Agent, record: Record, words: list[str]) -> None:
    """What was written meanwhile is in the log once, in order, and both have it."""
    ann.settles()
    robin.sees(words[-1])
    robin.says("Now I have it")
    ann.sees("Now I have it")
    dump = read_dump(url)
    assert dump.said(ann.chat) == ["Hello", "Hello Ann", *words, "Now I have it"]
    for person in (ann, robin):
        person.catches_up(dump.head(ann.chat))
    assert check(record.lines, dump) == []


@contextmanager
def locked(server: Server) -> Iterator[None]:
    """Another process writes into the database and does not come to an end."""
    file = server.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def log_of(server: Server) -> Path:
    """SQLite's write-ahead log."""
    return Path(f"{server.database_url.removeprefix('sqlite:///')}-wal")


@contextmanager
def failing_syncs(server: Server) -> Iterator[None]:
    """The disk takes what is written, and says that it could not keep it."""
    if reason := power_cut.why_not():
        pytest.skip(f"no disk can fail on this machine: {reason}")
    with power_cut.syncs_fail(server.workers(), log_of(server)):
        yield


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """The server's files cannot grow: its write-ahead log is as long as a file may be."""
    workers = server.workers()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    for worker in workers:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (log_of(server).stat().st_size, usual[1]))
    yield
    for worker in workers:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, usual)


@pytest.mark.parametrize("trouble", [locked, full_disk, failing_syncs], ids=["locked", "full", "failing"])
def test_while_sqlite_cannot_write_nothing_is_acked_and_all_can_read(
    serve_sqlite: Serve, record: Record, trouble: Callable[[Server], AbstractContextManager[None]]
) -> None:
    server = serve_sqlite()
    ann, robin = pair(server, server, record)
    words = [f"Meanwhile {number}" for number in range(20)]
    with trouble(server):
        writes_in_vain(ann, words, LOCK_PATIENCE_S)
        assert len(ann.asks("GET", f"/chats/{ann.chat}/events").json["items"]) == ann.copy.high
        tablet = ann.on_another_device()
        assert tablet.texts() == ["Hello", "Hello Ann"]
        tablet.leaves()
    all_is_well(server.database_url, ann, robin, record, words)


def test_while_postgres_is_gone_all_are_told_and_afterwards_all_goes_on(
    own_cluster: Cluster, tmp_path: Path, record: Record
) -> None:
    with servers(own_cluster.create("template0"), tmp_path) as serve:
        here, there = serve(), serve()
        ann, robin = pair(here, there, record)
        words = [f"Meanwhile {number}" for number in range(20)]

        own_cluster.stop()
        writes_in_vain(ann, words)
        for server in (here, there):
            check_busy(ask(server.port, "GET", f"/api/v1/chats/{ann.chat}/events", token=ann.token))
            check_busy(ask(server.port, "POST", "/api/v1/chats", {"name": "Ben"}))
            check_busy(ask(server.port, "GET", "/api/v1/queue", token=robin.token))
        stored = ann.asks("POST", f"/chats/{ann.chat}/messages", {"id": new_id(), "data": {"text": "Hi"}})
        check_busy(stored)
        ben = Customer(record, "Ben")
        ben.dials(there, {})
        ben.tells(type="hello", token=ann.token)
        ben.is_shut_out(4150)
        assert ben.bye["retry_ms"] > 0

        own_cluster.start()
        for server in (here, there):
            recovers(server, ann)
        all_is_well(here.database_url, ann, robin, record, words)
        assert ann.connections == robin.connections == 1, "a socket was lost with the store"


def check_busy(answer: Answer) -> None:
    assert (answer.status, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert answer.json["code"] == "busy"


def recovers(server: Server, person: Person) -> None:
    """By itself, the server answers again, and goes on answering."""
    deadline, well = monotonic() + RECOVERY_S, 0
    while well < 20:
        assert monotonic() < deadline, "the server does not recover"
        status = ask(server.port, "GET", f"/api/v1/chats/{person.chat}", token=person.token).status
        assert status in (200, 503)
        well = well + 1 if status == 200 else 0
        sleep(0 if well else 0.05)
