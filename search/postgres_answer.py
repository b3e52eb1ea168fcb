"""How a search is answered in PostgreSQL: which way to its page, and what is counted beside it. Called by
`postgres_engine.py`.
"""

from dataclasses import replace

from history.db import Cursor
from search.engine import EXACT_HITS, Hits
from search.postgres_counts import counts_of
from search.postgres_expected import Expected
from search.postgres_gather import hits_in
from search.postgres_page import Wanted, page_ahead, page_of, rows_in_order
from search.postgres_vocabulary import known_total
from search.query import Query


def answer(cursor: Cursor, wanted: Wanted, query: Query, expected: Expected) -> Hits:
    """What is found; all of it, unless that is more than can be gathered."""
    ask = wanted.ask
    page = page_ahead(cursor, wanted, expected.share)
    if expected.least > EXACT_HITS and not ask.facets:
        known = known_total(cursor, query, expected.least)
        page = page or page_of_many(cursor, wanted)
        total, partial = (EXACT_HITS, True) if known is None else (known, page.partial)
        return replace(page, total=total, chats=None, partial=partial)
    if page:
        known = None if ask.facets or ask.counts_chats else known_total(cursor, query, expected.least)
        return counted(cursor, wanted, page) if known is None else replace(page, total=known)
    hits = hits_in(cursor, wanted, wanted.sought.everywhere)
    if not hits.partial:
        return hits
    return replace(page_of_many(cursor, wanted), total=EXACT_HITS, chats=None, partial=True, facets=hits.facets)


def counted(cursor: Cursor, wanted: Wanted, page: Hits) -> Hits:
    """The page, with all that is found counted."""
    counts = counts_of(cursor, wanted.sought.everywhere, wanted.ask)
    if counts.total > EXACT_HITS:
        return replace(page, total=EXACT_HITS, partial=True, facets=counts.facets)
    return replace(page, total=counts.total, chats=counts.chats, facets=counts.facets)


def page_of_many(cursor: Cursor, wanted: Wanted) -> Hits:
    """Of more hits than can be gathered."""
    if wanted.ask.sort != "best" and not wanted.ask.collapse:
        return page_of(rows_in_order(cursor, wanted, None), wanted.ask)
    return page_of_edge(cursor, wanted)


def page_of_edge(cursor: Cursor, wanted: Wanted) -> Hits:
    """What is found where there is no time for everywhere."""
    return replace(hits_in(cursor, wanted, wanted.edge), partial=True)
