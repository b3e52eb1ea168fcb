"""How messages lie in PostgreSQL for search: tables in a schema of their own, made and dropped by the engine, as they
are a cache. Called by the other `postgres_` modules.

What the hits of a common word are counted, grouped and put in order by lies apart from the words, in short rows: these
hits lie all over the table, so that its pages are what such a search costs, and so it has a fifth of them. The index of
words belongs to the short rows all the same, by a function that reads the words of a message's number. A number's words
never change, and are there as long as its message is; so the function is immutable, as an index wants it. But an
immutable function sees what its command saw in the beginning: REINDEX, VACUUM FULL and CLUSTER wait for an open commit
and would then index its messages without words. So it asks another one, which is volatile and sees what is there.

A message's tsvector holds the words of `words.py` with their positions, its stems, its tags, and each two short words
that stand next to each other, so that the index knows where common words do: PostgreSQL's own parser never sees a text.
Two tags are its own: the class of the message's worth, and whether its chat is one of the sample.
What a tsvector cannot hold of a long text (a word at more than 255 places, places beyond 16,383) is there once more in
pieces, for phrases.
"""

import hashlib
import math
import unicodedata
import zlib
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from search.engine import Document, Key
from search.facts import customer_tag, shown_together
from search.names import names
from search.parser import TERMS
from search.places import freshness, month_at
from search.stems import STEM_MARK

FORMAT = f"7 {unicodedata.unidata_version}"
"""Raise the number when tables or tokenizer change; another Unicode may cut other words, too."""

# What is new waits in a short list, which each search reads, and goes into the index a thousand messages at a time: a
# quarter of the work. The function is dear, so that no plan calls it for messages that the index can name.
TABLES = (
    "CREATE TABLE edition (format text, identity bigint, commits bigint, messages bigint, last_id bigint)",
    "CREATE TABLE said (id bigint PRIMARY KEY, words tsvector NOT NULL, pieces tsvector[])",
    "CREATE TABLE kind (kind integer PRIMARY KEY, month text NOT NULL, shown text NOT NULL)",
    "CREATE TABLE message (at_ms bigint NOT NULL, chat_pk bigint NOT NULL, id bigint NOT NULL, worth real NOT NULL, "
    "seq integer NOT NULL, kind integer NOT NULL, stream smallint NOT NULL, PRIMARY KEY (chat_pk, stream, seq))",
    "CREATE FUNCTION said_of(bigint) RETURNS tsvector LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS "
    "'BEGIN RETURN (SELECT words FROM {schema}.said WHERE id = $1); END'",
    "CREATE FUNCTION words_of(bigint) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS "
    "'BEGIN RETURN {schema}.said_of($1); END'",
    "CREATE INDEX message_in_time ON message (at_ms, chat_pk, stream, seq)",
    "CREATE INDEX message_words ON message USING gin (words_of(id)) WITH (gin_pending_list_limit = 1536)",
    'CREATE TABLE word (word text COLLATE "C" PRIMARY KEY, messages bigint NOT NULL, near integer[]) '
    "WITH (fillfactor = 50)",
    "CREATE INDEX word_near ON word USING gin (near) WITH (gin_pending_list_limit = 256)",
)

TAG_MARK = "@"
"""Begins a tag among the words; no word begins so."""

PLAIN_TAG_LETTERS = 24
HASH_BYTES = 12
"""Longer tags, which have somebody's id in them, are kept as hashes."""

PAIR_MARK = "="
"""Begins two short words that stand next to each other; no word begins so."""

PAIRED_LETTERS = 5
"""Longer words make no pairs: in all languages the common words are short ones, and of others a few are looked at."""

CACHED_TAGS, CACHED_WORDS = 4_096, 32_768

LAST_PLACE, PLACES = 16_383, 255
"""What a tsvector can hold: the highest place, and the places of one word."""

PIECE_PLACES = PLACES
PIECE_STEP = PIECE_PLACES - TERMS
"""Pieces overlap by the longest phrase."""

NEAR_LETTERS = 8
"""Of a word's first letters up to two are left out: two words that are near have such a rest in common."""

TWO_WRONG_LETTERS = 6
"""Shorter words are never near another by two wrong letters: those that are looked for have eight."""

LENGTH_WORDS = 20
"""A message of so many words is worth half as much as one of none."""

WORTH_MARK = TAG_MARK + TAG_MARK + "worth:"
"""Begins the class of a message's worth, as a tag that no query can name: the best hits are mostly among those of the
most worth.
"""

WORTH_CLASSES = 32
"""So many make half the worth."""

SAMPLE_TAG = TAG_MARK + TAG_MARK + "sample"
"""Of the messages of one chat in SAMPLED_CHATS, by which facets of many hits are estimated. No query can name it."""

SAMPLED_CHATS = 16


class Kind(NamedTuple):
    """What many messages have in common."""

    month: str
    shown: str
    """The tags that are counted as facets."""


class Row(NamedTuple):
    """A message as it lies in the tables."""

    key: Key
    at_ms: int
    worth: float
    """The shorter and the newer it is, the more."""
    kind: Kind
    names: Collection[str]
    """Its words and their stems, and the class of its worth: what is counted."""
    words: str
    pieces: list[str] | None


