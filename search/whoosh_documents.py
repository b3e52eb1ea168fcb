"""How a message lies in an index of Whoosh: its fields, its place, and when segments are merged.

Texts are not stored, the log has them. One column holds each document's place (time, chat, stream, seq) as
bytes that sort like it; conditions are terms of one field. Called by the other `whoosh_` modules.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from whoosh import analysis, columns, fields
from whoosh.reading import SegmentReader

from search.engine import Document
from search.places import PLACE_FORM
from search.words import tokens

TEXT, TAGS, PLACE = "text", "tags", "place"
"""The fields: the words that were written, what else is known of the message, and where it stands."""

MERGED_SEGMENTS = 8
MERGED_DOCUMENTS = 4096
"""Eight segments of about one size become one, unless they have grown to this size."""


class OwnAnalyzer(analysis.Analyzer):  # type: ignore[misc]
    """Hands the tokens of `words.py` to Whoosh."""

    def __call__(self, value: str, **_modes: Any) -> Iterator[Any]:
        given = analysis.Token(positions=True)
        given.boost = 1.0
        for token in tokens(value):
            given.text, given.pos = token.text, token.position
            yield given


SCHEMA = fields.Schema(
    **{
        TEXT: fields.TEXT(analyzer=OwnAnalyzer(), phrase=True, stored=False),
        TAGS: fields.KEYWORD(scorable=False),
        PLACE: fields.COLUMN(columns.FixedBytesColumn(PLACE_FORM.size)),
    }
)


def fields_of(document: Document) -> dict[str, Any]:
    key = document.key
    return {
        TEXT: document.text,
        TAGS: [chat_tag(key.chat_pk), customer_tag(document.customer_id), *document.tags],
        PLACE: PLACE_FORM.pack(document.at_ms, *key),
    }


def customer_tag(customer_id: str) -> str:
    """No query can name it; a scope does."""
    return f"@customer:{customer_id}"


def chat_tag(chat_pk: int) -> str:
    return f"@chat:{chat_pk}"


def merge_equals(writer: Any, segments: list[Any]) -> list[Any]:
    """Merges the small segments when there are many of about one size, so that each message is rewritten
    only a few times and no commit takes long. Returns the segments that stay. (Whoosh's hook for merge
    policies.)
    """
    classes = defaultdict(list)
    for segment in segments:
        if segment.doc_count_all() < MERGED_DOCUMENTS:
            classes[size_class(segment)].append(segment)
    full = [size for size, members in classes.items() if len(members) >= MERGED_SEGMENTS]
    if not full:
        return segments
    merged = [segment for size, members in classes.items() if size <= max(full) for segment in members]
    for segment in merged:
        reader = SegmentReader(writer.storage, writer.schema, segment)
        writer.add_reader(reader)
        reader.close()
    return [segment for segment in segments if segment not in merged]


def size_class(segment: Any) -> int:
    """0 for fewer than 8 documents, 1 for fewer than 64, and so on."""
    return (int(segment.doc_count_all()).bit_length() - 1) // 3
