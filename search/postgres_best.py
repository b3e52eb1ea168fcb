"""A page of the best of what is frequent in PostgreSQL, looked for among the messages of the most worth. Called by
`postgres_answer.py`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from history.db import Cursor
from search.engine import Hits
from search.places import read_cursor
from search.postgres_gather import SCORED, SCORED_BEHIND, certain_rows, page_statement
from search.postgres_page import Wanted, is_frequent, whole_page
from search.postgres_tables import class_of, least_worth
from search.postgres_vocabulary import worth_classes

LOOKED_AT = (15_000, 30_000, 60_000, 240_000)
"""Among about so many messages; among more if a better one may be behind them, and if all that is found is not much
less than these.
"""
MUCH_LESS = 0.5

EVERY = 2**31 - 1
"""More than can be scored: where a rare word may be among what is left, nothing is."""

Class = tuple[int, int]
"""The number of a class of worth, and how many messages are in it."""

AMONG = "WITH found AS (SELECT message.* FROM {tables} WHERE {condition}) SELECT page.* FROM ({page}) AS page"


def best_ahead(cursor: Cursor, wanted: Wanted, share: float) -> Hits | None:
    """A page of the best of what is probably this `share` of all messages, if no other one can be on it. Where a rare
    word would give much more than a common one, all that have it are looked at, too.
    """
    if wanted.ask.sort != "best" or not is_frequent(wanted.ask, share):
        return None
    scored = SCORED_BEHIND if wanted.ask.cursor else SCORED
    rare: tuple[str, ...] = ()
    if wanted.score.rare and not wanted.score.is_even:
        rare, scored = wanted.score.rare, EVERY
        wanted = replace(wanted, score=replace(wanted.score, most=wanted.score.most_of_others))
    every = worth_classes(cursor)
    found = share * sum(messages for _, messages in every)
    first, *others = LOOKED_AT
    sizes = [first, *(size for size in others if found > MUCH_LESS * size)]
    for classes, is_all in ranges(classes_behind(wanted, every), sizes):
        source = wanted.sought.worth(classes, rare)
        page, params = page_statement(wanted, scored)
        statement = AMONG.format(tables=source.tables, condition=source.condition.sql, page=page)
        cursor.execute(statement, (*source.condition.params, *params))
        unscored, rows = cursor.fetchone()
        beyond = 0 if is_all else least_worth(classes[-1])
        certain = certain_rows(wanted, rows, max(unscored, beyond))
        if len(certain) > wanted.ask.limit or (is_all and not unscored):
            return whole_page(cursor, wanted, certain)
        if not certain and not wanted.score.is_even:
            break
        if unscored > beyond:
            scored = max(scored, SCORED_BEHIND)
    return None


def classes_behind(wanted: Wanted, classes: Sequence[Class]) -> Sequence[Class]:
    """Those where hits may be. A chat's best hit may have come before the cursor."""
    if not wanted.ask.cursor or not wanted.score.least or wanted.ask.collapse:
        return classes
    most = read_cursor(wanted.ask.cursor)[0] / wanted.score.least
    if not 0 < most < math.inf:  # the cursor is of another order
        return classes
    best = class_of(most) + 1
    return [(number, messages) for number, messages in classes if number <= best]


def ranges(classes: Sequence[Class], sizes: Sequence[int]) -> Iterator[tuple[list[int], bool]]:
    """The first classes with so many messages each time, and whether these are all."""
    taken: list[int] = []
    count = 0
    for most in sizes:
        before = len(taken)
        for number, messages in classes[before:]:
            if count >= most:
                break
            taken.append(number)
            count += messages
        if len(taken) > before:
            yield taken, len(taken) == len(classes)
