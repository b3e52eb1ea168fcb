"""Fixtures for all rooms: a database on SQLite and on PostgreSQL, server processes on them, and a watch for leftovers.

What is dear is shared: one PostgreSQL a run, one server a database for the tests that do not kill it, and migrations
run once, into a template that each test gets a copy of.
"""

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from history.db import Store
from tests import nursery
from tests.postgres import Cluster, name_of, running_cluster
from tests.record import Record
from tests.servers import Server

LEFTOVER_SECONDS = 5


class MakeDatabase(Protocol):
    """Makes a migrated database, or a copy of the one at `original`, which nobody uses meanwhile. Gives its URL."""

    def __call__(self, original: str = "") -> AbstractContextManager[str]: ...


Serve = Callable[..., Server]


def pytest_configure() -> None:
    """A run that is told to end takes its servers with it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on; whoever uses it, even by another fixture, runs on both."""
    return str(request.param)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster(in_memory=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def make_postgres(cluster: Cluster) -> MakeDatabase:
    """Makes migrated databases of PostgreSQL."""
    template = cluster.create()
    migrate(template)

    @contextmanager
    def make(original: str = "") -> Iterator[str]:
        url = cluster.create(name_of(original or template))
        yield url
        cluster.drop(url)

    return make


@pytest.fixture(scope="session")
def make_sqlite(tmp_path_factory: pytest.TempPathFactory) -> MakeDatabase:
    """Makes migrated databases of SQLite."""
    template = f"sqlite:///{tmp_path_factory.mktemp('template') / 'stillhere.db'}"
    migrate(template)

    @contextmanager
    def make(original: str = "") -> Iterator[str]:
        folder = tmp_path_factory.mktemp("database")
        file = (original or template).removeprefix("sqlite:///")
        yield f"sqlite:///{shutil.copy(file, folder)}"
        shutil.rmtree(folder)

    return make


@pytest.fixture(scope="session")
def make_database(backend: str, request: pytest.FixtureRequest) -> MakeDatabase:
    """Makes migrated databases of the backend; PostgreSQL is started only if it is wanted."""
    make: MakeDatabase = request.getfixturevalue(f"make_{backend}")
    return make


def migrate(url: str) -> None:
    store = Store(url)
    store.migrate()
    store.close()


@pytest.fixture
def database_url(make_database: MakeDatabase) -> Iterator[str]:
    """A fresh, migrated database."""
    with make_database() as url:
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    yield store
    store.close()


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    """What the test's drivers see; in the end they hang up."""
    record = Record()
    yield record
    for driver in record.drivers:
        driver.hangs_up()
    record.save(tmp_path / "record.jsonl")


@pytest.fixture(scope="session")
def server(make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all tests on this database share; they leave it running, and look at their own chats only."""
    with make_database() as url, servers(url, tmp_path_factory.mktemp("shared")) as serve:
        yield serve()


@pytest.fixture
def serve(database_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts servers of the test's own, which share a database, a folder and a key. Takes settings by name."""
    with servers(database_url, tmp_path) as serve:
        yield serve


@pytest.fixture(scope="session")
def two_servers(
    make_postgres: MakeDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """Two processes on one PostgreSQL database, shared like `server`."""
    with make_postgres() as url, servers(url, tmp_path_factory.mktemp("two")) as serve:
        yield serve(), serve()


@pytest.fixture(scope="session")
def doors(backend: str, request: pytest.FixtureRequest) -> tuple[Server, Server]:
    """Two ways in: the two processes on PostgreSQL, and twice the same one on SQLite, which serves from one."""
    if backend == "postgres":
        two: tuple[Server, Server] = request.getfixturevalue("two_servers")
        return two
    server: Server = request.getfixturevalue("server")
    return server, server


@contextmanager
def servers(database_url: str, folder: Path) -> Iterator[Serve]:
    """A function that starts servers. In the end they are stopped, and what they logged is looked at."""
    with ExitStack() as stack:

        def serve(command: str = "serve", **settings: str) -> Server:
            server = Server(folder, database_url, command, **settings)
            stack.callback(server.check_log)
            stack.callback(server.stop)
            server.start()
            return server

        yield serve


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """A test that leaves a thread or a process behind fails."""
    before = living()
    yield
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while living() - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not living() - before, "the test has left these behind"


def living() -> set[threading.Thread | int]:
    """The threads and, where the system tells, the child processes of this process and of its nursery."""
    nurseries = nursery.numbers()
    parents = ("self", *nurseries)
    paths = (path for parent in parents for path in Path(f"/proc/{parent}/task").glob("*/children"))
    return {*threading.enumerate(), *(pid for path in paths for pid in children_in(path))} - nurseries


def children_in(path: Path) -> list[int]:
    """Of a thread; none if it ends at this moment."""
    try:
        return list(map(int, path.read_text().split()))
    except (FileNotFoundError, ProcessLookupError):
        return []
