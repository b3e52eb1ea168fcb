"""Reference: SQLite's own full text index (FTS5) over the same messages, asked for what a page of hits
needs.
"""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

HITS = 20
FIND = """
    SELECT rowid, snippet(message, 0, '<mark>', '</mark>', '…', 12) FROM message
    WHERE message MATCH ? ORDER BY {} LIMIT ?
"""
COUNT = "SELECT count(*) FROM message WHERE message MATCH ?"


class FullText:
    """A filled index, and the messages per second at which it was filled (one transaction)."""

    def __init__(self, path: Path, texts: Sequence[str]) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("CREATE VIRTUAL TABLE message USING fts5 (text)")
        begin = time.perf_counter()
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO message (text) VALUES (?)", ((text,) for text in texts))
        self.db.execute("COMMIT")
        self.rate = len(texts) / (time.perf_counter() - begin)

    def find(self, query: str, best: bool = False) -> tuple[list[tuple[int, str]], int]:
        """The newest hits, or those that fit best, with snippets, and the count of all."""
        (total,) = self.db.execute(COUNT, (query,)).fetchone()
        return self.db.execute(FIND.format("rank" if best else "rowid DESC"), (query, HITS)).fetchall(), total
