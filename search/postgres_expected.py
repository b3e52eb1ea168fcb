"""What the frequencies of words say of a search in PostgreSQL before it is made. Called by `postgres_engine.py`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from search.engine import Scope
from search.postgres_score import messages_with
from search.query import AllOf, AnyOf, Clause, InChats, Not, Query, Tagged, Words

COMMON_TAGS = ("role:", "via:")
"""Of other tags nobody knows how many messages have them."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How much is found."""

    share: float
    """Probably this share of all messages; 0 if nobody knows."""
    least: int
    """At least so many messages."""
    most: float
    """And at the most so many; infinite if nobody knows."""


def expected(
    query: Query, scope: Scope, count: int, frequencies: Mapping[str, int], expanded: Mapping[Words, int]
) -> Expected:
    """Among `count` messages; `expanded` says for beginnings and spellings in how many messages their words are."""
    single = {words: frequencies.get(words.terms[0], 0) for words in query.all_words if len(words.terms) == 1}
    plain = {words: messages for words, messages in single.items() if not words.prefix and not words.near}
    shares = {words: messages / max(count, 1) for words, messages in {**single, **expanded}.items()}
    is_narrow = scope.customer_id is not None or scope.chats is not None
    is_of_all = scope == Scope() and query.after_ms is None and query.before_ms is None
    most = {words: messages_with(words, frequencies) for words in plain} | dict(expanded)
    return Expected(
        0 if is_narrow else share_of(query.where, shares),
        int(max(0, least_of(query.where, plain, most))) if is_of_all else 0,
        most_of(query.where, most),
    )


def share_of(clause: Clause, shares: Mapping[Words, float]) -> float:
    match clause:
        case AllOf(clauses):
            return math.prod(share_of(each, shares) for each in clauses)
        case AnyOf(clauses):
            return max((share_of(each, shares) for each in clauses), default=0)
        case Words():
            return min(1, shares.get(clause, 0))
        case InChats():
            return 0
        case Tagged(tag) if not tag.startswith(COMMON_TAGS):
            return 0
    return 1


def most_of(clause: Clause, messages: Mapping[Words, float]) -> float:
    match clause:
        case AllOf(clauses):
            return min((most_of(each, messages) for each in clauses), default=math.inf)
        case AnyOf(clauses):
            return sum(most_of(each, messages) for each in clauses)
        case Words():
            return messages.get(clause, math.inf)
    return math.inf


def least_of(clause: Clause, messages: Mapping[Words, int], most: Mapping[Words, float]) -> float:
    match clause:
        case AllOf((one, *others)) if all(isinstance(each, Not) for each in others):
            unwanted = (most_of(each.clause, most) for each in others if isinstance(each, Not))
            return least_of(one, messages, most) - sum(unwanted)
        case AnyOf(clauses):
            return max((least_of(each, messages, most) for each in clauses), default=0)
        case Words():
            return messages.get(clause, 0)
    return 0
