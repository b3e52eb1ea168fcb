"""A `Query` as a condition of SQL. Called by `postgres_engine.py`.

Whatever a person typed is a bound parameter. Words and tags become one tsquery, as far as they stand together, so that
the index is asked once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from history.models import INTERNAL, PUBLIC
from search.engine import Scope
from search.postgres_tables import TAG_MARK, customer_tag, quoted, tag_word
from search.query import AllOf, AnyOf, ChatIs, Clause, InChats, Not, Query, Tagged, Words

STREAMS = frozenset({PUBLIC, INTERNAL})
NOTHING = f"'{TAG_MARK}'"
"""A tsquery for a word that no message has."""

Expand = Callable[[Words], list[str]]
"""The words that a beginning or a spelling stands for."""


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL with its parameters."""

    sql: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Lexemes:
    """A tsquery."""

    text: str

    def condition(self) -> Condition:
        return Condition("words @@ %s::tsquery", (self.text,))


Part = Condition | Lexemes


def condition_of(query: Query, scope: Scope, expand: Expand) -> Condition:
    """What holds for a row that is found."""
    wanted = [part_of(query.where, expand)]
    if scope.customer_id is not None:
        wanted.append(Lexemes(quoted(tag_word(customer_tag(scope.customer_id)))))
    if scope.chats is not None:
        wanted.append(in_chats(scope.chats))
    if scope.streams != STREAMS:
        wanted.append(Condition("stream = ANY(%s)", (sorted(scope.streams),)))
    if query.after_ms is not None:
        wanted.append(Condition("at_ms >= %s", (query.after_ms,)))
    if query.before_ms is not None:
        wanted.append(Condition("at_ms < %s", (query.before_ms,)))
    return conditional(joined(wanted, " & ", " AND "))


def part_of(clause: Clause, expand: Expand) -> Part:
    match clause:
        case AllOf(clauses):
            parts = [part_of(each, expand) for each in clauses]
            return joined(parts, " & ", " AND ") if parts else Condition("TRUE")
        case AnyOf(clauses):
            parts = [part_of(each, expand) for each in clauses]
            return joined(parts, " | ", " OR ") if parts else Condition("FALSE")
        case Not(inner):
            part = part_of(inner, expand)
            if isinstance(part, Lexemes):
                return Lexemes(f"!({part.text})")
            return Condition(f"NOT ({part.sql})", part.params)
        case Tagged(tag):
            return Lexemes(quoted(tag_word(tag)))
        case InChats(chats):
            return in_chats(chats)
        case Words():
            return words_part(clause, expand)
        case ChatIs():
            raise ValueError("conditions on chats are looked up in SQL")


def words_part(words: Words, expand: Expand) -> Part:
    if words.prefix or words.near:
        return Lexemes(any_of(expand(words)))
    other = (*([words.whole] if words.whole else []), *words.also)
    if len(words.terms) == 1:
        return Lexemes(any_of((*words.terms, *other)))
    apart = phrase(words.terms)
    return joined([apart, Lexemes(any_of(other))], " | ", " OR ") if other else apart


def phrase(terms: tuple[str, ...]) -> Condition:
    """The words next to each other; in a long text, in one of its pieces."""
    near = " <-> ".join(map(quoted, terms))
    each = " & ".join(map(quoted, dict.fromkeys(terms)))
    return Condition(
        "(words @@ %s::tsquery AND (words @@ %s::tsquery OR (pieces IS NOT NULL AND "
        "EXISTS (SELECT FROM unnest(pieces) AS piece WHERE piece @@ %s::tsquery))))",
        (each, near, near),
    )


def any_of(names: Iterable[str]) -> str:
    return " | ".join(map(quoted, names)) or NOTHING


def in_chats(chats: Iterable[int]) -> Condition:
    return Condition("chat_pk = ANY(%s)", (sorted(chats),))


def joined(parts: list[Part], sign: str, word: str) -> Part:
    """All the tsqueries as one, with the other conditions."""
    texts = [part.text for part in parts if isinstance(part, Lexemes)]
    lexemes = [Lexemes(sign.join(f"({text})" for text in texts))] if texts else []
    others = [part for part in parts if isinstance(part, Condition)]
    if not others:
        return lexemes[0]
    conditions = [*map(Lexemes.condition, lexemes), *others]
    if len(conditions) == 1:
        return conditions[0]
    params = tuple(param for part in conditions for param in part.params)
    return Condition(f"({word.join(part.sql for part in conditions)})", params)


def conditional(part: Part) -> Condition:
    return part.condition() if isinstance(part, Lexemes) else part
