"""The statements of a search in PostgreSQL: a page of what was found, and what is counted beside it. Called by
`postgres_engine.py`.

A page of the newest or oldest of what is frequent is found by looking at the newest or oldest messages, one after the
other. Else all that is found is gathered once, up to EXACT_HITS, and then counted, grouped and put in order; what is
found more often is looked for among the newest messages only, and marked as partial.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from history.db import Cursor
from search.engine import EXACT_HITS, Ask, Facets, Hits
from search.places import (
    FRESH_SINCE_MS,
    HALF_LIFE_MS,
    MOST_HALVES,
    PLACE_FORM,
    Rank,
    hit_at,
    read_cursor,
    write_cursor,
)
from search.postgres_query import Condition, any_of
from search.postgres_tables import BLANK, quoted
from search.query import Words

EDGE_MESSAGES = 10_000
"""So many of the newest messages, or of the oldest if these are wanted first, are looked through where all are too
many, or take too long.
"""

WEAKER = 0.5
"""What a word that stands for another gives, beside the word itself."""

LENGTH_WORDS = 20
"""A message with so many words and tags scores half as much as one with none."""

FRESHNESS = (
    f"power(2.0::float8, greatest(-{MOST_HALVES}, least({MOST_HALVES}, "
    f"(at_ms - {FRESH_SINCE_MS})::float8 / {HALF_LIFE_MS})))"
)
NO_SCORE = Condition("0::float8")

ORDERS = {
    "new": "at_ms DESC, chat_pk DESC, stream DESC, seq DESC",
    "old": "at_ms, chat_pk, stream, seq",
    "best": "score DESC, at_ms DESC, chat_pk DESC, stream DESC, seq DESC",
}
CHAT_ORDERS = {"new": "at_ms DESC, chat_pk DESC", "old": "at_ms, chat_pk"}

EVERYWHERE = "message"
EDGE = "(SELECT * FROM message ORDER BY {order} LIMIT {limit})"

FOUND = (
    "WITH found AS MATERIALIZED (SELECT at_ms, chat_pk, stream, seq, month, shown, {score} AS score "
    "FROM {source} AS message WHERE {condition} LIMIT {most}), "
    "chats AS (SELECT chat_pk, {first}(at_ms) AS at_ms, count(*) AS hits FROM found GROUP BY chat_pk) "
)
PAGE = (
    "(SELECT json_agg(json_build_array(score, at_ms, chat_pk, stream, seq, hits)) "
    "FROM ({rows} ORDER BY {order} LIMIT {limit}) AS page)"
)
ALL_HITS = "SELECT score, at_ms, chat_pk, stream, seq, 1 AS hits FROM found WHERE {behind}"
BEST_OF_CHATS = (
    "SELECT * FROM (SELECT DISTINCT ON (chat_pk) score, found.at_ms, chat_pk, stream, seq, hits "
    "FROM found JOIN chats USING (chat_pk) ORDER BY chat_pk, {order}) AS first WHERE {behind}"
)
FIRST_OF_CHATS = (
    "SELECT * FROM (SELECT DISTINCT ON (chat_pk) score, at_ms, chat_pk, stream, seq, hits "
    "FROM (SELECT * FROM chats WHERE {behind} ORDER BY {chat_order} LIMIT {limit}) AS shown "
    "JOIN found USING (chat_pk, at_ms) ORDER BY chat_pk, {order}) AS first"
)
ANSWER = "SELECT (SELECT count(*) FROM found), {chats}, {page}, {facets}"
CHATS = "(SELECT count(*) FROM chats)"
FACETS = (
    "(SELECT json_object_agg(chat_pk, hits) FROM chats), "
    "(SELECT json_object_agg(month, hits) FROM (SELECT month, count(*) AS hits FROM found GROUP BY month) AS months), "
    "(SELECT json_object_agg(shown, hits) FROM (SELECT shown, count(*) AS hits FROM found GROUP BY shown) AS tags)"
)
NO_FACETS = "NULL, NULL, NULL"

IN_ORDER = (
    "SELECT 0, at_ms, chat_pk, stream, seq, 1 FROM "
    "(SELECT * FROM message WHERE {behind} ORDER BY {order} LIMIT {looked_at}) AS message "
    "WHERE {condition} ORDER BY {order} LIMIT {limit}"
)
ONLY_IN_ORDER = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off"
COUNT = "SELECT count(*) FROM (SELECT FROM message WHERE {condition} LIMIT {most}) AS found"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of PostgreSQL."""

    condition: Condition
    score: Condition
    ask: Ask

    @property
    def order(self) -> str:
        return ORDERS[self.ask.sort]

    @property
    def edge(self) -> str:
        """Where it is looked for if there is no time for everywhere."""
        return EDGE.format(order=ORDERS["old" if self.ask.sort == "old" else "new"], limit=EDGE_MESSAGES)

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

    @property
    def rows(self) -> str:
        """The statement for the page's rows, without its end."""
        if not self.ask.collapse:
            return ALL_HITS
        return BEST_OF_CHATS if self.ask.sort == "best" else FIRST_OF_CHATS