def row_of(document: Document) -> Row:
    found = names(document.text)
    words = {name for name, _ in found}
    tags, shown = tag_words(document.tags, document.customer_id)
    value = worth(document.at_ms, len(words))
    worth_class = worth_tag(class_of(value))
    words.add(worth_class)
    return Row(
        document.key,
        document.at_ms,
        value,
        Kind(month_at(document.at_ms), shown),
        words,
        " ".join([*vector(found), *pairs_of(found), quoted(worth_class), *sample_tags(document.key.chat_pk), tags]),
        pieces_of(found) if len(found) > PLACES else None,
    )


def worth(at_ms: int, words: int) -> float:
    return freshness(at_ms) / (LENGTH_WORDS + words)


@lru_cache(CACHED_TAGS)
def tag_words(tags: frozenset[str], customer_id: str) -> tuple[str, str]:
    """The tags as words of a tsvector, and those that are shown. Most messages have those of the one before."""
    words = " ".join(quoted(tag_word(tag)) for tag in (*tags, customer_tag(customer_id)))
    return words, shown_together(tags)


def vector(found: Iterable[tuple[str, int]]) -> list[str]:
    """Words and their places, from 0 on, as PostgreSQL reads them for a tsvector. A stem needs no place."""
    return [quoted(name) if name[0] == STEM_MARK else f"{quoted(name)}:{place + 1}" for name, place in found]


def pairs_of(found: Iterable[tuple[str, int]]) -> list[str]:
    """Of short words that stand next to each other. A place may have several words: a compound and its first part."""
    at: dict[int, list[str]] = defaultdict(list)
    for name, place in found:
        if len(name) <= PAIRED_LETTERS and name[0] != STEM_MARK:
            at[place].append(name)
    return [quoted_pair(one, other) for place, ones in at.items() for other in at.get(place + 1, ()) for one in ones]


def pieces_of(found: Sequence[tuple[str, int]]) -> list[str] | None:
    """The text in overlapping pieces, if it is too long for one tsvector."""
    last = max(place for _, place in found)
    if last < LAST_PLACE and max(Counter(name for name, _ in found).values()) <= PLACES:
        return None
    return [" ".join(vector(piece(found, begin))) for begin in range(0, last + 1, PIECE_STEP)]


def piece(found: Iterable[tuple[str, int]], begin: int) -> Iterator[tuple[str, int]]:
    return ((name, place - begin) for name, place in found if begin <= place < begin + PIECE_PLACES)


def quoted_pair(one: str, other: str) -> str:
    return f"'{PAIR_MARK}{quoted(one)[1:-1]} {quoted(other)[1:-1]}'"


def is_pair(terms: tuple[str, ...]) -> bool:
    """Whether the index knows where these words stand next to each other."""
    return len(terms) == 2 and all(len(term) <= PAIRED_LETTERS for term in terms)


@lru_cache(CACHED_WORDS)
def quoted(word: str) -> str:
    """A word of a tsvector or a tsquery."""
    doubled = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def class_of(worth: float) -> int:
    """The class of a worth above 0; the better, the higher."""
    return math.floor(math.log2(worth) * WORTH_CLASSES)


def least_worth(number: int) -> float:
    """Of the class of this number."""
    return float(2.0 ** (number / WORTH_CLASSES))


@lru_cache(CACHED_TAGS)
def worth_tag(number: int) -> str:
    return f"{WORTH_MARK}{number}"


@lru_cache(CACHED_TAGS)
def sample_tags(chat_pk: int) -> list[str]:
    """Which chats are in the sample says a hash, as chats may have been dealt out to people by turns."""
    return [] if zlib.crc32(str(chat_pk).encode()) % SAMPLED_CHATS else [quoted(SAMPLE_TAG)]


def tag_word(tag: str) -> str:
    if len(tag) <= PLAIN_TAG_LETTERS:
        return TAG_MARK + tag
    digest = hashlib.blake2b(tag.encode(), digest_size=HASH_BYTES).digest()
    return f"{TAG_MARK}#{b64encode(digest).decode()}"


def near_numbers(word: str, wrong: int) -> list[int]:
    """What is left of the word's beginning when up to `wrong` letters are left out, as numbers. Two words that differ
    in at most `wrong` letters have one in common (as have their beginnings of equal length).
    """
    start = word[:NEAR_LETTERS]
    letters = range(len(start))
    rests = {start}
    if wrong:
        rests.update([start[:at] + start[at + 1 :] for at in letters])
    if wrong > 1:
        rests.update([start[:at] + start[at + 1 : too] + start[too + 1 :] for at, too in combinations(letters, 2)])
    return sorted({zlib.crc32(rest.encode()) - 2**31 for rest in rests})


def kept_near_numbers(word: str) -> str | None:
    """As PostgreSQL reads an array."""
    if word.startswith((STEM_MARK, WORTH_MARK)):
        return None
    numbers = near_numbers(word, 2 if len(word) >= TWO_WRONG_LETTERS else 1)
    return f"{{{','.join(map(str, numbers))}}}"


def is_counted(lexeme: str) -> bool:
    """A word, a stem, or a class of worth; not another tag, not a pair of words."""
    return lexeme.startswith(WORTH_MARK) or not lexeme.startswith((TAG_MARK, PAIR_MARK))


def counted_in(lexemes: Iterable[str]) -> list[str]:
    return list(filter(is_counted, lexemes))
