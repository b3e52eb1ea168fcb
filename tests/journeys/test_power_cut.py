"""The power fails at the worst moment: what was acked is on the disk, and a store that syncs less would be caught."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests import power_cut
from tests.checker import check
from tests.conftest import MakeDatabase
from tests.dump import read_dump
from tests.people import Agent, Customer
from tests.power_cut import Ack, Disk, recorder, replay
from tests.record import Record
from tests.servers import COMMAND, Server, execute

TUNED = (sys.executable, "-P", Path(__file__).parents[1] / "tuned_server.py")
MESSAGES = 60
SEED = 30


@dataclass
class Talk:
    """What a recorded server did while people talked."""

    log: Path
    database: Path
    original: bytes
    acked: int

    def lost(self, folder: Path, chance: Random | None) -> list[tuple[int, list[str]]]:
        """For each moment of acks: how many had been sent, and which of them the disk would not have after a cut."""
        acks: dict[str, Ack] = {}
        found = []
        for moment in replay(self.log, self.database, self.original):
            acks |= {ack["id"]: ack for ack in moment.acks}
            log_on_disk = events_after_cut(moment.disk, self.database, folder, chance)
            lost = [id for id, ack in acks.items() if (id, ack["seq"], ack["hash"]) not in log_on_disk]
            found.append((len(acks), lost))
        assert found[-1][0] == self.acked, "the recording does not have all that was acked"
        return found


def events_after_cut(disk: Disk, database: Path, folder: Path, chance: Random | None) -> set[tuple[str, int, str]]:
    """The (id, seq, hash) of the events in the database when the machine has started again; it must be sound."""
    for path, content in disk.after_cut(chance).items():
        (folder / Path(path).name).write_bytes(content)
    connection = sqlite3.connect(folder / database.name)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return set(connection.execute("SELECT id, seq, hash FROM event"))
    finally:
        connection.close()


Talks = Callable[[str], Talk]


@pytest.fixture
def talks(make_sqlite: MakeDatabase, record: Record, tmp_path: Path) -> Iterator[Talks]:
    """Lets people talk on a recorded server, which has one more SQL statement for each connection, if any."""
    if reason := power_cut.why_not():
        pytest.skip(f"no power cuts on this machine: {reason}")
    with make_sqlite() as url:

        def talk(statement: str) -> Talk:
            database, log = Path(url.removeprefix("sqlite:///")), tmp_path / "calls.log"
            server = Server(tmp_path, url)
            server.key_of("Robin")  # what the test writes by itself is not recorded
            original = database.read_bytes()
            server.begin = partial(execute, *recorder(log), *((*TUNED, statement) if statement else (COMMAND,)))
            server.start()
            try:
                people_talk(server, record)
            finally:
                server.kill()
            server.check_log()
            assert check(record.lines, read_dump(url)) == []
            return Talk(log, database, original, sum(line["ev"] == "ack" for line in record.lines))

        yield talk


def people_talk(server: Server, record: Record) -> None:
    ann = Customer(record, "Ann").starts(server, "Hello")
    robin = Agent(record, "Robin").signs_in(server)
    robin.accepts(ann.chat)
    for number in range(MESSAGES):
        ann.writes(f"Ann's word {number}")
        robin.writes(f"Robin's word {number}")
    for person in (ann, robin):
        person.settles()
    for person in (ann, robin):
        person.catches_up(2 * MESSAGES + 4)  # two joins, the first words, the acceptance


@pytest.mark.parametrize("statement", ["", "PRAGMA wal_autocheckpoint = 10"], ids=["as shipped", "many checkpoints"])
def test_what_was_acked_is_there_after_a_power_cut_at_any_moment(talks: Talks, tmp_path: Path, statement: str) -> None:
    talk = talks(statement)
    for chance in (None, Random(SEED)):
        folder = tmp_path / f"restarted-{chance is None}"
        folder.mkdir()
        assert [lost for _, lost in talk.lost(folder, chance) if lost] == []


def test_a_store_that_syncs_less_would_lose_what_was_acked(talks: Talks, tmp_path: Path) -> None:
    """The test above can fail: with synchronous NORMAL a commit is not synced."""
    folder = tmp_path / "restarted"
    folder.mkdir()
    acked, lost = talks("PRAGMA synchronous = NORMAL").lost(folder, None)[-1]
    assert 0 < len(lost) <= acked
