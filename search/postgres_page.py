"""What is wanted of a search in PostgreSQL, and the statements that find a page of the newest or oldest of what is
frequent, by looking at one message after the other. Called by `postgres_answer.py` and `postgres_gather.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from history.db import Cursor
from search.engine import Ask, Hits
from search.places import PLACE_FORM, Rank, hit_at, read_cursor, write_cursor
from search.postgres_query import ALL, Condition, Sought, Source, in_sql
from search.postgres_score import Score

EDGE_MESSAGES = 10_000
"""So many of the newest messages, or of the oldest if these are wanted first, are looked at where all are too many, or
take too long.
"""

AHEAD = 4
"""For each hit of a page so many are expected among the next AHEAD_MESSAGES; what is rarer is gathered."""

AHEAD_MESSAGES = 3_000

CHATS_HITS = (4, 20)
"""For each chat of a page so many hits are read to find the first hits of chats; more if these are not enough."""

ORDERS = {
    "new": "at_ms DESC, chat_pk DESC, stream DESC, seq DESC",
    "old": "at_ms, chat_pk, stream, seq",
    "best": "score DESC, at_ms DESC, chat_pk DESC, stream DESC, seq DESC",
}

EDGE = "(SELECT * FROM message WHERE {begin} ORDER BY {order} LIMIT {limit}) AS message JOIN said USING (id)"
IN_ORDER = (
    "SELECT 0, at_ms, chat_pk, stream, seq, 1 FROM "
    "(SELECT * FROM message WHERE {begin} ORDER BY {order} LIMIT {looked_at}) AS message JOIN said USING (id) "
    "WHERE {condition} ORDER BY {order} LIMIT {limit}"
)
ONLY_IN_ORDER = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"
IN_CHATS = (
    "SELECT chat_pk, count(*) FROM message JOIN said USING (id) "
    "WHERE chat_pk = ANY(%s) AND {condition} GROUP BY chat_pk"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of PostgreSQL."""

    sought: Sought
    score: Score
    ask: Ask

    @property
    def order(self) -> str:
        return ORDERS[self.ask.sort]

    @property
    def goes_on_anywhere(self) -> bool:
        """Whether hits behind the cursor may lie before it in time; so do other hits of chats that were shown."""
        return self.ask.sort == "best" or bool(self.ask.collapse and self.ask.cursor)

    def edge(self, messages: int) -> Source:
        """Where it is looked for if there is no time for everywhere: so many messages in the search's
        time, and behind the cursor.
        """
        order = ORDERS["old" if self.ask.sort == "old" else "new"]
        begins = [self.sought.time] if self.goes_on_anywhere else [self.behind, self.sought.time]
        begin, checked = in_sql(begins, ALL), self.sought.checked
        tables = EDGE.format(begin=begin.sql, order=order, limit=messages)
        return Source(tables, Condition(checked.sql, (*begin.params, *checked.params)))

    @property
    def behind(self) -> Condition:
        """What comes after the cursor."""
        if not self.ask.cursor:
            return Condition("TRUE")
        score, place = read_cursor(self.ask.cursor)
        at_ms, chat_pk, stream, seq = PLACE_FORM.unpack(place)
        if self.ask.sort == "best":
            values = (score, at_ms, chat_pk, stream, seq)
            return Condition("(score, at_ms, chat_pk, stream, seq) < (%s::float8, %s, %s, %s, %s)", values)
        sign = ">" if self.ask.sort == "old" else "<"
        if self.ask.collapse:
            return Condition(f"(at_ms, chat_pk) {sign} (%s, %s)", (at_ms, chat_pk))
        return Condition(f"(at_ms, chat_pk, stream, seq) {sign} (%s, %s, %s, %s)", (at_ms, chat_pk, stream, seq))


def page_ahead(cursor: Cursor, wanted: Wanted, share: float) -> Hits | None:
    """A page of what is probably this `share` of all messages; null if that is too little, or if it is not among the
    next EDGE_MESSAGES.
    """
    ask = wanted.ask
    if wanted.goes_on_anywhere or not is_frequent(ask, share):
        return None
    for hits in CHATS_HITS if ask.collapse else (1,):
        rows = rows_in_order(cursor, wanted, EDGE_MESSAGES, hits)
        if len(rows) > ask.limit:
            return whole_page(cursor, wanted, rows)
    return None


def is_frequent(ask: Ask, share: float) -> bool:
    return share * AHEAD_MESSAGES >= (ask.limit + 1) * AHEAD


def rows_in_order(cursor: Cursor, wanted: Wanted, looked_at: int | None, hits: int = 1) -> list[Any]:
    """The page's rows and one more, if they are among so many messages, or anywhere: looked at one after the other, so
    that it takes the longer, the rarer they are. So many `hits` are read for each row.
    """
    ask, condition = wanted.ask, wanted.sought.checked
    begin = in_sql([wanted.behind, wanted.sought.time], ALL)
    if looked_at is None:
        cursor.execute(ONLY_IN_ORDER)
    statement = IN_ORDER.format(
        begin=begin.sql,
        order=wanted.order,
        looked_at=looked_at or "ALL",
        condition=condition.sql,
        limit=(ask.limit + 1) * hits,
    )
    cursor.execute(statement, (*begin.params, *condition.params))
    rows = cursor.fetchall()
    return first_of_chats(rows)[: ask.limit + 1] if ask.collapse else list(rows)


def first_of_chats(rows: Iterable[Any]) -> list[Any]:
    first: dict[int, Any] = {}
    for row in rows:
        first.setdefault(row[2], row)
    return list(first.values())


def whole_page(cursor: Cursor, wanted: Wanted, rows: Sequence[Any]) -> Hits:
    """Of the page's rows and one more. Each chat that is shown once gets the number of its hits."""
    return page_of(with_hits(cursor, wanted, rows) if wanted.ask.collapse and rows else rows, wanted.ask)


def with_hits(cursor: Cursor, wanted: Wanted, rows: Sequence[Any]) -> list[Any]:
    """The rows with how many hits their chats have."""
    condition = wanted.sought.checked
    cursor.execute(IN_CHATS.format(condition=condition.sql), ([row[2] for row in rows], *condition.params))
    hits = dict(cursor.fetchall())
    return [(*place, hits.get(place[2], 1)) for *place, _ in rows]


def page_of(rows: Iterable[Any], ask: Ask) -> Hits:
    """`rows`: those of the page and one more, if there is more."""
    ranks: list[tuple[Rank, int]] = [((score, PLACE_FORM.pack(*place)), hits) for score, *place, hits in rows]
    return Hits(
        total=0,
        items=tuple(hit_at(place, score, hits) for (score, place), hits in ranks[: ask.limit]),
        next=write_cursor(ranks[ask.limit - 1][0]) if len(ranks) > ask.limit else None,
    )