def hits_in(cursor: Cursor, wanted: Wanted, source: str) -> Hits:
    """What is found in `source`; all of it, unless that is more than EXACT_HITS."""
    ask, behind, limit = wanted.ask, wanted.behind, wanted.ask.limit + 1
    found = FOUND.format(
        score=wanted.score.sql,
        source=source,
        condition=wanted.condition.sql,
        most=EXACT_HITS + 1,
        first="min" if ask.sort == "old" else "max",
    )
    rows = wanted.rows.format(behind=behind.sql, order=wanted.order, chat_order=CHAT_ORDERS.get(ask.sort), limit=limit)
    page = PAGE.format(rows=rows, order=wanted.order, limit=limit)
    chats = CHATS if ask.counts_chats else "NULL"
    answer = ANSWER.format(chats=chats, page=page, facets=FACETS if ask.facets else NO_FACETS)
    cursor.execute(found + answer, (*wanted.score.params, *wanted.condition.params, *behind.params))
    total, number_of_chats, shown, *facets = cursor.fetchone()
    return replace(
        page_of(shown or [], ask),
        total=min(total, EXACT_HITS),
        chats=number_of_chats if total <= EXACT_HITS else None,
        partial=total > EXACT_HITS,
        facets=facets_of(*facets) if ask.facets else None,
    )


def rows_in_order(cursor: Cursor, wanted: Wanted, *, everywhere: bool) -> list[Any]:
    """The page's rows and one more, if they are among the next EDGE_MESSAGES, or `everywhere`: looked at one after the
    other, so that it takes the longer, the rarer they are.
    """
    behind = wanted.behind
    if everywhere:
        cursor.execute(ONLY_IN_ORDER)
    statement = IN_ORDER.format(
        behind=behind.sql,
        order=wanted.order,
        looked_at="ALL" if everywhere else EDGE_MESSAGES,
        condition=wanted.condition.sql,
        limit=wanted.ask.limit + 1,
    )
    cursor.execute(statement, (*behind.params, *wanted.condition.params))
    return list(cursor.fetchall())


def count_up(cursor: Cursor, condition: Condition) -> int:
    """How many are found; of more than EXACT_HITS, one more than these."""
    cursor.execute(COUNT.format(condition=condition.sql, most=EXACT_HITS + 1), condition.params)
    return int(cursor.fetchone()[0])


def page_of(rows: Iterable[Any], ask: Ask) -> Hits:
    """`rows`: those of the page and one more, if there is more."""
    ranks: list[tuple[Rank, int]] = [((score, PLACE_FORM.pack(*place)), hits) for score, *place, hits in rows]
    return Hits(
        total=0,
        items=tuple(hit_at(place, score, hits) for (score, place), hits in ranks[: ask.limit]),
        next=write_cursor(ranks[ask.limit - 1][0]) if len(ranks) > ask.limit else None,
    )


def facets_of(
    chats: Mapping[str, int] | None, months: Mapping[str, int] | None, shown: Mapping[str, int] | None
) -> Facets:
    tags: Counter[str] = Counter()
    for names, count in (shown or {}).items():
        tags.update(dict.fromkeys(names.split(BLANK), count))
    return Facets({int(chat): count for chat, count in (chats or {}).items()}, months or {}, tags)


def score_of(words: Iterable[Words], rarity: Mapping[str, float]) -> Condition:
    """How well a message fits: the rarity of the words in it, by its length and its age. (BM25 for words that are in a
    message once, as most words of a chat are.)
    """
    gains = [gain for each in words for gain in gains_of(each, rarity)]
    if not gains:
        return NO_SCORE
    terms = " + ".join("%s * (words @@ %s::tsquery)::integer" for _ in gains)
    params = tuple(value for gain in gains for value in gain)
    return Condition(f"({terms}) / ({LENGTH_WORDS} + length(words)) * {FRESHNESS}", params)


def gains_of(words: Words, rarity: Mapping[str, float]) -> Iterable[tuple[float, str]]:
    """(what it gives, the tsquery that must hold)"""
    if words.prefix or words.near:
        return
    most = math.fsum(rarity[term] for term in words.terms)
    yield most, " <-> ".join(map(quoted, words.terms))
    weaker = (*([words.whole] if words.whole else []), *words.also)
    if weaker:
        yield WEAKER * most, any_of(weaker)


def rarities(count: int, frequencies: Mapping[str, int], words: Iterable[Words]) -> dict[str, float]:
    """Each word's rarity among so many messages (inverse document frequency)."""
    return {term: math.log1p(count / (1 + frequencies.get(term, 0))) for each in words for term in each.terms}
