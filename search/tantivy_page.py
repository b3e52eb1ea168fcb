"""One page of a search in tantivy, and what is counted beside it. Called by `tantivy_engine.py`.

tantivy orders by one value; hits of the same moment, or of the same score, are put in order here. So as many hits are
read as are needed to be sure: some more than a page, and four times as many if that was not enough. Each look at what
was found goes through all of it once more, so there are as few of them as possible.
"""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import tantivy
from tantivy import Order

from search.engine import EXACT_HITS, Ask, Facets, Hits
from search.facts import count_shown, scaled
from search.places import PLACE_FORM, Rank, chat_of, hit_at, read_cursor, write_cursor
from search.query import Sort
from search.tantivy_documents import AT, CHAT, FRESH, MONTH, SEQ, SHOWN, STREAM
from search.tantivy_query import all_of, between, in_chats

MORE = 4
"""So many times as many hits are read when those before were too few."""

PAGES_HITS = 1_000
"""So many hits are read at first for a page behind another: those of the pages before are among them."""

NEWEST_HITS = 20_000
"""Of more than EXACT_HITS, so many are counted by chat."""

GROUPS = 5_000
"""More months, or sets of tags, than there can be."""


class TimeOver(Exception):
    """A search has taken too long to look at what was found once more."""


@dataclass(slots=True)
class Found:
    """All that a query finds, to be looked at from several sides."""

    searcher: tantivy.Searcher
    query: tantivy.Query
    until: float
    """When there is no more time, by `time.monotonic`."""
    total: int = 0
    """How many there are, once the first were read."""

    def is_late(self) -> bool:
        return time.monotonic() > self.until

    def check(self) -> None:
        """Raises TimeOver."""
        if self.is_late():
            raise TimeOver

    def first(self, size: int, **order: Any) -> list[tuple[Any, tantivy.DocAddress]]:
        """(what they are ordered by, where)"""
        result = self.searcher.search(self.query, size, count=not self.total, **order)
        self.total = self.total or result.count  # type: ignore[attr-defined]
        return result.hits


class Counts(NamedTuple):
    """What is counted beside a page."""

    in_chat: Mapping[int, int] = MappingProxyType({})
    chats: int | None = None
    facets: Facets | None = None


