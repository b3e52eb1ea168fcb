"""The embedded engine when its process is killed, or the power fails, in the middle of commits: what is found
afterwards are whole commits, among them all that were acknowledged.
"""

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from search import whoosh_storage
from search.whoosh_engine import WhooshEngine
from tests.search.committing import added, deleted, kept
from tests.search.engines import PATIENCE_SECONDS, whoosh
from tests.search.index import find

COMMITS = 100
FILE_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir"}
LATEST_EVENT = 150


def check_folder(folder: Path, acknowledged: int) -> int:
    """How many commits are there; raises AssertionError if that is not all that were acknowledged, each one whole."""
    with closing(WhooshEngine(folder, PATIENCE_SECONDS)) as engine:
        edition = engine.check()
        assert edition is not None and edition.commits in (acknowledged, acknowledged + 1)
        assert engine.claim()
        assert engine.count() == len(kept(edition.commits))
        found: list[int] = []
        for number in range(1, edition.commits + 1):
            found += find(engine, f"commit{number}")
        assert sorted(found, reverse=True) == kept(edition.commits)
        return edition.commits


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child takes no lock that another thread may have
def test_kill_9_in_the_middle_of_commits_leaves_whole_ones(tmp_path: Path) -> None:
    """A process that is forked off commits, and is killed at some moment between two steps over files."""
    folder = tmp_path / "index"
    with whoosh(folder):
        pass
    commits = 0
    while commits < COMMITS:
        acknowledged = commits + killed_while_committing(folder, commits, random.randint(1, LATEST_EVENT))
        commits = check_folder(folder, acknowledged)


def killed_while_committing(folder: Path, commits: int, last_event: int) -> int:
    """How many commits a process acknowledged until it was killed before its `last_event`."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        commit_until_killed(folder, commits, last_event, write)
    os.close(write)
    with os.fdopen(read, "rb") as acks:
        acknowledged = len(acks.read())
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    return acknowledged


def commit_until_killed(folder: Path, commits: int, last_event: int, acks: int) -> None:
    try:
        engine = WhooshEngine(folder)
        assert engine.claim() and engine.check()
        left = [last_event]

        def hook(event: str, _: object) -> None:
            if event in FILE_EVENTS:
                left[0] -= 1
                if left[0] <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        for number in range(commits + 1, commits + LATEST_EVENT):
            engine.commit(added(number), deleted(number))
            os.write(acks, b"!")
    finally:
        os._exit(1)  # neither pytest's nor another's cleaning up is this process's


class Disk:
    """What a folder holds for certain: contents of files as they were synced, names as they were when it was itself."""

    def __init__(self, folder: Path, at_each_step: Callable[[], None]) -> None:
        self.folder = folder
        self.at_each_step = at_each_step
        self.contents: dict[int, bytes] = {}
        """By the number of the file's inode."""
        self.names: dict[str, bytes | None] = {}
        """Each name that is kept for certain, with the content that the file behind it has for certain."""

    def sync(self, path: Path) -> None:
        self.at_each_step()
        if path == self.folder:
            self.names = {file.name: self.known(file) for file in self.folder.iterdir() if file.is_file()}
        else:
            self.contents[path.stat().st_ino] = path.read_bytes()
            if path.name in self.names:
                self.names[path.name] = path.read_bytes()
        self.at_each_step()

    def known(self, file: Path) -> bytes | None:
        return self.contents.get(file.stat().st_ino)

    def after_cut(self, folder: Path, chance: random.Random) -> None:
        """The folder as it may be after a power cut now: what was not synced may be there, or a part of it, or not."""
        folder.mkdir(mode=0o700)
        now = {file.name: file for file in self.folder.iterdir() if file.is_file()}
        for name in self.names.keys() | now.keys():
            is_certain = name in self.names and name in now
            if not is_certain and chance.random() < 0.5:
                continue
            content = self.known(now[name]) if name in now else self.names[name]
            if content is None:
                whole = now[name].read_bytes() if name in now else b""
                content = whole[: chance.randint(0, len(whole))]
            (folder / name).write_bytes(content)


def test_a_power_cut_in_the_middle_of_commits_leaves_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(random.randrange(1_000_000))
    folder, acknowledged, cuts = tmp_path / "index", -1, 0

    def cut() -> None:
        nonlocal cuts
        if acknowledged >= 0 and chance.random() < 0.15:
            after = tmp_path / "after"
            disk.after_cut(after, chance)
            check_folder(after, acknowledged)
            shutil.rmtree(after)
            cuts += 1

    disk = Disk(folder, cut)
    monkeypatch.setattr(whoosh_storage, "sync", disk.sync)
    with whoosh(folder) as engine:
        while acknowledged < COMMITS:
            acknowledged += 1
            engine.commit(added(acknowledged + 1), deleted(acknowledged + 1))
    assert cuts > COMMITS // 2
