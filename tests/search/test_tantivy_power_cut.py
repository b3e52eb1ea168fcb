"""tantivy when the power fails in the middle of commits: what the folder holds afterwards are whole commits, among them
all that were acknowledged. Which of its files and names a disk holds for certain is told by the calls that it made.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from search.engine import Ask
from tests import power_cut
from tests.power_cut import Call, read_calls, recorder, unescaped
from tests.search.committing import kept, opened
from tests.search.engines import tantivy
from tests.search.index import find

COMMITS = 100
SEED = 31
CUTS_AFTER = 0.01
"""After so many of all steps the power fails."""

CALLS = "openat,write,fsync,fdatasync,renameat,rename,unlink,unlinkat"
PATHS = re.compile(r'"([^"]*)"')
ACK = b"!\n"
COMMITTING = "from tests.search.committing import main; main()"


@dataclass
class File:
    """What was written to a file, of which the first `certain` bytes are on the disk whatever happens."""

    written: bytearray = field(default_factory=bytearray)
    certain: int = 0

    def after_cut(self, chance: Random) -> bytes:
        return bytes(self.written[: chance.randint(self.certain, len(self.written))])


class FolderOnDisk:
    """The names in a folder as they are, and as they were when the folder itself was synced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = {}
        for path in folder.iterdir():
            content = bytearray(path.read_bytes())
            self.now[path.name] = File(content, len(content))
        self.certain = dict(self.now)

    def play(self, call: Call) -> None:
        """A call that has succeeded."""
        match call.name:
            case "openat" if "O_CREAT" in call.arguments:
                self.now.setdefault(*names(call), File())
            case "write":
                self.now[Path(call.path).name].written += call.data[: call.result]
            case "fsync" | "fdatasync" if Path(call.path) == self.folder:
                self.certain = dict(self.now)
            case "fsync" | "fdatasync":
                file = self.now[Path(call.path).name]
                file.certain = len(file.written)
            case "rename" | "renameat":
                before, after = names(call)
                self.now[after] = self.now.pop(before)
            case "unlink" | "unlinkat":
                self.now.pop(*names(call), None)

    def after_cut(self, folder: Path, chance: Random) -> None:
        """The folder as it may be after a power cut now: each name stands for what it did at the last sync, or does."""
        folder.mkdir(mode=0o700)
        for name in sorted(self.certain.keys() | self.now.keys()):
            file = chance.choice((self.certain, self.now)).get(name)
            if file is not None:
                (folder / name).write_bytes(file.after_cut(chance))


def names(call: Call) -> list[str]:
    """The names of files that a call gives, without their folder."""
    return [Path(unescaped(text).decode()).name for text in PATHS.findall(call.arguments)]


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, FolderOnDisk]:
    """The calls of a process that made commits in a folder, and what the disk held before."""
    if reason := power_cut.why_not():
        pytest.skip(reason)
    folder, log = tmp_path / "index", tmp_path / "calls"
    with tantivy(folder):
        pass
    disk = FolderOnDisk(folder)
    command = [*recorder(log, CALLS), sys.executable, "-c", COMMITTING, "tantivy", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        for _ in range(COMMITS):
            assert process.stdout.readline() == ACK
        process.stdout.close()  # it ends, as it can no longer say what it did
    return log, disk


def steps(log: Path, folder: Path) -> Iterator[Call]:
    """The calls about the folder, when they are done, and the acknowledgements, as early as they can have been seen."""
    begun = False
    for call in read_calls(log):
        if call.name == "write" and call.data == ACK:
            if not begun:
                yield call
            begun = not call.done
        elif call.done and call.result >= 0 and str(folder) in call.path:
            yield call


def test_a_power_cut_in_the_middle_of_commits_leaves_whole_ones(
    recorded: tuple[Path, FolderOnDisk], tmp_path: Path
) -> None:
    log, disk = recorded
    chance = Random(SEED)
    acknowledged, whole = 0, []
    for step in steps(log, disk.folder):
        if step.name == "write" and step.data == ACK:
            acknowledged += 1
        else:
            disk.play(step)
        if chance.random() < CUTS_AFTER:
            after = tmp_path / f"after-{len(whole)}"
            disk.after_cut(after, chance)
            whole.append(is_whole(after, acknowledged))
            shutil.rmtree(after, ignore_errors=True)
    assert acknowledged >= COMMITS
    assert len(whole) > COMMITS / 2
    assert sum(whole) > 0.8 * len(whole)  # else it would be made again from the log too often to be of use


def is_whole(folder: Path, acknowledged: int) -> bool:
    """False if there is no index any more, and all is to be indexed again. Raises AssertionError if there is one that
    lacks something that was acknowledged, or has a part of a commit.
    """
    with opened("tantivy", str(folder)) as engine:
        edition = engine.check()
        if edition is None:
            return False
        assert edition.commits in (acknowledged, acknowledged + 1)
        expected = kept(edition.commits)
        assert engine.count() == len(expected)
        assert find(engine, "coat", ask=Ask(limit=len(expected))) == expected
        return True
