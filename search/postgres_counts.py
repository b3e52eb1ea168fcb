"""What is counted of all that a search finds in PostgreSQL. Called by `postgres_answer.py` and others.

For facets, each hit comes as a number of its kind and its chat, all in one string, and they are counted here: groups of
tens of thousands of chats would cost PostgreSQL as much as finding them, and once more to send them. Where more is
known to be found than EXACT_FACETS, facets are estimated by the hits in a sample of chats.
"""

import sys
from array import array
from collections import Counter
from dataclasses import dataclass
from typing import Any

from history.db import Cursor
from search.engine import EXACT_HITS, Ask, Facets
from search.facts import count_shown, scaled
from search.postgres_query import Sought, Source
from search.postgres_tables import SAMPLED_CHATS
from search.postgres_time import TimedCursor

EXACT_FACETS = 50_000
"""Facets of so many hits are counted in time; those of more would take as long as all the rest."""

LEAST_CHATS = 30
"""In fewer chats of the sample, hits say nothing of the others."""

COUNT = "SELECT count(*) FROM (SELECT FROM {tables} WHERE {condition} LIMIT {most}) AS found"
COUNT_CHATS = (
    "SELECT count(*), count(DISTINCT chat_pk) FROM "
    "(SELECT chat_pk FROM {tables} WHERE {condition} LIMIT {most}) AS found"
)
FACETS = "SELECT string_agg(int8send(kind::bigint << 48 | chat_pk), NULL) FROM {found}"
"""Of eight bytes, the lower 48 bits are the hit's chat, the 16 above are its kind."""

FOUND = "(SELECT kind, chat_pk FROM {tables} WHERE {condition} LIMIT {most}) AS found"
KINDS = "SELECT kind, month, shown FROM kind WHERE kind = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages are found, in how many chats, and of each kind; null is what was not asked."""

    total: int
    chats: int | None = None
    facets: Facets | None = None


def counts_of(cursor: TimedCursor, source: Source, ask: Ask) -> Counts:
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


def facets_of(cursor: TimedCursor, source: Source) -> Facets:
    cursor.execute(*statement_of(FACETS.format(found=FOUND), source), binary=True)
    return read_facets(cursor, *cursor.fetchone())


def estimated(cursor: TimedCursor, sought: Sought, total: int) -> Counts:
    """Facets and chats of so many hits, as those in a sample of chats let expect; if these are too few, all is counted,
    as far as hits are.
    """
    facets = facets_of(cursor, sought.sample)
    chats = SAMPLED_CHATS * len(facets.by_chat)
    if len(facets.by_chat) < LEAST_CHATS:
        facets = facets_of(cursor, sought.everywhere)
        chats = len(facets.by_chat)
        if not facets.estimated:
            return Counts(total, chats, facets)
    by_chat, by_month = scaled(facets.by_chat, total), scaled(facets.by_month, total)
    sampled = sum(facets.by_month.values())
    by_tag = {tag: count * total // sampled for tag, count in facets.by_tag.items()}
    return Counts(total, min(chats, total), Facets(by_chat, by_month, by_tag, estimated=True))


def read_facets(cursor: TimedCursor, hits: bytes | None) -> Facets:
    """From what FACETS says, which is null if nothing was found. Of more than EXACT_HITS it says nothing certain."""
    kinds, chats = apart(hits or b"")
    months, together = Counter[str](), Counter[str]()
    cursor.execute(KINDS, (list(kinds),))
    for kind, month, shown in cursor.fetchall():
        months[month] += kinds[kind]
        together[shown] += kinds[kind]
    return Facets(chats, months, count_shown(together), estimated=kinds.total() > EXACT_HITS)


def apart(hits: bytes) -> tuple[Counter[int], Counter[int]]:
    """How often there is each kind, and each chat. Bytes are taken by their places, which takes no step for each."""
    kinds = array("H", bytes(2 * (len(hits) // 8)))
    kinds_as_bytes = memoryview(kinds).cast("B")
    chats = bytearray(hits)
    for place in (0, 1):
        kinds_as_bytes[place::2] = hits[place::8]
        chats[place::8] = bytes(len(kinds))
    chats_as_numbers = array("q", bytes(chats))
    if sys.byteorder == "little":
        kinds.byteswap()
        chats_as_numbers.byteswap()
    return Counter(kinds), Counter(chats_as_numbers)


def ask_for(cursor: Cursor, statement: str, source: Source) -> None:
    cursor.execute(*statement_of(statement, source))


def statement_of(statement: str, source: Source) -> tuple[str, tuple[Any, ...]]:
    """With its parameters."""
    sql = statement.format(tables=source.tables, condition=source.condition.sql, most=limit_of(source))
    return sql, source.condition.params


def limit_of(source: Source) -> str:
    """How many rows a statement may read of what is found: a limit costs time, though none that can be reached."""
    return str(EXACT_HITS + 1) if source.is_limited else "ALL"
