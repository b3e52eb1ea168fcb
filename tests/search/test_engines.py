"""Every engine against a reader who goes through all messages, one by one (`oracle.py`)."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from search.engine import Engine
from tests.conftest import MakeDatabase
from tests.search.conformance import check_record
from tests.search.engines import ENGINES, postgres

RECORDS = 12
CASES = 50

MakeEngine = Callable[[Path], AbstractContextManager[Engine]]


@pytest.fixture(scope="session", params=[*ENGINES, "postgres"])
def make_engine(request: pytest.FixtureRequest) -> Iterator[MakeEngine]:
    if request.param != "postgres":
        yield ENGINES[request.param]
        return
    make_postgres: MakeDatabase = request.getfixturevalue("make_postgres")
    with make_postgres() as url:
        yield lambda _folder: postgres(url)


def test_it_finds_what_somebody_finds_who_reads_all_messages(make_engine: MakeEngine, tmp_path: Path) -> None:
    for number in range(RECORDS):
        seed = random.randrange(1_000_000_000)
        with make_engine(tmp_path / str(number)) as engine:
            check_record(engine, seed, CASES)
