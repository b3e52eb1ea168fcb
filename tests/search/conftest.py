"""Fixtures of the search room's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from history.db import Store
from search.whoosh_engine import WhooshEngine
from tests.search.engines import whoosh
from tests.search.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    store = Store(f"sqlite:///{tmp_path / 'record.db'}")
    store.migrate()
    office = Office(store, tmp_path / "index")
    office.opens()
    yield office
    office.stop()
    store.close()


@pytest.fixture
def any_office(store: Store, tmp_path: Path) -> Iterator[Office]:
    """An office on each database."""
    office = Office(store, tmp_path / "index")
    office.opens()
    yield office
    office.stop()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[WhooshEngine]:
    with whoosh(tmp_path / "index") as engine:
        yield engine
