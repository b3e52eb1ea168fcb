"""One page of a search in tantivy, and what is counted beside it. Called by `tantivy_engine.py`.

tantivy orders by one value; hits of the same moment, or of the same score, are put in order here. So as many hits are
read as are needed to be sure: some more than a page, and four times as many if that was not enough.
"""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tantivy
from tantivy import Order

from search.engine import EXACT_HITS, Ask, Facets, Hits
from search.places import PLACE_FORM, Rank, chat_of, hit_at, read_cursor, write_cursor
from search.query import Sort
from search.tantivy_documents import AT, BLANK, CHAT, FRESH, MONTH, SEQ, SHOWN, STREAM
from search.tantivy_query import all_of, between, in_chats

MORE = 4
"""So many times as many hits are read when those before were too few."""

BUCKETS = 60_000
"""tantivy counts at most about so many groups; more are counted here."""

GROUPS = 5_000
"""More months, or sets of tags, than there can be."""


@dataclass(frozen=True, slots=True)
class Found:
    """All that a query finds, to be looked at from several sides."""

    searcher: tantivy.Searcher
    query: tantivy.Query
    total: int
    until: float
    """When there is no more time, by `time.monotonic`."""

    def is_late(self) -> bool:
        return time.monotonic() > self.until


def found_by(searcher: tantivy.Searcher, query: tantivy.Query, until: float) -> Found:
    return Found(searcher, query, count_of(searcher, query), until)


def count_of(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    return int(searcher.search(query, 1).count)  # type: ignore[attr-defined]


def page_of(found: Found, ask: Ask, cut: bool) -> Hits:
    """The part of it that is asked for."""
    ranks, is_whole = shown_ranks(found, ask)
    if found.is_late():
        return uncounted(found, ask, ranks)
    facets = facets_of(found) if ask.facets else None
    in_chat = hits_in(found, {chat_of(place) for _, place in ranks}) if ask.collapse else {}
    return Hits(
        total=found.total,
        items=tuple(hit_at(place, score, in_chat.get(chat_of(place), 1)) for score, place in ranks[: ask.limit]),
        chats=number_of_chats(found, facets) if ask.counts_chats else None,
        next=write_cursor(ranks[ask.limit - 1]) if len(ranks) > ask.limit else None,
        partial=cut or not is_whole,
        facets=facets,
    )


def uncounted(found: Found, ask: Ask, ranks: list[Rank]) -> Hits:
    """A page without time for what is counted beside it."""
    shown = ranks[: ask.limit]
    return Hits(
        total=found.total,
        items=tuple(hit_at(place, score) for score, place in shown),
        chats=len(shown) if ask.counts_chats else None,
        next=write_cursor(shown[-1]) if len(ranks) > ask.limit else None,
        partial=True,
        facets=Facets({}, {}, {}) if ask.facets else None,
    )


def shown_ranks(found: Found, ask: Ask) -> tuple[list[Rank], bool]:
    """What is on the page, and one more if there is more; and whether nothing was left out for want of time."""
    behind = read_cursor(ask.cursor) if ask.cursor else None
    size = (ask.limit + 1) * (MORE if ask.collapse else 1)
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
    query = found.query
    if behind and not ask.collapse:
        at_ms = PLACE_FORM.unpack(behind[1])[0]
        query = all_of([query, between(at_ms, None) if ask.sort == "old" else between(None, at_ms + 1)])
    return ranks_by_time(found.searcher, query, ask.sort, size)


def ranks_by_time(searcher: tantivy.Searcher, query: tantivy.Query, sort: Sort, size: int) -> list[Rank]:
    order = Order.Asc if sort == "old" else Order.Desc
    hits = searcher.search(query, size + 1, count=False, order_by_field=AT, order=order).hits
    if len(hits) > size:
        border = hits[-1][0]
        hits = [hit for hit in hits if hit[0] != border]
        if len(hits) < size:  # whoever else is of that moment
            of_moment = all_of([query, between(border, border + 1)])
            hits += searcher.search(of_moment, EXACT_HITS, count=False, order_by_field=AT, order=order).hits
    places = places_of(searcher, [address for _, address in hits])
    return [(0.0, place) for place in sorted(places, reverse=sort != "old")]


def best_ranks(found: Found, size: int) -> list[Rank]:
    while True:
        hits = found.searcher.search(found.query, size + 1, count=False, weight_by_field=FRESH).hits
        is_all = len(hits) <= size or size >= EXACT_HITS
        sure = hits if is_all else [hit for hit in hits if hit[0] != hits[-1][0]]
        if is_all or len(sure) >= size:
            break
        size = min(EXACT_HITS, MORE * size)  # so many fit equally well
    places = places_of(found.searcher, [address for _, address in sure])
    return sorted(zip((score for score, _ in sure), places, strict=True), reverse=True)


def places_of(searcher: tantivy.Searcher, addresses: list[tantivy.DocAddress]) -> list[bytes]:
    values = (searcher.fast_field_values(name, addresses) for name in (AT, CHAT, STREAM, SEQ))
    return [PLACE_FORM.pack(*place) for place in zip(*values, strict=True)]


def number_of_chats(found: Found, facets: Facets | None) -> int:
    """Counted by those with several hits, as the others have one each; estimated for more than EXACT_HITS hits."""
    if found.total > EXACT_HITS:
        return round(found.searcher.cardinality(found.query, CHAT))
    if facets:
        return len(facets.by_chat)
    if found.total > BUCKETS:
        return len(chats_of_newest(found))
    (several,) = groups(found, {CHAT: BUCKETS}, least=2)
    return found.total - sum(count - 1 for count in several.values())


def chats_of_newest(found: Found) -> Counter[int]:
    """Chat → how many of the newest EXACT_HITS hits are in it."""
    hits = found.searcher.search(found.query, EXACT_HITS, count=False, order_by_field=AT).hits
    chats = found.searcher.fast_field_values(CHAT, [address for _, address in hits])
    return Counter(int(chat) for chat in chats if chat is not None)


def hits_in(found: Found, chats: Collection[int]) -> dict[Any, int]:
    """How many hits are in each of these few chats."""
    of_these = replace(found, query=all_of([found.query, in_chats(chats)]))
    return groups(of_these, {CHAT: len(chats) + 1})[0]


def facets_of(found: Found) -> Facets:
    """By chat, those of the newest EXACT_HITS hits are counted if there are more."""
    few = found.total <= BUCKETS
    months, shown, *chats = groups(found, {MONTH: GROUPS, SHOWN: GROUPS} | ({CHAT: BUCKETS} if few else {}))
    tags: Counter[str] = Counter()
    for names, count in shown.items():
        tags.update(dict.fromkeys(names.split(BLANK), count))
    return Facets(chats[0] if few else chats_of_newest(found), months, tags)


def groups(found: Found, sizes: Mapping[str, int], least: int = 1) -> list[dict[Any, int]]:
    """For each field, with the most values that it can have: value → how many hits have it, if that are so many."""
    terms = {name: {"terms": {"field": name, "size": size, "min_doc_count": least}} for name, size in sizes.items()}
    counted = found.searcher.aggregate(found.query, terms)
    return [{bucket["key"]: bucket["doc_count"] for bucket in counted[name]["buckets"]} for name in sizes]
