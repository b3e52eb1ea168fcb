"""A `Query` over one segment of a Whoosh index: which documents it finds, and how well they fit. Called by
`whoosh_page.py`.

A clause becomes a set of document numbers. No text of a person is ever parsed here; each step is bounded by what the
segment has, and looks at the clock before it.
"""

import heapq
import math
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from search.engine import EXPANSIONS, Scope
from search.facts import customer_tag
from search.query import AllOf, AnyOf, ChatIs, Clause, InChats, Not, Query, Tagged, Words, leaves_of
from search.whoosh_segment import MOST, Leaf
from search.whoosh_writer import chat_tag

FEW = 16
"""So many times smaller, a set is looked up in an array one by one, rather than that the array is gone through."""

FEW_CHATS = 500

# BM25 (Robertson and others, 1994), with its usual constants
SATURATION, LENGTH_SHARE = 1.2, 0.75

ALSO_WEIGHT = 0.5
"""What a word in another form counts."""


class TimeOver(Exception):
    """A search has taken too long."""


@dataclass(slots=True)
class Budget:
    """How long a search may go on, by `time.monotonic`."""

    until: float
    cut: bool = False
    """Something was left out, for want of time or because it was too wide."""

    def check(self) -> None:
        """Raises TimeOver."""
        if time.monotonic() > self.until:
            self.cut = True
            raise TimeOver


Expansions = Mapping[Words, Collection[str]]
"""What beginnings and spellings stand for in the whole index."""


def expand(leaves: Sequence[Leaf], query: Query, budget: Budget) -> Expansions:
    """The most frequent words for each beginning and spelling of the query. Raises TimeOver."""
    expansions = {}
    for clause in leaves_of(query.where):
        if isinstance(clause, Words) and (clause.prefix or clause.near) and clause not in expansions:
            counts: Counter[str] = Counter()
            for leaf in leaves:
                budget.check()
                word = clause.terms[0]
                found = leaf.beginning(word) if clause.prefix else leaf.near(word, clause.near)
                counts.update({other: len(leaf.docs(other)) for other in found})
            budget.cut = budget.cut or len(counts) > EXPANSIONS
            expansions[clause] = heapq.nsmallest(EXPANSIONS, counts, key=lambda other: (-counts[other], other))
    return expansions


@dataclass(slots=True)
class Ground:
    """The part of a segment that is searched: documents `low` to `high`, without the last."""

    leaf: Leaf
    low: int
    high: int
    expansions: Expansions
    budget: Budget
    cut: dict[tuple[str, bool], Sequence[int]] = field(default_factory=dict)

    def docs(self, name: str, tag: bool = False) -> Sequence[int]:
        """The documents with a word or tag, ascending. Raises TimeOver."""
        known = self.cut.get((name, tag))
        if known is None:
            self.budget.check()
            docs = self.leaf.tagged(name) if tag else self.leaf.docs(name)
            if self.high - self.low < len(self.leaf):
                docs = docs[bisect_left(docs, self.low) : bisect_left(docs, self.high)]
            known = self.cut[name, tag] = docs
        return known

    def places(self, word: str) -> Sequence[int]:
        """Its places in those documents, ascending. Raises TimeOver."""
        self.budget.check()
        places = self.leaf.places(word)
        if self.high - self.low < len(self.leaf):
            begin = self.leaf.begin
            places = places[bisect_left(places, begin[self.low]) : bisect_left(places, begin[self.high])]
        return places


def found_in(ground: Ground, query: Query, scope: Scope) -> set[int]:
    """The documents that the query finds and the scope allows. Raises TimeOver."""
    clauses: list[Clause] = [query.where]
    if scope.customer_id is not None:
        clauses.append(Tagged(customer_tag(scope.customer_id)))
    if scope.chats is not None:
        clauses.append(InChats(scope.chats))
    ids = all_of(ground, clauses)
    if len(scope.streams) == 1:
        stream = ground.leaf.stream
        ids = {id for id in ids if stream[id] in scope.streams}
    return ids


def matches(ground: Ground, clause: Clause) -> set[int]:
    match clause:
        case AllOf(clauses):
            return all_of(ground, clauses)
        case AnyOf(clauses):
            return set().union(*(matches(ground, each) for each in clauses))
        case Not(inner):
            return everything(ground) - matches(ground, inner)
        case Tagged(tag):
            return set(ground.docs(tag, tag=True))
        case InChats(chats):
            if len(chats) > FEW_CHATS:
                return narrowed(ground, everything(ground), clause)
            return set().union(*(ground.docs(chat_tag(chat), tag=True) for chat in chats))
        case Words():
            return with_words(ground, clause)
        case ChatIs():
            raise ValueError("conditions on chats are looked up in SQL")


def everything(ground: Ground) -> set[int]:
    ground.budget.check()
    return set(range(ground.low, ground.high))


