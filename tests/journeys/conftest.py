"""Fixtures for journeys: bad links, several servers, a browser, and what a test leaves to chance."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random, SystemRandom

import pytest
from playwright.sync_api import Browser

from tests.browsers import launched
from tests.conftest import MakeDatabase, Serve, servers
from tests.fault_proxy import Link, ProxyTo
from tests.record import Record
from tests.servers import Server

SEED = "TEST_SEED"
"""The environment variable that repeats what chance has chosen in a run before."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def chance() -> Random:
    """What a test leaves to chance; how to repeat it stands in the report of a failure."""
    seed = os.environ.get(SEED) or str(SystemRandom().randrange(1_000_000))
    print(f"to repeat: {SEED}={seed}")
    return Random(seed)


@pytest.fixture
def proxy_to(record: Record) -> Iterator[ProxyTo]:
    """Makes links to servers, over which nothing goes wrong until the test plans it."""
    with ExitStack() as links:
        yield lambda server: links.enter_context(closing(Link(record, server)))


@pytest.fixture
def postgres_url(make_postgres: MakeDatabase) -> Iterator[str]:
    """A fresh, migrated database of PostgreSQL, for what only several servers can show."""
    with make_postgres() as url:
        yield url


@pytest.fixture
def serve_postgres(postgres_url: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts servers on it, like `serve`."""
    with servers(postgres_url, tmp_path) as serve:
        yield serve


@pytest.fixture
def here_and_there(serve: Serve, backend: str) -> tuple[Server, Server]:
    """Two servers where the database is for several, or the same one twice."""
    here = serve()
    return here, serve() if backend == "postgres" else here
