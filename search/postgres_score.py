"""How well a message fits, for PostgreSQL. Called by `postgres_engine.py`; pure.

A hit scores what the rarity of the words in it gives, times the message's worth, which lies in the table. (BM25 for
words that are in a message once, as most words of a chat are.) So nothing scores more than all words together give
times its worth, and messages of the most worth are looked at first.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from search.engine import Ask
from search.postgres_query import Condition, any_of
from search.postgres_tables import is_pair, quoted, quoted_pair
from search.query import AllOf, AnyOf, Clause, Query, Words

WEAKER = 0.5
"""What a word that stands for another gives, where the word itself is not."""

RARE_MESSAGES = 10_000
"""All messages with a word that so few have can be scored in a search's time."""

UNEVEN = 4
"""Where one hit may gain so many times as much as another, worth does not make up for it."""


@dataclass(frozen=True, slots=True)
class Score:
    """Of a row of message and said. A hit's score is at least `least` times its worth, and at most `most`."""

    condition: Condition
    least: float
    most: float
    mostly: float
    """What `least` would be if phrases always scored; they do not where they are in a piece of a long text only."""
    rare: tuple[str, ...] = ()
    """Words that so few messages have that all of these can be scored."""
    most_of_others: float = 0
    """What a hit without these scores at most, times its worth."""

    @property
    def is_even(self) -> bool:
        """Whether those of the most worth may well be the best; not where a common word or a rare one is looked for."""
        return self.mostly * UNEVEN >= self.most


NO_SCORE = Score(Condition("0::float8"), 0, 0, 0)


def score_of(query: Query, count: int, frequencies: Mapping[str, int], ask: Ask) -> tuple[Score, Ask]:
    """For a search of `count` messages. Where nothing can score, the newest hits are asked for as the best ones."""
    wanted = [words for words in query.words if not words.prefix and not words.near]
    if ask.sort != "best" or not wanted:
        return NO_SCORE, replace(ask, sort="new") if ask.sort == "best" else ask
    gains = [gain_of(words, count, frequencies) for words in wanted]
    conditions = [condition_of(words, gain) for words, gain in zip(wanted, gains, strict=True)]
    sql = " + ".join(each.sql for each in conditions)
    params = tuple(param for each in conditions for param in each.params)
    known = dict(zip(wanted, gains, strict=True))
    sure = {words: gain for words, gain in known.items() if len(words.terms) == 1 or is_pair(words.terms)}
    least, mostly = least_of(query.where, sure), least_of(query.where, known)
    rare = [words for words in known if messages_with(words, frequencies) <= RARE_MESSAGES]
    others = math.fsum(gain for words, gain in zip(wanted, gains, strict=True) if words not in rare)
    forms = tuple(form for words in rare for form in forms_of(words))
    return Score(Condition(f"({sql}) * worth", params), least, math.fsum(gains), mostly, forms, others), ask


def messages_with(words: Words, frequencies: Mapping[str, int]) -> float:
    """In how many messages a word is, in all its forms, each counted by itself; infinite if nobody knows."""
    if len(words.terms) > 1 or words.whole:
        return math.inf
    return sum(frequencies.get(form, 0) for form in forms_of(words))


def forms_of(words: Words) -> tuple[str, ...]:
    return (*words.terms, *words.also)


def gain_of(words: Words, count: int, frequencies: Mapping[str, int]) -> float:
    """The rarity of the words among so many messages (inverse document frequency)."""
    return math.fsum(math.log1p(count / (1 + frequencies.get(term, 0))) for term in words.terms)


def condition_of(words: Words, gain: float) -> Condition:
    itself = quoted_pair(*words.terms) if is_pair(words.terms) else " <-> ".join(map(quoted, words.terms))
    weaker = any_of((*([words.whole] if words.whole else []), *words.also))
    return Condition(
        "CASE WHEN words @@ %s::tsquery THEN %s::float8 WHEN words @@ %s::tsquery THEN %s ELSE 0 END",
        (itself, gain, weaker, WEAKER * gain),
    )


def least_of(clause: Clause, gains: Mapping[Words, float]) -> float:
    """What each message gains for which the clause holds."""
    match clause:
        case AllOf(clauses):
            return math.fsum(least_of(each, gains) for each in clauses)
        case AnyOf(clauses):
            return min((least_of(each, gains) for each in clauses), default=0)
        case Words():
            has_weaker = clause.whole or clause.also
            return gains.get(clause, 0) * (WEAKER if has_weaker else 1)
    return 0