def count_of(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    return int(searcher.search(query, 1).count)  # type: ignore[attr-defined]


def page_of(found: Found, ask: Ask, cut: bool) -> Hits:
    """The part of it that is asked for."""
    ranks, is_whole = shown_ranks(found, ask)
    try:
        counts = counts_beside(found, ask, ranks)
    except TimeOver:
        counts, is_whole = Counts(), False
    return Hits(
        total=found.total,
        items=tuple(hit_at(place, score, counts.in_chat.get(chat_of(place), 1)) for score, place in ranks[: ask.limit]),
        chats=counts.chats,
        next=write_cursor(ranks[ask.limit - 1]) if len(ranks) > ask.limit else None,
        partial=cut or not is_whole,
        facets=counts.facets,
    )


def counts_beside(found: Found, ask: Ask, ranks: Collection[Rank]) -> Counts:
    """Raises TimeOver."""
    is_exact = found.total <= EXACT_HITS
    facets = facets_of(found) if ask.facets else None
    in_chat: Mapping[int, int] = {}
    if ask.collapse:
        in_chat = facets.by_chat if facets and is_exact else hits_in(found, {chat_of(place) for _, place in ranks})
    chats = number_of_chats(found, facets) if ask.counts_chats and is_exact else None
    return Counts(in_chat, chats, facets)


def shown_ranks(found: Found, ask: Ask) -> tuple[list[Rank], bool]:
    """What is on the page, and one more if there is more; and whether nothing was left out for want of time."""
    behind = read_cursor(ask.cursor) if ask.cursor else None
    size = PAGES_HITS if behind else (ask.limit + 1) * (MORE if ask.collapse else 1)
    while True:
        ranks = first_ranks(found, ask, behind, size)
        is_all = len(ranks) < size
        if ask.collapse:
            ranks = list({chat_of(place): (score, place) for score, place in reversed(ranks)}.values())
            ranks.sort(reverse=ask.sort != "old")
        if behind:
            ranks = after(ranks, behind, ask.sort)
        if is_all or len(ranks) > ask.limit:
            return ranks[: ask.limit + 1], True
        if size >= EXACT_HITS or found.is_late():
            return ranks, False
        size = min(EXACT_HITS, MORE * size)


def after(ranks: list[Rank], behind: Rank, sort: Sort) -> list[Rank]:
    """Those that come after the hit that was shown last, wherever that is now: scores move a little with each commit
    and merge.
    """
    last = next((number for number, (_, place) in enumerate(ranks) if place == behind[1]), None)
    if last is not None:
        return ranks[last + 1 :]
    return [rank for rank in ranks if (rank > behind if sort == "old" else rank < behind)]


def first_ranks(found: Found, ask: Ask, behind: Rank | None, size: int) -> list[Rank]:
    """At least `size` hits from the first on, in their order; fewer only if there are no more."""
    if ask.sort == "best":
        return best_ranks(found, size)
    if behind and not ask.collapse and size > PAGES_HITS:
        at_ms = PLACE_FORM.unpack(behind[1])[0]
        period = between(at_ms, None) if ask.sort == "old" else between(None, at_ms + 1)
        found = Found(found.searcher, all_of([found.query, period]), found.until)
    return ranks_by_time(found, ask.sort, size)


def ranks_by_time(found: Found, sort: Sort, size: int) -> list[Rank]:
    order = Order.Asc if sort == "old" else Order.Desc
    hits = found.first(size + 1, order_by_field=AT, order=order)
    if len(hits) > size:
        border = hits[-1][0]
        hits = [hit for hit in hits if hit[0] != border]
        if len(hits) < size:  # whoever else is of that moment
            of_moment = all_of([found.query, between(border, border + 1)])
            hits += found.searcher.search(of_moment, EXACT_HITS, count=False, order_by_field=AT, order=order).hits
    places = places_of(found.searcher, [address for _, address in hits])
    return [(0.0, place) for place in sorted(places, reverse=sort != "old")]


def best_ranks(found: Found, wanted: int) -> list[Rank]:
    size = wanted
    while True:
        hits = found.first(size + 1, weight_by_field=FRESH)
        is_all = len(hits) <= size or size >= EXACT_HITS or found.is_late()
        sure = hits if is_all else [hit for hit in hits if hit[0] != hits[-1][0]]
        if is_all or len(sure) >= wanted:
            break
        size = min(EXACT_HITS, MORE * size)  # so many fit equally well
    places = places_of(found.searcher, [address for _, address in sure])
    return sorted(zip((score for score, _ in sure), places, strict=True), reverse=True)


def places_of(searcher: tantivy.Searcher, addresses: list[tantivy.DocAddress]) -> list[bytes]:
    values = (searcher.fast_field_values(name, addresses) for name in (AT, CHAT, STREAM, SEQ))
    return [PLACE_FORM.pack(*place) for place in zip(*values, strict=True)]


def hits_in(found: Found, chats: Collection[int]) -> dict[Any, int]:
    """How many hits are in each of these few chats. Raises TimeOver."""
    of_these = replace(found, query=all_of([found.query, in_chats(chats)]))
    return groups(of_these, {CHAT: {"size": len(chats) + 1}})[0]


def facets_of(found: Found) -> Facets:
    """Raises TimeOver."""
    months, shown = groups(found, {MONTH: {"size": GROUPS}, SHOWN: {"size": GROUPS}})
    by_month = {f"{month // 100}-{month % 100:02}": count for month, count in months.items()}
    by_chat, is_part = hits_by_chat(found), found.total > EXACT_HITS
    return Facets(scaled(by_chat, found.total) if is_part else by_chat, by_month, count_shown(shown), is_part)


def hits_by_chat(found: Found) -> Counter[Any]:
    """Chat → how many hits are in it; of more than EXACT_HITS, only the newest are counted. Raises TimeOver."""
    found.check()
    if found.total <= EXACT_HITS:
        hits = found.first(max(1, found.total), order_by_field=CHAT, order=Order.Asc)  # mostly they lie so already
        return Counter(map(itemgetter(0), hits))
    newest = found.first(NEWEST_HITS, order_by_field=AT)
    return Counter(found.searcher.fast_field_values(CHAT, [address for _, address in newest]))


def number_of_chats(found: Found, facets: Facets | None) -> int:
    """Counted by those with several hits, of which there are at most half as many, as the others have one each. Raises
    TimeOver.
    """
    if facets:
        return len(facets.by_chat)
    (several,) = groups(found, {CHAT: {"size": EXACT_HITS // 2, "min_doc_count": 2}})
    return found.total - sum(count - 1 for count in several.values())


def groups(found: Found, fields: Mapping[str, Mapping[str, int]]) -> list[dict[Any, int]]:
    """For each field, with how many values are wanted at most: value → how many hits have it. Raises TimeOver."""
    found.check()
    terms = {name: {"terms": {"field": name, **most}} for name, most in fields.items()}
    counted = found.searcher.aggregate(found.query, terms)
    return [{bucket["key"]: bucket["doc_count"] for bucket in counted[name]["buckets"]} for name in fields]
