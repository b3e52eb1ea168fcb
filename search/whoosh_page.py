"""One page of a search in Whoosh: walks over the segments, counts all that is found and keeps the best.

A hit's rank is (score, place), so pages go on behind a rank and not behind a number of hits; the cursor is
the rank of the last hit shown. Called by `whoosh_engine.py`.
"""

import base64
import heapq
import struct
from dataclasses import dataclass, field
from typing import Any

from whoosh.reading import MultiReader
from whoosh.searching import Searcher

from history.errors import Invalid
from search.engine import Scope
from search.query import Query
from search.whoosh_documents import LAST_PLACE, PLACE_FORM
from search.whoosh_matching import Budget, Ground, ids_of, matcher_of

CLOCK_EVERY = 256
"""How many documents are looked at between two looks at the clock."""

CURSOR_FORM = struct.Struct(f">d{PLACE_FORM.size}s")

Rank = tuple[float, bytes]


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
class Page:
    """The best `size` hits after the cursor, and how many there are in all. A rank is (score, place)."""

    size: int
    cursor: Rank | None
    total: int = 0
    ranks: list[Rank] = field(default_factory=list)

    def add(self, rank: Rank) -> None:
        self.total += 1
        if self.cursor is not None and rank >= self.cursor:
            return
        if len(self.ranks) < self.size:
            heapq.heappush(self.ranks, rank)
        elif rank > self.ranks[0]:
            heapq.heapreplace(self.ranks, rank)


def collect(leaves: list[Leaf], query: Query, scope: Scope, scored: bool, budget: Budget, page: Page) -> None:
    """Fills the page with what the query finds, newest segments first, until the time is over."""
    low = PLACE_FORM.pack(query.after_ms or 0, 0, 0, 0)
    high = LAST_PLACE if query.before_ms is None else PLACE_FORM.pack(query.before_ms, 0, 0, 0)
    searcher = Searcher(MultiReader([leaf.reader for leaf in leaves]))
    for leaf, (part, _) in reversed(list(zip(leaves, searcher.leaf_searchers(), strict=True))):
        matcher = matcher_of(Ground(part, budget, scored), query, scope)
        if budget.is_over():
            return  # what is unwanted is perhaps not all known
        for number, id in enumerate(ids_of(matcher), 1):
            if number % CLOCK_EVERY == 0 and budget.is_over():
                return
            place = leaf.places[id]
            if low <= place < high and is_visible(place, scope):
                page.add((matcher.score() if scored else 0.0, place))


def is_visible(place: bytes, scope: Scope) -> bool:
    """Chats and streams; customers are looked up in the index (`matcher_of`)."""
    if scope.chats is None and len(scope.streams) == 2:
        return True
    _, chat_pk, stream, _ = PLACE_FORM.unpack(place)
    return stream in scope.streams and (scope.chats is None or chat_pk in scope.chats)


def write_cursor(rank: Rank) -> str:
    return base64.urlsafe_b64encode(CURSOR_FORM.pack(*rank)).decode()


def read_cursor(cursor: str) -> Rank:
    """The rank behind which the next page begins. Raises Invalid."""
    try:
        score, place = CURSOR_FORM.unpack(base64.urlsafe_b64decode(cursor))
    except (ValueError, struct.error) as error:
        raise Invalid("`cursor` is not one that a search handed out") from error
    return score, place
