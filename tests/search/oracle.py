"""Somebody who reads all messages, one by one, and so knows what an engine must find and count."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from search.engine import Ask, Document, Facets, Key, Scope
from search.facts import SHOWN_TAGS
from search.query import AllOf, AnyOf, Clause, InChats, Not, Query, Tagged, Words
from search.words import tokens


@dataclass(frozen=True)
class Truth:
    """What there is to find, newest first. `facets` are of all of it; `shown`: one of each chat, if that was asked."""

    found: list[tuple[int, Key]]
    facets: Facets
    shown: list[tuple[int, Key]]


def truth(kept: Iterable[Document], query: Query, scope: Scope, ask: Ask) -> Truth:
    found = sorted(
        (document for document in kept if is_found(document, query, scope)),
        key=lambda d: (d.at_ms, d.key),
        reverse=True,
    )
    places = [(document.at_ms, document.key) for document in found]
    in_order = places if ask.sort != "old" else places[::-1]
    firsts = {key.chat_pk: (at_ms, key) for at_ms, key in reversed(in_order)}
    shown = [place for place in in_order if firsts[place[1].chat_pk] == place] if ask.collapse else in_order
    return Truth(places, facets(found), shown)


def facets(found: list[Document]) -> Facets:
    return Facets(
        Counter(document.key.chat_pk for document in found),
        Counter(f"{datetime.fromtimestamp(document.at_ms / 1000, UTC):%Y-%m}" for document in found),
        Counter(tag for document in found for tag in document.tags if tag.startswith(SHOWN_TAGS)),
    )


def is_found(document: Document, query: Query, scope: Scope) -> bool:
    return (
        (scope.chats is None or document.key.chat_pk in scope.chats)
        and (scope.customer_id is None or document.customer_id == scope.customer_id)
        and document.key.stream in scope.streams
        and (query.after_ms is None or document.at_ms >= query.after_ms)
        and (query.before_ms is None or document.at_ms < query.before_ms)
        and holds(document, query.where)
    )


def holds(document: Document, clause: Clause) -> bool:
    match clause:
        case AllOf(clauses):
            return all(holds(document, each) for each in clauses)
        case AnyOf(clauses):
            return any(holds(document, each) for each in clauses)
        case Not(inner):
            return not holds(document, inner)
        case Tagged(tag):
            return tag in document.tags
        case InChats(chats):
            return document.key.chat_pk in chats
        case Words():
            return has_words(document.text, clause)
    raise AssertionError(clause)


@lru_cache(100_000)
def has_words(text: str, clause: Words) -> bool:
    names = named_places(text)
    if clause.prefix:
        return any(name.startswith(clause.terms[0]) for name in names)
    if clause.near:
        return any(not name.startswith("~") and distance(name, clause.terms[0]) <= clause.near for name in names)
    if clause.whole in names or any(name in names for name in clause.also):
        return True
    begins = names.get(clause.terms[0], frozenset())
    return any(
        all(begin + behind in names.get(term, ()) for behind, term in enumerate(clause.terms)) for begin in begins
    )


@lru_cache(10_000)
def named_places(text: str) -> dict[str, frozenset[int]]:
    """Where each name stands in the text."""
    places = defaultdict(set)
    for token in tokens(text):
        places[token.text].add(token.position)
    return {name: frozenset(at) for name, at in places.items()}


@lru_cache(100_000)
def distance(one: str, two: str) -> int:
    """Optimal string alignment, by its definition."""
    if not one or not two:
        return len(one) + len(two)
    costs = [
        distance(one[1:], two) + 1,
        distance(one, two[1:]) + 1,
        distance(one[1:], two[1:]) + (one[0] != two[0]),
    ]
    if one[:2] == two[1::-1] and len(one) > 1 and len(two) > 1:
        costs.append(distance(one[2:], two[2:]) + 1)
    return min(costs)


def frequencies(kept: Iterable[Document], terms: Collection[str]) -> dict[str, int]:
    count = Counter(term for document in kept for term in set(terms) if term in named_places(document.text))
    return dict(count)


def near_words(kept: Collection[Document], word: str, near: int, known_chats: int) -> list[str]:
    """Most frequent first, equal ones by their letters."""
    chats, count = defaultdict(set), Counter[str]()
    for document in kept:
        for name in named_places(document.text):
            if name != word and not name.startswith("~") and distance(name, word) <= near:
                chats[name].add(document.key.chat_pk)
                count[name] += 1
    return sorted((name for name in count if len(chats[name]) >= known_chats), key=lambda name: (-count[name], name))
