"""What is counted of all that a search finds in PostgreSQL. Called by `postgres_engine.py` and
`postgres_vocabulary.py`.

The chats of the hits come as one string of numbers and are counted here: groups of tens of thousands of chats would
cost PostgreSQL as much as finding them, and once more to send them.
"""

import sys
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from history.db import Cursor
from search.engine import EXACT_HITS, Ask, Facets
from search.postgres_query import Source
from search.postgres_tables import BLANK

COUNT = "SELECT count(*) FROM (SELECT FROM {tables} WHERE {condition} LIMIT {most}) AS found"
COUNT_CHATS = (
    "SELECT count(*), count(DISTINCT chat_pk) FROM "
    "(SELECT chat_pk FROM {tables} WHERE {condition} LIMIT {most}) AS found"
)
FACETS = (
    "SELECT json_agg(json_build_array(month, shown, hits)), string_agg(chats, '') FROM "
    "(SELECT kind, count(*) AS hits, string_agg(int8send(chat_pk), '') AS chats FROM {found} GROUP BY kind) AS kinds "
    "JOIN kind USING (kind)"
)
FOUND = "(SELECT kind, chat_pk FROM {tables} WHERE {condition} LIMIT {most}) AS found"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages are found, in how many chats, and of each kind; null is what was not asked."""

    total: int
    chats: int | None = None
    facets: Facets | None = None


def counts_of(cursor: Cursor, source: Source, ask: Ask) -> Counts:
    """Of more than EXACT_HITS, of one more than these."""
    if ask.facets:
        facets = facets_of(cursor, source)
        return Counts(sum(facets.by_month.values()), len(facets.by_chat) if ask.counts_chats else None, facets)
    if ask.counts_chats:
        ask_for(cursor, COUNT_CHATS, source)
        return Counts(*cursor.fetchone())
    return Counts(count_up(cursor, source))


def count_up(cursor: Cursor, source: Source) -> int:
    """How many are found; of more than EXACT_HITS, one more than these."""
    ask_for(cursor, COUNT, source)
    return int(cursor.fetchone()[0])


def facets_of(cursor: Cursor, source: Source) -> Facets:
    ask_for(cursor, FACETS.format(found=FOUND), source)
    return read_facets(*cursor.fetchone())


def read_facets(kinds: Iterable[tuple[str, str, int]] | None, chats_of_hits: bytes | None) -> Facets:
    """From a row of FACETS, which is empty if nothing was found."""
    months, tags = Counter[str](), Counter[str]()
    for month, shown, hits in kinds or ():
        months[month] += hits
        tags.update(dict.fromkeys(shown.split(BLANK), hits))
    chats = array("q", chats_of_hits or b"")
    if sys.byteorder == "little":
        chats.byteswap()
    return Facets(Counter(chats), months, tags)


def ask_for(cursor: Cursor, statement: str, source: Source) -> None:
    most = EXACT_HITS + 1
    sql = statement.format(tables=source.tables, condition=source.condition.sql, most=most)
    cursor.execute(sql, source.condition.params)
