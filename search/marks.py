"""What SQL knows of the search index: how far it has followed each chat, which edition of it these marks belong to, in
which of two places it is, and what was asked of the indexer. Used by the indexer, the shelf and the command.
"""

from collections.abc import Iterable
from typing import NamedTuple

from history.db import Driver, Transaction
from history.models import INTERNAL, PUBLIC
from search.engine import Edition, Key

NO_CHAT = 0
"""In the table of marks: the row with the index's identity and its number of commits."""

BEHIND = (
    "SELECT COALESCE(SUM(c.head - COALESCE(m.seq, 0) + c.internal_head - COALESCE(m.internal_seq, 0)), 0) "
    "FROM chat c LEFT JOIN index_mark m ON m.chat_pk = c.pk"
)
SAVE_MARK = (
    "INSERT INTO index_mark (chat_pk, seq, internal_seq) VALUES (?, ?, ?) "
    "ON CONFLICT (chat_pk) DO UPDATE SET seq = excluded.seq, internal_seq = excluded.internal_seq"
)
SET_ASIDE = (
    "INSERT INTO index_set_aside (chat_pk, stream, seq, at_ms, reason) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (chat_pk, stream, seq) DO NOTHING"
)

Mark = tuple[int, int, int]
"""chat_pk, seq, internal_seq"""

Misfit = tuple[Key, str]
"""The place of a message that cannot be indexed, and why."""


class State(NamedTuple):
    """The row of `IndexState`."""

    place: str
    whole: bool
    wanted: int
    made: int
    done: int
    total: int


def read_state(driver: Driver) -> State:
    row = driver.row("SELECT place, whole, wanted, made, done, total FROM index_state")
    assert row is not None, "a migration has made it"
    place, whole, *numbers = row
    return State(place, bool(whole), *numbers)


def count_behind(driver: Driver) -> int:
    """How many events the index lacks."""
    row = driver.row(BEHIND)
    return int(row[0]) if row else 0


def count_events(driver: Driver) -> int:
    row = driver.row("SELECT COALESCE(SUM(head + internal_head), 0) FROM chat")
    return int(row[0]) if row else 0


def read_misfits(driver: Driver) -> list[tuple[str, str, int, str]]:
    """(chat id, stream, seq, reason) of the messages that were set aside."""
    return [
        (id, ("public", "internal")[stream], seq, reason)
        for id, stream, seq, reason in driver.rows(
            "SELECT c.id, s.stream, s.seq, s.reason FROM index_set_aside s JOIN chat c ON c.pk = s.chat_pk "
            "ORDER BY s.at_ms, s.chat_pk, s.seq"
        )
    ]


def read_edition(driver: Driver) -> Edition | None:
    """The edition of the index that the marks belong to."""
    row = driver.row("SELECT seq, internal_seq FROM index_mark WHERE chat_pk = ?", NO_CHAT)
    return Edition(*row) if row else None


def read_marks(driver: Driver) -> dict[tuple[int, int], int]:
    """(chat_pk, stream) → the last seq that the index may have."""
    marks = {}
    for pk, seq, internal_seq in driver.rows("SELECT chat_pk, seq, internal_seq FROM index_mark"):
        marks[pk, PUBLIC], marks[pk, INTERNAL] = seq, internal_seq
    return marks


def save_marks(
    transaction: Transaction, marks: Iterable[Mark], edition: Edition, misfits: Iterable[Misfit] = ()
) -> None:
    """The index has all up to these marks but for what is set aside."""
    now_ms = transaction.now_ms
    transaction.driver.run_many(SAVE_MARK, [*marks, (NO_CHAT, *edition)])
    transaction.driver.run_many(SET_ASIDE, [(*key, now_ms, reason) for key, reason in misfits])


def forget_marks(transaction: Transaction, edition: Edition) -> None:
    """A new index has nothing yet."""
    driver = transaction.driver
    driver.run("DELETE FROM index_mark")
    driver.run("DELETE FROM index_set_aside")
    driver.run("UPDATE index_state SET whole = ?, made = wanted", False)
    save_marks(transaction, [], edition)


def become_whole(transaction: Transaction) -> None:
    """The index has come up to the log."""
    transaction.driver.run("UPDATE index_state SET whole = ?", True)


def ask_for_new(transaction: Transaction) -> int:
    """Asks the indexer for a new index. Returns the number of this wish: it is fulfilled when as many are."""
    transaction.driver.run("UPDATE index_state SET wanted = wanted + 1")
    row = transaction.driver.row("SELECT wanted FROM index_state")
    assert row is not None, "a migration has made it"
    return int(row[0])


def tell_progress(transaction: Transaction, done: int, total: int) -> None:
    transaction.driver.run("UPDATE index_state SET done = ?, total = ?", done, total)


def turn_to(
    transaction: Transaction, place: str, marks: Iterable[Mark], edition: Edition, misfits: Iterable[Misfit], made: int
) -> None:
    """The index in `place` is searched from now on; `marks` are those that differ from the old one's."""
    driver = transaction.driver
    driver.run("DELETE FROM index_set_aside")
    driver.run("UPDATE index_state SET place = ?, whole = ?, made = ?, done = 0, total = 0", place, True, made)
    save_marks(transaction, marks, edition, misfits)
