"""One page of a search in Whoosh: goes through the segments, counts all that is found and keeps the first.

Called by `whoosh_engine.py`.
"""

import heapq
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from search.engine import Ask, Facets, Hits, Scope
from search.places import Rank, chat_of, hit_at, read_cursor, write_cursor
from search.query import Query
from search.whoosh_matching import Budget, Ground, TimeOver, expand, found_in, scores_of, weights_of
from search.whoosh_segment import Leaf


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a segment. `scores` is empty unless they are asked for."""

    leaf: Leaf
    ids: set[int]
    scores: dict[int, float]

    def rank(self, id: int) -> Rank:
        return self.scores.get(id, 0.0), self.leaf.place(id)


def collect(leaves: Sequence[Leaf], query: Query, scope: Scope, ask: Ask, budget: Budget) -> list[Found]:
    """What the query finds in each segment, the last segments first, until the time is over."""
    found = []
    try:
        expansions = expand(leaves, query, budget)
        weights = weights_of(leaves, query, expansions) if ask.sort == "best" else {}
        average = sum(leaf.begin[len(leaf)] for leaf in leaves) / max(1, sum(map(len, leaves)))
        for leaf in reversed(leaves):
            low = 0 if query.after_ms is None else leaf.first_since(query.after_ms)
            high = len(leaf) if query.before_ms is None else leaf.first_since(query.before_ms)
            if low < high:
                ground = Ground(leaf, low, high, expansions, budget)
                ids = found_in(ground, query, scope)
                found.append(Found(leaf, ids, scores_of(ground, ids, weights, average) if ask.sort == "best" else {}))
    except TimeOver:
        pass
    return found


def page_of(found: Sequence[Found], ask: Ask, partial: bool) -> Hits:
    """The part of it that is asked for. Raises Invalid for a wrong cursor."""
    chats: Counter[int] = Counter()
    for each in found if ask.collapse or ask.facets else ():
        chats.update(map(each.leaf.chat.__getitem__, each.ids))
    behind = read_cursor(ask.cursor) if ask.cursor else None
    candidates = collapsed(found, ask, behind) if ask.collapse else firsts(found, ask, behind)
    ranks = (heapq.nsmallest if ask.sort == "old" else heapq.nlargest)(ask.limit + 1, candidates)
    return Hits(
        total=sum(len(each.ids) for each in found),
        chats=len(chats) if ask.counts_chats else None,
        items=tuple(
            hit_at(place, score, chats[chat_of(place)] if ask.collapse else 1) for score, place in ranks[: ask.limit]
        ),
        next=write_cursor(ranks[ask.limit - 1]) if len(ranks) > ask.limit else None,
        partial=partial,
        facets=Facets(chats, count_months(found), count_tags(found)) if ask.facets else None,
    )


def firsts(found: Iterable[Found], ask: Ask, behind: Rank | None) -> Iterator[Rank]:
    """The first of each segment behind a rank, one more than a page may have."""
    for each in found:
        ids = each.ids if behind is None else ids_behind(each, ask, behind)
        if ask.sort == "old":
            first = heapq.nsmallest(ask.limit + 1, ids)
        elif ask.sort == "new":
            first = heapq.nlargest(ask.limit + 1, ids)
        else:
            ids = list(ids)
            scored = zip(map(each.scores.__getitem__, ids), ids, strict=True)
            first = [id for _, id in heapq.nlargest(ask.limit + 1, scored)]
        yield from map(each.rank, first)


def ids_behind(found: Found, ask: Ask, behind: Rank) -> Iterable[int]:
    """Documents stand in the order of their places, so numbers are compared in their stead."""
    score, place = behind
    border = found.leaf.first_from(place)
    if ask.sort == "new":
        return (id for id in found.ids if id < border)
    if ask.sort == "old":
        border += border < len(found.leaf) and found.leaf.place(border) == place
        return (id for id in found.ids if id >= border)
    scores = found.scores
    return (id for id in found.ids if (scores[id], id) < (score, border))


def collapsed(found: Iterable[Found], ask: Ask, behind: Rank | None) -> Iterable[Rank]:
    """The first hit of each chat, if it is behind a rank and could be on the page."""
    firsts: dict[int, tuple[Found, int]] = {}
    for each in found:
        last_wins = sorted(each.ids, reverse=ask.sort == "old")
        if ask.sort == "best":
            last_wins.sort(key=each.scores.__getitem__)
        for chat, id in dict(zip(map(each.leaf.chat.__getitem__, last_wins), last_wins, strict=True)).items():
            other = firsts.get(chat)
            if other is None or is_before(each.rank(id), other[0].rank(other[1]), ask):
                firsts[chat] = each, id
    if behind is not None:
        return (rank for each, id in firsts.values() if is_before(behind, rank := each.rank(id), ask))
    if ask.sort == "best":  # a rank costs more than a score
        scored = [(each.scores[id], each, id) for each, id in firsts.values()]
        least = min(heapq.nlargest(ask.limit + 1, (score for score, *_ in scored)), default=0.0)
        return (each.rank(id) for score, each, id in scored if score >= least)
    return (each.rank(id) for each, id in firsts.values())


def is_before(rank: Rank, other: Rank, ask: Ask) -> bool:
    return rank < other if ask.sort == "old" else rank > other


def count_months(found: Iterable[Found]) -> Counter[str]:
    """Documents stand in the order of time, so months are borders between them."""
    months: Counter[str] = Counter()
    for each in found:
        ids, begin = sorted(each.ids), 0
        while begin < len(ids):
            name, until_ms = month_at(each.leaf.at_ms[ids[begin]])
            end = bisect_left(ids, each.leaf.first_since(until_ms), begin)
            months[name] += end - begin
            begin = end
    return months


def month_at(at_ms: int) -> tuple[str, int]:
    """The name of the month, and the moment at which it ends."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=31)).replace(day=1)
    return f"{first:%Y-%m}", int(following.timestamp()) * 1000


def count_tags(found: Iterable[Found]) -> Counter[str]:
    tags: Counter[str] = Counter()
    for each in found:
        for kind, count in Counter(map(each.leaf.kind.__getitem__, each.ids)).items():
            for tag in each.leaf.kinds[kind]:
                tags[tag] += count
    return tags
