"""A `Query` as conditions of SQL. Called by the other `postgres_` modules.

Whatever a person typed is a bound parameter. Words and tags become one tsquery, as far as they stand together, so that
the index is asked once. What no tsquery can say is asked of the rows that the index names, by their words in `said`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

from history.models import INTERNAL, PUBLIC
from search.engine import Scope
from search.facts import customer_tag
from search.postgres_tables import SAMPLE_TAG, TAG_MARK, is_pair, quoted, quoted_pair, tag_word, worth_tag
from search.query import AllOf, AnyOf, ChatIs, Clause, InChats, Not, Query, Tagged, Words

STREAMS = frozenset({PUBLIC, INTERNAL})
FEW_WORDS = 8
"""An index looks at so many together at the most: each message that it finds is compared with all of them."""

NOTHING = f"'{TAG_MARK}'"
"""A tsquery for a word that no message has."""

WITH_WORDS = "message JOIN said USING (id)"

Expand = Callable[[Words], Sequence[str]]
"""The tsqueries of which one must hold, for a beginning or a spelling."""


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL with its parameters."""

    sql: str
    params: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Lexemes:
    """A tsquery, and whether it holds for a message without words and tags: such a one no index can answer."""

    text: str
    of_none: bool = False
    one_of: tuple[str, ...] = ()
    """Of so many tsqueries one must hold that an index is asked for each by itself."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a condition: a tsquery that it needs, null if there is none, and the condition itself, null if the
    tsquery says all.
    """

    needs: Lexemes | None
    check: Condition | None = None
    reads_words: bool = True


class Joint(NamedTuple):
    """How parts are joined: in a tsquery, in SQL, and when the whole holds."""

    sign: str
    word: str
    holds: Callable[[Iterable[bool]], bool]


ALL = Joint(" & ", " AND ", all)
ANY = Joint(" | ", " OR ", any)


@dataclass(frozen=True, slots=True)
class Source:
    """Where it is looked for, as a FROM, and what holds there; its parameters are those of both."""

    tables: str
    condition: Condition
    is_limited: bool = True
    """Of what is found there EXACT_HITS and one are looked at; else all."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What holds for a message that is found, said twice: for where the index of words is asked, and for where messages
    are looked at one after the other, together with their words.
    """

    parts: tuple[Part, ...]
    checked: Condition
    """Of a row of WITH_WORDS."""
    time: Condition
    """The part of it on the time."""
    is_limited: bool = True
    """More than EXACT_HITS may be found."""

    @property
    def everywhere(self) -> Source:
        return replace(source_of(self.parts, self.time), is_limited=self.is_limited)

    @property
    def sample(self) -> Source:
        """In some chats, all of it: the first of it would be the oldest."""
        return replace(self.having([SAMPLE_TAG]), is_limited=False)

    def worth(self, classes: Iterable[int], rare: Iterable[str]) -> Source:
        """Among messages of these classes of worth, and those that have one of these words."""
        return self.having([*map(worth_tag, classes), *rare])

    def having(self, names: Iterable[str]) -> Source:
        """Among messages with one of these words or tags."""
        return source_of([*self.parts, Part(Lexemes(any_of(names)))], self.time)


def sought(query: Query, scope: Scope, expand: Expand) -> Sought:
    parts = [part_of(clause, expand) for clause in query.where.clauses]
    if scope.customer_id is not None:
        parts.append(Part(Lexemes(quoted(tag_word(customer_tag(scope.customer_id))))))
    if scope.chats is not None:
        parts.append(in_chats(scope.chats))
    if scope.streams != STREAMS:
        parts.append(Part(None, Condition("stream = ANY(%s)", (sorted(scope.streams),)), reads_words=False))
    time = time_of(query)
    return Sought(
        tuple(parts),
        in_sql([condition_of(joined(parts, ALL)), time], ALL),
        time,
    )


def source_of(parts: Sequence[Part], time: Condition) -> Source:
    whole = joined(parts, ALL)
    others = [part for part in parts if part.check]
    index = index_of(parts, whole)
    if index:
        return Source(tables_of(others), in_sql([*index, *map(condition_of, others), time], ALL))
    return Source(tables_of([whole]), in_sql([condition_of(whole), time], ALL))


def index_of(parts: Sequence[Part], whole: Part) -> list[Condition]:
    """What the index of words is asked for; nothing if it cannot answer."""
    wide = [part.needs.one_of for part in parts if part.needs and part.needs.one_of]
    narrow = joined([part for part in parts if not (part.needs and part.needs.one_of)], ALL).needs
    if narrow and narrow.of_none:
        wide, narrow = [], whole.needs
    one_of = [Condition("words_of(id) @@ ANY(%s::tsquery[])", (list(texts),)) for texts in wide]
    if narrow and not narrow.of_none:
        one_of.append(Condition("words_of(id) @@ %s::tsquery", (narrow.text,)))
    return one_of


