"""References of the disk, in the folder where Stillhere will write: one fdatasync, and raw sqlite3
inserts.

The rows inserted are messages with the two unique indexes that a chat needs, with the durability of
Stillhere (WAL, synchronous FULL): each in a transaction of its own, then many in one.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.corpus import Dialogue
from bench.machine import fdatasync_ms, percentile
from bench.scale import Scale
from bench.table import Row

SCHEMA = """
    CREATE TABLE message (
        pk INTEGER PRIMARY KEY, chat TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL,
        text TEXT NOT NULL, UNIQUE (chat, seq), UNIQUE (id, chat)
    )
"""
INSERT = "INSERT INTO message (chat, seq, id, text) VALUES (?, ?, ?, ?)"

MessageRow = tuple[str, int, str, str]
"""Chat, seq, id, text."""


@dataclass(frozen=True)
class Disk:
    """What the disk does: the median fdatasync, and rows per second inserted one by one and all at once."""

    fdatasync_ms: float
    single_rate: float
    bulk_rate: float

    def rows(self) -> Iterator[Row]:
        yield Row("one fdatasync of 4 KiB, p50", f"{self.fdatasync_ms:.2f} ms")
        yield Row("raw sqlite3 inserts, a transaction each", f"{self.single_rate:,.0f}/s")


def measure(scale: Scale, folder: Path, talks: Sequence[Dialogue]) -> Disk:
    """Both references."""
    sync_ms = percentile(fdatasync_ms(folder, scale.syncs), 0.5)
    rows = list(message_rows(talks))
    single_rate, bulk_rate = insert_rates(folder / "reference.sqlite", rows, scale.single_inserts)
    return Disk(sync_ms, single_rate, bulk_rate)


def message_rows(talks: Sequence[Dialogue]) -> Iterator[MessageRow]:
    """Dialogues as rows."""
    for dialogue in talks:
        for seq, (_, text) in enumerate(dialogue.turns, start=1):
            yield dialogue.id, seq, f"{dialogue.id}-{seq:04}", text


def insert_rates(path: Path, rows: Sequence[MessageRow], single: int) -> tuple[float, float]:
    """Rows per second: the first `single` with a transaction each, then all the rest in one."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(SCHEMA)
    begin = time.perf_counter()
    for row in rows[:single]:
        db.execute(INSERT, row)
    middle = time.perf_counter()
    db.execute("BEGIN")
    db.executemany(INSERT, rows[single:])
    db.execute("COMMIT")
    end = time.perf_counter()
    db.close()
    return single / (middle - begin), (len(rows) - single) / (end - middle)
