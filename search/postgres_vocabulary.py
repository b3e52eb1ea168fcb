"""The words of an index in PostgreSQL: how often they occur, which begin so, which are near. Called by
`postgres_engine.py`.
"""

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import psycopg

from history.db import Cursor
from search.engine import EXPANSIONS, KNOWN_CHATS
from search.postgres_counts import count_up
from search.postgres_query import Condition, Source, any_of
from search.postgres_tables import WORTH_MARK, kept_near_numbers, near_numbers, quoted
from search.query import AllOf, Query, Words
from search.spelling import is_near

LAST_LETTER = "\U0010ffff"

FREQUENCIES = "SELECT word, messages FROM word WHERE word = ANY(%s) AND messages > 0"
BEGINNING = (
    "SELECT word, messages FROM word WHERE word >= %s AND word < %s AND messages > 0 ORDER BY messages DESC LIMIT %s"
)
CLASSES = "SELECT word, messages FROM word WHERE word >= %s AND word < %s AND messages > 0"
NEAR = "SELECT word, messages FROM word WHERE near && %s AND messages > 0 ORDER BY messages DESC, word"
CHATS = (
    "SELECT count(DISTINCT chat_pk), count(*) FROM "
    "(SELECT chat_pk FROM message WHERE words_of(id) @@ %s::tsquery LIMIT %s) AS known"
)
SOME_MESSAGES = 1000

RISE = (
    "UPDATE word SET messages = word.messages + new.messages "
    "FROM unnest(%s::text[], %s::bigint[]) AS new (word, messages) WHERE word.word = new.word "
    "RETURNING word.word"
)
NEW_WORDS = "COPY word (word, messages, near) FROM STDIN"

OTHER_FORMS = 10_000
"""So many messages with other forms of a word are looked at, to know how many have it in any form."""


class OutOfTime(Exception):
    """A search has so many beginnings and spellings that it cannot be answered."""


def known_total(cursor: Cursor, query: Query, least: int) -> int | None:
    """In how many messages the only word of a search is that `least` is known of, without looking at them. Null for
    another search, and where many may have only another form of it.
    """
    match query.where:
        case AllOf((Words(terms=(term,), whole=None, also=also),)) if least:
            if not also:
                return least
            if sum(frequencies(cursor, also).values()) > OTHER_FORMS:
                return None
            others = f"({any_of(also)}) & !{quoted(term)}"
            return least + count_up(cursor, Source("message", Condition("words_of(id) @@ %s::tsquery", (others,))))
    return None


@dataclass(slots=True)
class Expansion:
    """The words that beginnings and spellings stand for."""

    cursor: Cursor
    until: float
    """When there is no more time, by `time.monotonic`."""
    messages: dict[Words, int] = field(default_factory=dict)
    """In how many messages they are, each word counted by itself."""
    cut: bool = False
    """One stood for too many."""

    def one_of(self, words: Words) -> list[str]:
        """The tsqueries of which one must hold. Raises OutOfTime."""
        if time.monotonic() > self.until:
            raise OutOfTime
        letters = words.terms[0]
        if words.prefix:
            self.cursor.execute(BEGINNING, (letters, letters + LAST_LETTER, EXPANSIONS + 1))
            found = list(self.cursor.fetchall())
        else:
            found = near_to(self.cursor, letters, words.near)
        self.messages[words] = sum(count for _, count in found[:EXPANSIONS])
        if words.prefix and 0 < len(found) <= EXPANSIONS:
            return [f"{quoted(letters)}:*"]  # all words that begin so, which the index knows at once
        self.cut = self.cut or len(found) > EXPANSIONS
        return [quoted(word) for word, _ in found[:EXPANSIONS]]


def near_to(cursor: Cursor, word: str, near: int) -> list[tuple[str, int]]:
    """(word, in how many messages), most frequent first."""
    cursor.execute(NEAR, (near_numbers(word, near),))
    return [(other, count) for other, count in cursor.fetchall() if is_near(word, other, near)]


def frequencies(cursor: Cursor, terms: Collection[str]) -> dict[str, int]:
    cursor.execute(FREQUENCIES, (list(terms),))
    return {word: int(count) for word, count in cursor.fetchall()}


def worth_classes(cursor: Cursor) -> list[tuple[int, int]]:
    """(class of worth, how many messages are in it), best first."""
    cursor.execute(CLASSES, (WORTH_MARK, WORTH_MARK + LAST_LETTER))
    return sorted(((int(tag.removeprefix(WORTH_MARK)), int(count)) for tag, count in cursor.fetchall()), reverse=True)


def is_known(cursor: Cursor, word: str, count: int) -> bool:
    """Whether the word, which is in `count` messages, is in at least KNOWN_CHATS chats."""
    if count < KNOWN_CHATS:
        return False
    for limit in (SOME_MESSAGES, count):
        cursor.execute(CHATS, (quoted(word), limit))
        chats, messages = cursor.fetchone()
        if chats >= KNOWN_CHATS or messages < limit:
            break
    return bool(chats >= KNOWN_CHATS)


def count_words(cursor: psycopg.Cursor[Any], changes: Counter[str]) -> None:
    """Adds to the words' frequencies; words that are new come in."""
    changed = {word: by for word, by in changes.items() if by}
    if not changed:
        return
    cursor.execute(RISE, (list(changed), list(changed.values())))
    new = changed.keys() - {word for (word,) in cursor.fetchall()}
    with cursor.copy(NEW_WORDS) as copy:
        for word in new:
            copy.write_row((word, changed[word], kept_near_numbers(word)))