def tables_of(checked: Iterable[Part]) -> str:
    return WITH_WORDS if any(part.reads_words for part in checked) else "message"


def time_of(query: Query) -> Condition:
    bounds = (("at_ms >= %s", query.after_ms), ("at_ms < %s", query.before_ms))
    return in_sql([Condition(sql, (ms,)) for sql, ms in bounds if ms is not None], ALL)


def part_of(clause: Clause, expand: Expand) -> Part:
    match clause:
        case AllOf(clauses):
            return joined([part_of(each, expand) for each in clauses], ALL)
        case AnyOf(clauses):
            return joined([part_of(each, expand) for each in clauses], ANY)
        case Not(inner):
            return without(part_of(inner, expand))
        case Tagged(tag):
            return Part(Lexemes(quoted(tag_word(tag))))
        case InChats(chats):
            return in_chats(chats)
        case Words():
            return words_part(clause, expand)
        case ChatIs():
            raise ValueError("conditions on chats are looked up in SQL")


def words_part(words: Words, expand: Expand) -> Part:
    if words.prefix or words.near:
        found = tuple(expand(words))
        return Part(Lexemes(" | ".join(found) or NOTHING, one_of=found if len(found) > FEW_WORDS else ()))
    other = (*([words.whole] if words.whole else []), *words.also)
    if len(words.terms) == 1:
        return Part(Lexemes(any_of((*words.terms, *other))))
    apart = phrase(words.terms)
    return joined([apart, Part(Lexemes(any_of(other)))], ANY) if other else apart


def phrase(terms: tuple[str, ...]) -> Part:
    """The words next to each other; in a long text, in one of its pieces: as a whole, it has all its last words at one
    place. Of two short words the index knows it.
    """
    pairs = [quoted_pair(*two) for two in pairwise(terms) if is_pair(two)]
    if is_pair(terms):
        return Part(Lexemes(pairs[0]))
    needs = Lexemes(" & ".join(dict.fromkeys([*pairs, *map(quoted, terms)])))
    near = " <-> ".join(map(quoted, terms))
    holds = Condition(
        "(CASE WHEN pieces IS NULL THEN words @@ %s::tsquery "
        "ELSE EXISTS (SELECT FROM unnest(pieces) AS piece WHERE piece @@ %s::tsquery) END)",
        (near, near),
    )
    return Part(needs, holds)


def any_of(names: Iterable[str]) -> str:
    return " | ".join(map(quoted, names)) or NOTHING


def in_chats(chats: Iterable[int]) -> Part:
    return Part(None, Condition("chat_pk = ANY(%s)", (sorted(chats),)), reads_words=False)


def without(part: Part) -> Part:
    if part.check is None and part.needs:
        return Part(Lexemes(f"!({part.needs.text})", not part.needs.of_none))
    condition = condition_of(part)
    return Part(None, Condition(f"NOT {condition.sql}", condition.params), part.reads_words)


def joined(parts: Sequence[Part], how: Joint) -> Part:
    """All the tsqueries as one, with the other conditions."""
    plain = [part.needs for part in parts if part.needs and not part.check]
    if plain and len(plain) == len(parts):
        return Part(as_one(plain, how))
    needs = [part.needs for part in parts if part.needs]
    others = [part for part in parts if part.check]
    conditions = [*([condition_of(Part(as_one(plain, how)))] if plain else []), *map(condition_of, others)]
    return Part(
        as_one(needs, how) if needs and (how is ALL or len(needs) == len(parts)) else None,
        in_sql(conditions, how),
        bool(plain) or any(part.reads_words for part in others),
    )


def as_one(lexemes: Sequence[Lexemes], how: Joint) -> Lexemes:
    return Lexemes(
        how.sign.join(dict.fromkeys(f"({each.text})" for each in lexemes)), how.holds(each.of_none for each in lexemes)
    )


def in_sql(conditions: Sequence[Condition], how: Joint) -> Condition:
    params = tuple(param for each in conditions for param in each.params)
    none = "TRUE" if how is ALL else "FALSE"
    return Condition(f"({how.word.join(each.sql for each in conditions) or none})", params)


def condition_of(part: Part) -> Condition:
    if part.check:
        return part.check
    assert part.needs, "a part says something"
    return Condition("words @@ %s::tsquery", (part.needs.text,))
