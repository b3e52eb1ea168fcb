"""Every engine against a reader who goes through all messages, one by one (`oracle.py`)."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from search.engine import Engine
from search.parser import TERMS
from tests.conftest import MakeDatabase
from tests.search.conformance import check_record
from tests.search.engines import ENGINES, postgres
from tests.search.index import find, message

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


def test_phrases_are_found_at_every_place_of_a_long_text(make_engine: MakeEngine, tmp_path: Path) -> None:
    """PostgreSQL's tsvector knows 255 places of a word, and none beyond 16,383."""
    text = "a b " * 1900 + "a c " * 1900 + "京" * 2000 + " a d"
    messages = [message(1, text), message(2, "a " * 8000 + "e"), message(3, "d a c"), message(4, "a " * TERMS)]
    phrases = {
        '"a b"': [1],
        '"b a c"': [1],
        '"a c a"': [1],
        '"京京京 a d"': [1],
        '"a a e"': [2],
        '"b c"': [],
        '"d a c"': [3],
        '"' + "a " * TERMS + '"': [4, 2],
        '"' + "a " * (TERMS - 1) + 'e"': [2],
        '"' + "a " * 16 + '"': [4, 2],
        '"' + "d a c " * 10 + '"': [],
    }
    with make_engine(tmp_path / "long") as engine:
        engine.commit(messages)
        for phrase, found in phrases.items():
            assert find(engine, phrase) == found, phrase
