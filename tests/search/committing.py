"""A process that commits to an index until it is killed: `main` with the arguments ENGINE and WHERE, a folder or a
database's URL. It writes a line for each commit that was acknowledged.
"""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from history.db import Store
from search.engine import Document, Engine, Key
from search.postgres_engine import PostgresEngine
from search.tantivy_engine import TantivyEngine
from tests.search.index import message

A_COMMIT = 3
"""How many messages each commit adds; every fifth deletes the first message of the one before."""


def added(number: int) -> list[Document]:
    return [message(number * A_COMMIT + part, f"coat commit{number}") for part in range(A_COMMIT)]


def deleted(number: int) -> list[Key]:
    return [added(number - 1)[0].key] if number % 5 == 0 else []


def kept(commits: int) -> list[int]:
    """The seqs that are there after so many commits, newest first."""
    gone = {key.seq for number in range(1, commits + 1) for key in deleted(number)}
    seqs = (document.key.seq for number in range(1, commits + 1) for document in added(number))
    return sorted((seq for seq in seqs if seq not in gone), reverse=True)


@contextmanager
def opened(name: str, where: str) -> Iterator[Engine]:
    if name == "tantivy":
        with closing(TantivyEngine(Path(where))) as engine:
            yield engine
        return
    with closing(Store(where)) as store, closing(PostgresEngine(store, "a")) as engine:
        yield engine


def main() -> None:
    with opened(*sys.argv[1:]) as engine:
        while not engine.claim():  # PostgreSQL has not noticed yet that the one before was killed
            pass
        edition = engine.check()
        assert edition
        while True:
            edition = engine.commit(added(edition.commits + 1), deleted(edition.commits + 1))
            sys.stdout.write("!\n")
            sys.stdout.flush()
