"""How a search is answered in PostgreSQL: which way to its page, and what is counted beside it. Called by
`postgres_engine.py`.
"""

from dataclasses import replace

from search.engine import EXACT_HITS, Hits
from search.postgres_best import best_ahead
from search.postgres_counts import EXACT_FACETS, count_up, counts_of, estimated
from search.postgres_expected import Expected
from search.postgres_gather import hits_in
from search.postgres_page import EDGE_MESSAGES, Wanted, page_ahead, page_of, rows_in_order
from search.postgres_time import TimedCursor
from search.postgres_vocabulary import known_total
from search.query import Query


def ahead(cursor: TimedCursor, wanted: Wanted, expected: Expected) -> Hits | None:
    """The page alone, where it can be told without gathering all that is found."""
    return page_ahead(cursor, wanted, expected.share) or best_ahead(cursor, wanted, expected.share)


def answer(cursor: TimedCursor, wanted: Wanted, query: Query, expected: Expected, page: Hits | None) -> Hits:
    """What is found; all of it, unless that is more than can be gathered. The page may be known."""
    ask = wanted.ask
    wanted = replace(wanted, sought=replace(wanted.sought, is_limited=expected.most > EXACT_HITS))
    if expected.least > EXACT_HITS:
        return one_of_many(cursor, wanted, query, expected.least, page)
    if ask.facets and expected.least > EXACT_FACETS:
        return with_estimates(cursor, wanted, query, expected.least, page)
    if page and (ask.facets or ask.counts_chats):
        return counted(cursor, wanted, page)
    known = None if ask.facets else known_total(cursor, query, expected.least)
    if page:
        return counted(cursor, wanted, page) if known is None else replace(page, total=known)
    return gathered(cursor, wanted, known)


def gathered(cursor: TimedCursor, wanted: Wanted, known: int | None = None) -> Hits:
    """All that is found; of what turns out to be too much, another page than the first hits would give."""
    hits = hits_in(cursor, wanted, wanted.sought.everywhere, known)
    if not hits.partial:
        return hits
    return replace(page_of_many(cursor, wanted), total=EXACT_HITS, chats=None, partial=True, facets=hits.facets)


def one_of_many(cursor: TimedCursor, wanted: Wanted, query: Query, least: int, page: Hits | None) -> Hits:
    """The page of what is found too often to be gathered: it is not counted, and facets are estimated."""
    known = known_total(cursor, query, least)
    page = page or page_of_many(cursor, wanted)
    total, partial = (EXACT_HITS, True) if known is None else (known, page.partial)
    facets = estimated(cursor, wanted.sought, total).facets if wanted.ask.facets else None
    return replace(page, total=total, chats=None, partial=partial, facets=facets)


def with_estimates(cursor: TimedCursor, wanted: Wanted, query: Query, least: int, page: Hits | None) -> Hits:
    """The page of what is counted, or found to be too much; its facets are estimated, and in how many chats it is."""
    if page is None:
        hits = gathered(cursor, replace(wanted, ask=replace(wanted.ask, facets=False)))
    else:
        total = known_total(cursor, query, least) or count_up(cursor, wanted.sought.everywhere)
        hits = replace(page, total=min(total, EXACT_HITS), partial=total > EXACT_HITS)
    counts = estimated(cursor, wanted.sought, hits.total)
    chats = hits.chats or counts.chats if wanted.ask.counts_chats and not hits.partial else None
    return replace(hits, chats=chats, facets=counts.facets)


def counted(cursor: TimedCursor, wanted: Wanted, page: Hits) -> Hits:
    """The page, with all that is found counted."""
    counts = counts_of(cursor, wanted.sought.everywhere, wanted.ask)
    if counts.total > EXACT_HITS:
        return replace(page, total=EXACT_HITS, partial=True, facets=counts.facets)
    return replace(page, total=counts.total, chats=counts.chats, facets=counts.facets)


def page_of_many(cursor: TimedCursor, wanted: Wanted) -> Hits:
    """Of more hits than can be gathered, without facets."""
    if wanted.ask.sort != "best" and not wanted.ask.collapse:
        return page_of(rows_in_order(cursor, wanted, None), wanted.ask)
    return page_of_edge(cursor, replace(wanted, ask=replace(wanted.ask, facets=False)), EDGE_MESSAGES)


def page_of_edge(cursor: TimedCursor, wanted: Wanted, messages: int) -> Hits:
    """What is found among so many messages, where there is no time for everywhere."""
    return replace(hits_in(cursor, wanted, wanted.edge(messages)), partial=True)


def with_page(hits: Hits, page: Hits | None) -> Hits:
    """What was found in the time, with the page that is known."""
    return replace(hits, items=page.items, next=page.next, total=max(hits.total, len(page.items))) if page else hits
