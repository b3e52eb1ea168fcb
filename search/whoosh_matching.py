"""A `Query` over one segment of a Whoosh index, as a tree of Whoosh's matchers. Called by `whoosh_engine.py`.

The tree is built from the query's value and nothing else; no text of a person is ever parsed here. Phrases
and prefixes are worked out by ourselves, in steps that are bounded and look at the clock: Whoosh's own ones
can be made to run for minutes.
"""

import heapq
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

from whoosh.matching import IntersectionMatcher, ListMatcher, NullMatcher, UnionMatcher
from whoosh.scoring import BM25F

from search.engine import EXPANSIONS, Scope
from search.query import AllOf, AnyOf, ChatIs, Clause, InChats, Not, Query, Tagged, Words
from search.spelling import near_words
from search.whoosh_documents import TAGS, TEXT, chat_tag, customer_tag

T = TypeVar("T")

Matcher = Any
"""A Whoosh matcher: walks over the numbers of the documents that match, ascending."""


@dataclass(slots=True)
class Budget:
    """How long a search may go on, by `time.monotonic`."""

    until: float
    cut: bool = False
    """Something was left out, for want of time or because it was too wide."""

    def is_over(self) -> bool:
        if time.monotonic() > self.until:
            self.cut = True
            return True
        return False


@dataclass(frozen=True, slots=True)
class Ground:
    """One segment that is searched, and how."""

    searcher: Any
    """Whoosh's searcher of the segment."""
    budget: Budget
    scored: bool

    @property
    def reader(self) -> Any:
        return self.searcher.reader()


class Equal:
    """Whoosh's scorer for conditions: all documents fit equally well."""

    def score(self, matcher: Matcher) -> float:
        return 0.0


EQUAL = Equal()


def ids_of(matcher: Matcher) -> Iterator[int]:
    """The documents of a matcher, each while the matcher stands on it."""
    while matcher.is_active():
        yield matcher.id()
        matcher.next()


def matcher_of(ground: Ground, query: Query, scope: Scope) -> Matcher:
    """What the query finds in this segment among the customer's documents that the scope allows."""
    found = clause_matcher(ground, query.where)
    if scope.customer_id is None:
        return found
    return all_of([found, postings(ground, TAGS, customer_tag(scope.customer_id))])


def clause_matcher(ground: Ground, clause: Clause) -> Matcher:
    match clause:
        case AllOf(clauses):
            return all_of(clause_matcher(ground, each) for each in clauses) if clauses else listed(everything(ground))
        case AnyOf(clauses):
            return any_of(clause_matcher(ground, each) for each in clauses)
        case Not(inner):
            unwanted = set(within(ground, ids_of(clause_matcher(ground, inner))))
            return listed([id for id in everything(ground) if id not in unwanted])
        case Tagged(tag):
            return postings(ground, TAGS, tag)
        case InChats(chats):
            return any_of(postings(ground, TAGS, chat_tag(chat)) for chat in within(ground, chats))
        case Words():
            return words_matcher(ground, clause)
        case ChatIs():
            raise ValueError("conditions on chats are looked up in SQL")


def words_matcher(ground: Ground, clause: Words) -> Matcher:
    if clause.prefix:
        return listed(expanded_ids(ground, ground.reader.expand_prefix(TEXT, clause.terms[0])))
    if clause.near:
        return listed(expanded_ids(ground, near_words(clause.terms[0], clause.near, ground.reader.field_terms(TEXT))))
    if len(clause.terms) == 1:
        return any_of(postings(ground, TEXT, term) for term in (*clause.terms, *clause.also))
    apart = listed(adjacent_ids(ground, clause.terms))
    return UnionMatcher(apart, postings(ground, TEXT, clause.whole)) if clause.whole else apart


def postings(ground: Ground, name: str, term: str) -> Matcher:
    """The documents with a term. Only the words of a message give a score that differs."""
    if (name, term) not in ground.reader:
        return NullMatcher()
    if ground.scored and name == TEXT:
        return ground.searcher.postings(name, term, weighting=BM25F())
    return ground.reader.postings(name, term, scorer=EQUAL)


def everything(ground: Ground) -> list[int]:
    return list(ground.reader.all_doc_ids())


def listed(ids: list[int]) -> Matcher:
    return ListMatcher(ids, all_weights=1.0) if ids else NullMatcher()


def all_of(matchers: Iterable[Matcher]) -> Matcher:
    return reduce(IntersectionMatcher, matchers)


def any_of(matchers: Iterable[Matcher]) -> Matcher:
    return reduce(UnionMatcher, matchers, NullMatcher())


def expanded_ids(ground: Ground, words: Iterable[str]) -> list[int]:
    """The documents with any of the words, ascending."""
    reader = ground.reader
    frequencies = ((reader.doc_frequency(TEXT, term), term) for term in within(ground, words))
    terms = heapq.nlargest(EXPANSIONS + 1, frequencies)
    if len(terms) > EXPANSIONS:
        ground.budget.cut = True
    ids: set[int] = set()
    for _, term in terms[:EXPANSIONS]:
        if ground.budget.is_over():
            break
        ids.update(reader.postings(TEXT, term).all_ids())
    return sorted(ids)


def adjacent_ids(ground: Ground, terms: tuple[str, ...]) -> list[int]:
    """The documents in which the words stand one behind the other, ascending."""
    reader = ground.reader
    if any((TEXT, term) not in reader for term in terms):
        return []
    rarest_first = sorted(set(terms), key=lambda term: reader.doc_frequency(TEXT, term))
    each = {term: reader.postings(TEXT, term) for term in rarest_first}
    return [id for id in within(ground, ids_of(all_of(each.values()))) if stand_together(each, terms)]


def stand_together(each: dict[str, Matcher], terms: tuple[str, ...]) -> bool:
    """Whether the words follow each other in the document that all the matchers stand on."""
    places = {term: set(matcher.value_as("positions")) for term, matcher in each.items()}
    begins = places[terms[0]]
    for behind, term in enumerate(terms):
        begins = {begin for begin in begins if begin + behind in places[term]}
        if not begins:
            return False
    return True


def within(ground: Ground, items: Iterable[T]) -> Iterator[T]:
    """`items` as long as there is time."""
    for item in items:
        if ground.budget.is_over():
            return
        yield item
