"""How a message lies in an index of tantivy: its fields, and its words as `words.py` cuts them.

Texts are not stored as they were written, the log has them; what is stored are their words, for suggestions. One more
document, which no search finds, says which edition of the index it is: so it changes with the same commit. Called by
the other `tantivy_` modules.
"""

import unicodedata
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

import tantivy

from search.engine import Document, Edition, Key
from search.facts import SHOWN_TAGS
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

FORMAT = f"2 {unicodedata.unidata_version}"
"""Raise the number when fields or tokenizer change; another Unicode may cut other words, too."""

BLANK = "\x1f"
"""Stands between tags: no tag has it."""

LONG_LENGTHS = (16, 32, 64, 128)
LONG_TAGS = tuple(f"@{length}" for length in LONG_LENGTHS)
"""Tags of long messages: a long phrase is looked for in these only, as tantivy is slow in finding out that a phrase of
a hundred equal words is in none of the short ones.
"""

CACHED_TAGS = 4096


def make_schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(TEXT, tokenizer_name="words", stored=True)
    builder.add_text_field(STEMS, tokenizer_name="words", index_option="freq")
    builder.add_text_field(TAGS, tokenizer_name="tags", index_option="basic")
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
    tags = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.regex(f"[^{BLANK}]+")).build()
    index.register_tokenizer("words", words)
    index.register_tokenizer("tags", tags)
    index.config_reader("manual")
    return index


def indexed(document: Document) -> tantivy.Document:
    key = document.key
    lying = tantivy.Document()
    words = add_words(lying, cuts(document.text))
    tags, shown = joined(document.tags)
    lying.add_text(TAGS, BLANK.join((tags, customer_tag(document.customer_id), *LONG_TAGS[: length_class(words)])))
    lying.add_text(MONTH, month_at(document.at_ms))
    lying.add_text(SHOWN, shown)
    lying.add_unsigned(AT, document.at_ms)
    lying.add_unsigned(CHAT, key.chat_pk)
    lying.add_unsigned(STREAM, key.stream)
    lying.add_unsigned(SEQ, key.seq)
    lying.add_float(FRESH, freshness(document.at_ms))
    return lying


def customer_tag(customer_id: str) -> str:
    """No query can name it; a scope does."""
    return f"@customer:{customer_id}"


def length_class(words: int) -> int:
    """How many of LONG_TAGS a message of so many words has, or a phrase of so many words asks for."""
    return bisect_right(LONG_LENGTHS, words)


@lru_cache(CACHED_TAGS)
def joined(tags: frozenset[str]) -> tuple[str, str]:
    """All of the tags, and those that are shown. Most messages have those of the one before."""
    return BLANK.join(tags), BLANK.join(sorted(tag for tag in tags if tag.startswith(SHOWN_TAGS)))


def add_words(lying: tantivy.Document, found: list[Cut]) -> int:
    """How many words these are. A text of plain words is cut by tantivy again, at the blanks; one of compounds is
    handed over name by name.
    """
    stems = " ".join([cut.stems for cut in found if cut.stems])
    if stems:
        lying.add_text(STEMS, stems)
    plain = [cut.plain for cut in found]
    if None not in plain:
        text = " ".join(filter(None, plain))
        lying.add_text(TEXT, text)
        return text.count(" ") + 1
    tokens: list[tantivy.Token] = []
    words = 0
    for cut in found:
        tokens += [tantivy.Token(name, words + place, 0, 0) for name, place in cut.words]
        words += cut.length
    stored = " ".join([name for cut in found for name, _ in cut.words])
    lying.add_pre_tokenized_text(TEXT, tantivy.PreTokenizedString(stored, tokens))
    return words


def edition_document(edition: Edition) -> tantivy.Document:
    lying = tantivy.Document()
    lying.add_unsigned(STREAM, EDITION_STREAM)
    lying.add_text(EDITION, f"{FORMAT}{BLANK}{edition.identity}{BLANK}{edition.commits}")
    return lying


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
