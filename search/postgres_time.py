"""The time that a search has in PostgreSQL. Called by `postgres_engine.py`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

TIME_LEFT = "SET LOCAL statement_timeout = {ms}"
BEGIN = "SAVEPOINT search"
BACK = "ROLLBACK TO search"


@dataclass(slots=True)
class TimedCursor:
    """A cursor whose statements end at a moment, raising QueryCanceled: PostgreSQL counts the time of each statement
    by itself, so each is told what is left.
    """

    cursor: psycopg.Cursor[Any]
    until: float
    """By `time.monotonic`."""

    def begin(self) -> None:
        """To here it goes `back`, where PostgreSQL forgets the limit: one for the way back would cancel that, too."""
        self.cursor.execute(BEGIN)

    def back(self, until: float) -> None:
        """After a statement was canceled; those to come have another moment."""
        self.cursor.execute(BACK)
        self.until = until

    def execute(self, sql: str, params: Sequence[Any] = (), *, binary: bool = False) -> Any:
        """`binary`: what it says comes as it is, which is half as long for bytes."""
        self.cursor.execute(TIME_LEFT.format(ms=ms_until(self.until)))
        return self.cursor.execute(sql, params, binary=binary)

    def executemany(self, sql: str, params: Sequence[Sequence[Any]]) -> Any:
        self.cursor.execute(TIME_LEFT.format(ms=ms_until(self.until)))
        return self.cursor.executemany(sql, params)

    def fetchall(self) -> Sequence[Any]:
        return self.cursor.fetchall()

    def fetchone(self) -> Any:
        return self.cursor.fetchone()


def ms_until(moment: float) -> int:
    """For a time limit of PostgreSQL, where 0 means none."""
    return max(1, int(1000 * (moment - time.monotonic())))
