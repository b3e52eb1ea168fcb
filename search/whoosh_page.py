"""One page of a search in Whoosh: walks over the segments, counts all that is found and keeps the first.

Called by `whoosh_engine.py`.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from whoosh.reading import MultiReader
from whoosh.searching import Searcher

from search.engine import Ask, Facets, Hits, Scope
from search.facts import SHOWN_TAGS
from search.places import LAST_PLACE, PLACE_FORM, Rank, chat_of, hit_at, month_of, read_cursor, write_cursor
from search.query import Query
from search.whoosh_documents import TAGS
from search.whoosh_matching import Budget, Ground, ids_of, matcher_of

CLOCK_EVERY = 256
"""How many documents are looked at between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A segment that is open for reading."""

    reader: Any
    places: Any
    """Document number → place."""

    @property
    def name(self) -> str:
        return str(self.reader.segment().segment_id())


@dataclass(slots=True)
class Found:
    """All that was found: each hit's rank, and how many have a tag, if that was asked for."""

    ranks: list[Rank] = field(default_factory=list)
    tags: Counter[str] = field(default_factory=Counter)


def collect(leaves: list[Leaf], query: Query, scope: Scope, ask: Ask, budget: Budget) -> Found:
    """What the query finds, newest segments first, until the time is over."""
    found = Found()
    low = PLACE_FORM.pack(query.after_ms or 0, 0, 0, 0)
    high = LAST_PLACE if query.before_ms is None else PLACE_FORM.pack(query.before_ms, 0, 0, 0)
    searcher = Searcher(MultiReader([leaf.reader for leaf in leaves]))
    scored = ask.sort == "best"
    for leaf, (part, _) in reversed(list(zip(leaves, searcher.leaf_searchers(), strict=True))):
        matcher = matcher_of(Ground(part, budget, scored), query, scope)
        if budget.is_over():
            break  # what is unwanted is perhaps not all known
        ids = set()
        for number, id in enumerate(ids_of(matcher), 1):
            if number % CLOCK_EVERY == 0 and budget.is_over():
                break
            place = leaf.places[id]
            if low <= place < high and is_visible(place, scope):
                found.ranks.append((matcher.score() if scored else 0.0, place))
                ids.add(id)
        if ask.facets:
            count_tags(leaf, ids, found.tags)
    return found


def is_visible(place: bytes, scope: Scope) -> bool:
    """Chats and streams; customers are looked up in the index (`matcher_of`)."""
    if scope.chats is None and len(scope.streams) == 2:
        return True
    _, chat_pk, stream, _ = PLACE_FORM.unpack(place)
    return stream in scope.streams and (scope.chats is None or chat_pk in scope.chats)


def count_tags(leaf: Leaf, ids: set[int], tags: Counter[str]) -> None:
    for beginning in SHOWN_TAGS:
        for tag in leaf.reader.expand_prefix(TAGS, beginning):
            name = tag.decode()
            count = len(ids.intersection(leaf.reader.postings(TAGS, name).all_ids()))
            if count:
                tags[name] += count


def page_of(found: Found, ask: Ask, partial: bool) -> Hits:
    """The part of it that is asked for. Raises Invalid for a wrong cursor."""
    chats = Counter(chat_of(place) for _, place in found.ranks)
    ranks = sorted(found.ranks, reverse=ask.sort != "old")
    if ask.collapse:
        ranks = list({chat_of(place): (score, place) for score, place in reversed(ranks)}.values())
        ranks.sort(reverse=ask.sort != "old")
    if ask.cursor:
        behind = read_cursor(ask.cursor)
        ranks = [rank for rank in ranks if (rank > behind if ask.sort == "old" else rank < behind)]
    items = tuple(
        hit_at(place, score, chats[chat_of(place)] if ask.collapse else 1) for score, place in ranks[: ask.limit]
    )
    return Hits(
        total=len(found.ranks),
        chats=len(chats),
        items=items,
        next=write_cursor(ranks[ask.limit - 1]) if len(ranks) > ask.limit else None,
        partial=partial,
        facets=Facets(chats, Counter(month_of(place) for _, place in found.ranks), found.tags) if ask.facets else None,
    )