def all_of(ground: Ground, clauses: Iterable[Clause]) -> set[int]:
    """The rarest first, so that the others have little left to look at."""
    flat = [each for clause in clauses for each in (clause.clauses if isinstance(clause, AllOf) else (clause,))]
    ids: set[int] | None = None
    for clause in sorted(flat, key=lambda each: guess(ground, each)):
        if ids is None:
            ids = matches(ground, clause)
        elif ids:
            ids = narrowed(ground, ids, clause)
    return everything(ground) if ids is None else ids


def guess(ground: Ground, clause: Clause) -> int:
    """About how many documents it matches at the most; what costs more to find out counts more."""
    match clause:
        case Tagged(tag):
            return len(ground.docs(tag, tag=True))
        case Words(terms, prefix=False, near=0):
            return min(len(ground.docs(term)) for term in terms) * len(terms)
        case AllOf(clauses):
            return min((guess(ground, each) for each in clauses), default=len(ground.leaf))
        case AnyOf(clauses):
            return sum(guess(ground, each) for each in clauses)
    return len(ground.leaf)


def narrowed(ground: Ground, ids: set[int], clause: Clause) -> set[int]:
    """Those of `ids` that the clause matches."""
    match clause:
        case Not(inner):
            return ids - narrowed(ground, ids, inner)
        case InChats(chats):
            ground.budget.check()
            chat = ground.leaf.chat
            return {id for id in ids if chat[id] in chats}
        case Tagged(tag):
            return common(ids, ground.docs(tag, tag=True))
        case Words((term,), None, (), False, 0):
            return common(ids, ground.docs(term))
    return ids & matches(ground, clause)


def common(ids: set[int], docs: Sequence[int]) -> set[int]:
    if len(ids) * FEW < len(docs):
        return {id for id in ids if contains(docs, id)}
    return ids.intersection(docs)


def contains(ascending: Sequence[int], number: int) -> bool:
    at = bisect_left(ascending, number)
    return at < len(ascending) and ascending[at] == number


def with_words(ground: Ground, clause: Words) -> set[int]:
    if clause.prefix or clause.near:
        return set().union(*(ground.docs(word) for word in ground.expansions[clause]))
    if len(clause.terms) == 1:
        return set().union(*(ground.docs(word) for word in (*clause.terms, *clause.also)))
    together = documents_at(ground, next_to_each_other(ground, clause.terms))
    return together.union(ground.docs(clause.whole)) if clause.whole else together


def next_to_each_other(ground: Ground, terms: tuple[str, ...]) -> set[int]:
    """The places where the first of the terms stands, and the others behind it, one by one."""
    behind = sorted(enumerate(terms), key=lambda each: len(ground.docs(each[1])))
    begins: set[int] | None = None
    for distance, term in behind:
        places = ground.places(term)
        if begins is not None and len(begins) * FEW < len(places):
            begins = {begin for begin in begins if contains(places, begin + distance)}
        else:
            shifted = [place - distance for place in places]
            begins = set(shifted) if begins is None else begins.intersection(shifted)
        if not begins:
            break
    return begins or set()


def documents_at(ground: Ground, places: set[int]) -> set[int]:
    begin = ground.leaf.begin
    return {bisect_right(begin, place) - 1 for place in places}


def weights_of(leaves: Sequence[Leaf], query: Query, expansions: Expansions) -> dict[str, float]:
    """How much each word that is wanted says about a message: more, the rarer it is."""
    weights: dict[str, float] = {}
    count = sum(len(leaf) for leaf in leaves)
    for clause in query.words:
        exact = {word for word in (*clause.terms, clause.whole) if word}
        for word in (*exact, *clause.also, *expansions.get(clause, ())):
            seen = sum(len(leaf.docs(word)) for leaf in leaves)
            rarity = math.log(1 + (count - seen + 0.5) / (seen + 0.5))
            weights[word] = max(weights.get(word, 0.0), rarity * (1 if word in exact else ALSO_WEIGHT))
    return weights


def scores_of(ground: Ground, ids: set[int], weights: Mapping[str, float], average: float) -> dict[int, float]:
    """How well each document fits: BM25, and newer ones better. `average`: the index's length of a message."""
    leaf = ground.leaf
    norms = [SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length / average) for length in range(MOST + 1)]
    scores = dict.fromkeys(ids, 0.0)
    length = leaf.length
    for word, weight in weights.items():
        ground.budget.check()
        docs, times = leaf.docs(word), leaf.times(word)
        factor = weight * (SATURATION + 1)
        if len(ids) * FEW < len(docs):
            for id in ids:
                at = bisect_left(docs, id)
                if at < len(docs) and docs[at] == id:
                    scores[id] += factor * times[at] / (times[at] + norms[length[id]])
        else:
            for id, often in zip(docs, times, strict=True):
                if id in scores:
                    scores[id] += factor * often / (often + norms[length[id]])
    fresh = leaf.fresh
    return {id: score * fresh[id] for id, score in scores.items()}
