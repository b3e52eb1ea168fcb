"""tantivy and PostgreSQL when the process is killed in the middle of commits: what is found afterwards are whole
commits, among them all that were acknowledged. (Whoosh's own test goes further: `test_whoosh_crash.py`.)
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.engine import Ask
from tests import nursery
from tests.conftest import MakeDatabase
from tests.search.committing import kept, opened
from tests.search.engines import postgres, tantivy
from tests.search.index import find

COMMITS = 100
ACKS_BEFORE_A_KILL = (10, 30)
LONGEST_COMMIT_SECONDS = 0.05


def test_kill_9_in_the_middle_of_commits_of_tantivy(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with tantivy(folder):
        pass
    commit_and_kill("tantivy", str(folder))


@pytest.fixture(scope="module")
def url(make_postgres: MakeDatabase) -> Iterator[str]:
    with make_postgres() as url:
        yield url


def test_kill_9_in_the_middle_of_commits_to_postgres(url: str) -> None:
    with postgres(url):
        pass
    commit_and_kill("postgres", url)


def commit_and_kill(name: str, where: str) -> None:
    acknowledged = 0
    while acknowledged < COMMITS:
        acknowledged = check(name, where, acknowledged + killed_while_committing(name, where))


def killed_while_committing(name: str, where: str) -> int:
    """How many commits a process acknowledged until it was killed."""
    ours, theirs = os.pipe()
    process = nursery.begin("tests.search.committing:main", name, where, stdout=theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb") as acks:
        before = random.randint(*ACKS_BEFORE_A_KILL)
        for _ in range(before):
            assert acks.readline(), "it committed until it was killed"
        time.sleep(random.uniform(0, LONGEST_COMMIT_SECONDS))  # somewhere in a commit; nothing else hangs on it
        process.kill()
        process.wait()
        return before + len(acks.read().splitlines())


def check(name: str, where: str, acknowledged: int) -> int:
    """How many commits are there. Raises AssertionError if that is not all that were acknowledged, each one whole."""
    with opened(name, where) as engine:
        edition = engine.check()
        assert edition is not None and edition.commits in (acknowledged, acknowledged + 1)
        expected = kept(edition.commits)
        assert engine.count() == len(expected)
        assert find(engine, "coat", ask=Ask(limit=len(expected))) == expected
        return edition.commits
