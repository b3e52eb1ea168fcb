"""The statement that gathers what a search finds in PostgreSQL, counts and groups it, and puts a page of it in order.
Called by `postgres_answer.py`.

Of what is gathered for the best, those of the most worth are scored first: mostly no other can be among the best, and
nobody has to read the words of all.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from search.engine import EXACT_HITS, Hits
from search.places import read_cursor
from search.postgres_counts import FACETS, limit_of, read_facets
from search.postgres_page import Wanted, whole_page
from search.postgres_query import Condition, Source
from search.postgres_time import TimedCursor

SCORED, SCORED_BEHIND = 500, 2_000
"""So many of the most worth are scored first, for a first page and for one behind it, or where these were too few."""

ROUNDING = 1 + 1e-6
"""What scores may differ by, as a message's worth is kept in four bytes."""

CHAT_ORDERS = {"new": "at_ms DESC, chat_pk DESC", "old": "at_ms, chat_pk"}

# What is read once is not kept; so a total that is known is not counted.
GATHERED = (
    "WITH found AS (SELECT message.* FROM {tables} WHERE {condition} LIMIT {most}) "
    "SELECT {total}, {chats}, ({facets}), page.* FROM ({page}) AS page"
)
TOTAL = "(SELECT count(*) FROM found)"
CHATS = "(SELECT count(DISTINCT chat_pk) FROM found)"
PAGE = (
    "SELECT 0, json_agg(json_build_array(0, at_ms, chat_pk, stream, seq, 1)) "
    "FROM ({rows} ORDER BY {order} LIMIT {limit}) AS rows"
)
HITS = "SELECT at_ms, chat_pk, stream, seq FROM found WHERE {behind}"
FIRST_OF_CHATS = (
    "SELECT * FROM (SELECT DISTINCT ON (chat_pk) at_ms, chat_pk, stream, seq FROM found WHERE chat_pk = ANY(ARRAY("
    "SELECT chat_pk FROM (SELECT chat_pk, {first}(at_ms) AS at_ms FROM found GROUP BY chat_pk) AS chats "
    "WHERE {behind} ORDER BY {chat_order} LIMIT {limit})) ORDER BY chat_pk, {order}) AS first"
)
BEST = (
    "WITH looked AS MATERIALIZED (SELECT * FROM found WHERE {begin} ORDER BY worth DESC LIMIT {scored}), "
    "scored AS (SELECT {score} AS score, at_ms, chat_pk, stream, seq FROM looked AS message JOIN said USING (id)) "
    "SELECT (SELECT CASE WHEN count(*) = {scored} THEN min(worth) ELSE 0 END FROM looked), "
    "json_agg(json_build_array(score, at_ms, chat_pk, stream, seq, 1)) "
    "FROM (SELECT * FROM {rows} WHERE {behind} ORDER BY {order} LIMIT {limit}) AS rows"
)
BEST_OF_CHATS = "(SELECT DISTINCT ON (chat_pk) * FROM scored ORDER BY chat_pk, {order}) AS first"


def hits_in(cursor: TimedCursor, wanted: Wanted, source: Source, known: int | None = None) -> Hits:
    """What is found in `source`; all of it, unless that is more than EXACT_HITS. Its number may be known."""
    few = SCORED_BEHIND if wanted.ask.cursor else SCORED
    for scored in (few, EXACT_HITS + 2) if wanted.score.is_even else (EXACT_HITS + 2,):
        hits = gather(cursor, wanted, source, known, scored)
        if hits:
            break
    assert hits, "all of it was scored"
    return hits


def gather(cursor: TimedCursor, wanted: Wanted, source: Source, known: int | None, scored: int) -> Hits | None:
    """Null if one that was not scored may be on the page."""
    ask = wanted.ask
    page, params = page_statement(wanted, scored)
    statement = GATHERED.format(
        tables=source.tables,
        condition=source.condition.sql,
        most=limit_of(source),
        total=TOTAL if known is None else "NULL",
        chats=CHATS if ask.counts_chats and not ask.facets else "NULL",
        facets=FACETS.format(found="found") if ask.facets else "NULL",
        page=page,
    )
    cursor.execute(statement, (*source.condition.params, *params), binary=True)
    total, chats, kinds_in_chats, unseen, rows = cursor.fetchone()
    total = total if known is None else known
    certain = certain_rows(wanted, rows, unseen)
    if unseen and len(certain) <= ask.limit:
        return None
    facets = read_facets(cursor, kinds_in_chats) if ask.facets else None
    if facets and ask.counts_chats:
        chats = len(facets.by_chat)
    return replace(
        whole_page(cursor, wanted, certain),
        total=min(total, EXACT_HITS),
        chats=chats if total <= EXACT_HITS else None,
        partial=total > EXACT_HITS,
        facets=facets,
    )


def certain_rows(wanted: Wanted, rows: Sequence[Any] | None, unseen: float) -> Sequence[Any]:
    """Those before which no hit can be that is worth `unseen`, or less; all if there is none."""
    least = unseen * wanted.score.most * ROUNDING
    return [row for row in rows or () if not unseen or row[0] > least]


def page_statement(wanted: Wanted, scored: int) -> tuple[str, tuple[object, ...]]:
    """And its parameters."""
    ask, behind, order, limit = wanted.ask, wanted.behind, wanted.order, wanted.ask.limit + 1
    if ask.sort != "best":
        rows = (FIRST_OF_CHATS if ask.collapse else HITS).format(
            behind=behind.sql,
            order=order,
            first="min" if ask.sort == "old" else "max",
            chat_order=CHAT_ORDERS[ask.sort],
            limit=limit,
        )
        return PAGE.format(rows=rows, order=order, limit=limit), behind.params
    begin, score = begin_of(wanted), wanted.score.condition
    page = BEST.format(
        begin=begin.sql,
        scored=scored,
        score=score.sql,
        rows=BEST_OF_CHATS.format(order=order) if ask.collapse else "scored",
        behind=behind.sql,
        order=order,
        limit=limit,
    )
    return page, (*begin.params, *score.params, *behind.params)


def begin_of(wanted: Wanted) -> Condition:
    """What holds for all that may come after the cursor of the best. A chat's best hit may have come before."""
    if not wanted.ask.cursor or not wanted.score.least or wanted.ask.collapse:
        return Condition("TRUE")
    score, _ = read_cursor(wanted.ask.cursor)
    return Condition("worth <= %s::float8", (score / wanted.score.least * ROUNDING,))
