"""How a message lies in an index of tantivy: its fields, and its words as `words.py` cuts them.

Texts are not stored as they were written, the log has them; what is stored are their words, for suggestions. One more
document, which no search finds, says which edition of the index it is: so it changes with the same commit. Called by
the other `tantivy_` modules.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from json import JSONEncoder
from pathlib import Path

import tantivy

from history.times import HOUR_MS
from search.engine import Document, Edition, Key
from search.facts import BLANK, customer_tag, shown_together
from search.names import Cut, cuts
from search.places import freshness, month_at

TEXT, STEMS = "text", "stems"
"""Words with their positions, and stems without."""

TAGS = "tags"
AT, CHAT, STREAM, SEQ = "at", "chat", "stream", "seq"
FRESH = "fresh"
MONTH, SHOWN = "month", "shown"
"""What facets are counted by: the month, and the tags that are shown, as one word for all of a message's."""

EDITION, EDITION_STREAM = "edition", 2
"""The document of the edition lies in a stream that no message is in."""

FORMAT = f"3 {unicodedata.unidata_version}"
"""Raise the number when fields or tokenizer change; another Unicode may cut other words, too."""

LONG_LENGTHS = (16, 32, 64, 128)
LONG_TAGS = tuple(f"@{length}" for length in LONG_LENGTHS)
"""Tags of long messages: a long phrase is looked for in these only, as tantivy is slow in finding out that a phrase of
a hundred equal words is in none of the short ones.
"""

CACHED_TAGS = 4096
CACHED_HOURS = 4096

quoted = JSONEncoder(ensure_ascii=False).encode
"""A value in JSON."""


def make_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(TEXT, tokenizer_name="words", stored=True)
    builder.add_text_field(STEMS, tokenizer_name="words", index_option="freq")
    builder.add_text_field(TAGS, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(MONTH, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_text_field(SHOWN, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_unsigned_field(AT, fast=True)
    builder.add_unsigned_field(CHAT, fast=True, indexed=True)
    builder.add_unsigned_field(STREAM, fast=True, indexed=True)
    builder.add_unsigned_field(SEQ, fast=True, indexed=True)
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
    """The message in JSON, which tantivy reads in less time than it takes a document value by value."""
    (chat_pk, stream, seq), at_ms, customer_id, tags, text = document
    found = cuts(text)
    words, length = quoted_words(found)
    stems = " ".join([cut.stems for cut in found if cut.stems])
    all_tags, shown = quoted_tags(tags, customer_id)
    return (
        f'{{"{TEXT}":{words},"{STEMS}":"{stems}",'
        f'"{TAGS}":[{all_tags}{QUOTED_LONG_TAGS[length_class(length)]}],'
        f'"{SHOWN}":{shown},{quoted_age(at_ms // HOUR_MS)},'
        f'"{AT}":{at_ms},"{CHAT}":{chat_pk},"{STREAM}":{stream},"{SEQ}":{seq}}}'
    )


@lru_cache(CACHED_HOURS)
def quoted_age(hour: int) -> str:
    """The month, and how fresh a message of that hour is: so it need not be reckoned for each of a chat's messages."""
    at_ms = hour * HOUR_MS
    return f'"{MONTH}":"{month_at(at_ms)}","{FRESH}":{freshness(at_ms)}'


def quoted_words(found: list[Cut]) -> tuple[str, int]:
    """The words of a text, which have no letters that JSON would have to quote; and how many places they have.

    tantivy cuts plain words again, at the blanks. Up to the last place that has several names, words are handed over
    one by one, which takes longer: [start, end, place, name, places], the first two of which are not used. That they
    fill no place makes up for the one that tantivy leaves free between two parts of a text.
    """
    plain = [cut.plain for cut in found]
    if None not in plain:
        text = " ".join(filter(None, plain))
        return f'"{text}"', text.count(" ") + 1
    behind_last = len(plain) - plain[::-1].index(None)
    names: list[str] = []
    tokens: list[str] = []
    length = 0
    for _, words, places, _, _ in found[:behind_last]:
        for name, place in words:
            names.append(name)
            tokens.append(f'[0,0,{length + place},"{name}",0]')
        length += places
    rest = " ".join(filter(None, plain[behind_last:]))
    placed = f'{{"text":"{" ".join(names)}","tokens":[{",".join(tokens)}]}}'
    return f'[{placed},"{rest}"]', length + rest.count(" ") + 1


def behind(texts: Iterable[str]) -> str:
    """More texts of a list in JSON, behind its first."""
    return "".join([f",{quoted(text)}" for text in texts])


def length_class(words: int) -> int:
    """How many of LONG_TAGS a message of so many words has, or a phrase of so many words asks for."""
    return bisect_right(LONG_LENGTHS, words)


QUOTED_LONG_TAGS = tuple(behind(LONG_TAGS[:number]) for number in range(len(LONG_TAGS) + 1))


@lru_cache(CACHED_TAGS)
def quoted_tags(tags: frozenset[str], customer_id: str) -> tuple[str, str]:
    """All of the tags, and those that are shown. Most messages have those of one before."""
    return f"{quoted(customer_tag(customer_id))}{behind(tags)}", quoted(shown_together(tags))


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
    values = ((CHAT, key.chat_pk), (STREAM, key.stream), (SEQ, key.seq))
    terms = [(tantivy.Occur.Must, tantivy.Query.term_query(SCHEMA, name, value)) for name, value in values]
    return tantivy.Query.boolean_query(terms)
