"""How a message lies in an index of tantivy: its fields, and its words as `words.py` cuts them.

Texts are not stored as they were written, the log has them; what is stored are their words, for suggestions. One more
document, which no search finds, says which edition of the index it is: so it changes with the same commit. Called by
the other `tantivy_` modules.
"""

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache
from itertools import count
from operator import itemgetter
from pathlib import Path

import orjson
import tantivy

from history.times import HOUR_MS
from search.engine import Document, Edition, Key
from search.facts import BLANK, customer_tag, shown_together
from search.names import cuts
from search.places import freshness, month_at

TEXT, STEMS = "text", "stems"
"""Words with their positions, and stems without."""

TAGS = "tags"
AT, CHAT, STREAM, SEQ = "at", "chat", "stream", "seq"
FRESH = "fresh"
MONTH, SHOWN = "month", "shown"
"""What facets are counted by: the month, as the number 202603, and the tags that are shown, as one word for all of a
message's.
"""

EDITION, EDITION_STREAM = "edition", 2
"""The document of the edition lies in a stream that no message is in."""

FORMAT = f"4 {unicodedata.unidata_version}"
"""Raise the number when fields or tokenizer change; another Unicode may cut other words, too."""

PLACES = 1 << 32
"""So many places tantivy can tell apart."""

LONG_LENGTHS = (16, 32, 64, 128)
LONG_TAGS = tuple(f"@{length}" for length in LONG_LENGTHS)
"""Tags of long messages: a long phrase is looked for in these only, as tantivy is slow in finding out that a phrase of
a hundred equal words is in none of the short ones.
"""

BLANK_SIGN = re.compile(r"[\s\\]")
"""What a tag must not have in an index, and the sign that stands before its number there."""

CACHED_TAGS = 4096
CACHED_HOURS = 4096


def make_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(TEXT, tokenizer_name="words", stored=True)
    builder.add_text_field(STEMS, tokenizer_name="words", index_option="freq")
    builder.add_text_field(TAGS, tokenizer_name="words", index_option="basic")
    builder.add_text_field(SHOWN, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_unsigned_field(AT, fast=True)
    builder.add_unsigned_field(CHAT, fast=True, indexed=True)
    builder.add_unsigned_field(STREAM, fast=True, indexed=True)
    builder.add_unsigned_field(SEQ, fast=True)
    builder.add_unsigned_field(MONTH, fast=True)
    builder.add_float_field(FRESH, fast=True)
    builder.add_text_field(EDITION, tokenizer_name="raw", index_option="basic", stored=True)
    return builder.build()


SCHEMA = make_schema()
EDITION_QUERY = tantivy.Query.term_query(SCHEMA, STREAM, EDITION_STREAM)


def open_index(folder: Path) -> tantivy.Index:
    """The index in the folder, a new one if there is none. Raises ValueError if it is of another make."""
    index = tantivy.Index(SCHEMA, str(folder))
    words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
    index.register_tokenizer("words", words)
    index.config_reader("manual")
    return index


def indexed(document: Document) -> str:
    """The message in JSON, which tantivy reads in less time than it takes a document value by value. The fields'
    names are written out, as each lookup counts.
    """
    (chat_pk, stream, seq), at_ms, customer_id, tags, text = document
    words: list[str] = []
    stems: list[str] = []
    others: list[tuple[str, int]] = []
    length = 0
    for _, places, spine, more, roots in cuts(text):
        words.append(spine)
        for name, place in more:
            others.append((name, length + place))
        if roots:
            stems.append(roots)
        length += places
    spoken = " ".join(words)
    quoted_text = quoted_words(spoken, others) if others else f'"{spoken}"'
    quoted_stems = f'"stems":"{" ".join(stems)}",' if stems else ""
    all_tags, shown = quoted_tags(tags, customer_id)
    return (
        f'{{"text":{quoted_text},{quoted_stems}'
        f'"tags":"{all_tags}{QUOTED_LONG_TAGS[length_class(length)]}",'
        f'"shown":{shown},{quoted_age(at_ms // HOUR_MS)},'
        f'"at":{at_ms},"chat":{chat_pk},"stream":{stream},"seq":{seq}}}'
    )


def quoted_words(spoken: str, others: list[tuple[str, int]]) -> str:
    """The words of a text, and more names of their places. None has letters that JSON would have to quote.

    tantivy cuts words again, at the blanks. Names are handed over with their places, which takes longer; as tantivy
    counts on behind the words, with 32 bits, they go around to their places. It wants the places of a name in order:
    if one is also a word, all are handed over so.
    """
    words = spoken.split()
    if any(name in words for name, _ in others):
        return placed(sorted([*zip(words, count()), *others], key=itemgetter(1)), 0)
    return f'["{spoken}",{placed(others, PLACES - len(words) - 1)}]'


def placed(names: list[tuple[str, int]], first: int) -> str:
    """Each with its place behind the first one: [start, end, place, name, places], whose ends mean nothing."""
    tokens = ",".join([f'[0,0,{first + place},"{name}",0]' for name, place in names])
    return f'{{"text":"{" ".join([name for name, _ in names])}","tokens":[{tokens}]}}'


@lru_cache(CACHED_HOURS)
def quoted_age(hour: int) -> str:
    """The month, and how fresh a message of that hour is: so it need not be reckoned for each of a chat's messages."""
    at_ms = hour * HOUR_MS
    return f'"{MONTH}":{month_at(at_ms).replace("-", "")},"{FRESH}":{freshness(at_ms)}'


def length_class(words: int) -> int:
    """How many of LONG_TAGS a message of so many words has, or a phrase of so many words asks for."""
    return bisect_right(LONG_LENGTHS, words)


QUOTED_LONG_TAGS = tuple("".join(f" {tag}" for tag in LONG_TAGS[:number]) for number in range(len(LONG_TAGS) + 1))


@lru_cache(CACHED_TAGS)
def quoted_tags(tags: frozenset[str], customer_id: str) -> tuple[str, str]:
    """All of the tags, and those that are shown. Most messages have those of one before."""
    all_tags = " ".join([as_word(tag) for tag in (customer_tag(customer_id), *tags)])
    return quoted(all_tags)[1:-1], quoted(shown_together(tags))


@lru_cache(CACHED_TAGS)
def as_word(tag: str) -> str:
    """The tag without blanks, at which tantivy cuts."""
    return BLANK_SIGN.sub(lambda found: f"\\{ord(found[0])};", tag)


def quoted(text: str) -> str:
    """In JSON."""
    return orjson.dumps(text).decode()


def edition_document(edition: Edition) -> str:
    text = f"{FORMAT}{BLANK}{edition.identity}{BLANK}{edition.commits}"
    return f'{{"{STREAM}":{EDITION_STREAM},"{EDITION}":{quoted(text)}}}'


def read_edition(lying: tantivy.Document) -> Edition:
    """Raises ValueError for another format."""
    made, identity, commits = str(lying.get_first(EDITION)).split(BLANK)
    if made != FORMAT:
        raise ValueError("another version wrote it")
    return Edition(int(identity), int(commits))


def key_query(key: Key) -> tantivy.Query:
    """The document with this key."""
    terms = [
        tantivy.Query.term_query(SCHEMA, name, value) for name, value in ((CHAT, key.chat_pk), (STREAM, key.stream))
    ]
    seq = tantivy.Query.range_query(SCHEMA, SEQ, tantivy.FieldType.Unsigned, key.seq, key.seq)
    return tantivy.Query.boolean_query([(tantivy.Occur.Must, each) for each in (*terms, seq)])
