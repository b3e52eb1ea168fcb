"""The log's news as documents for an index: what it still lacks of each chat. Used by the indexer only."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from history import journal
from history.db import Driver
from history.events import EventRow
from history.models import INTERNAL, PUBLIC
from search.authors import NOBODY, Author, author_of_note, authors_in
from search.engine import Document, Key
from search.facts import tags_of
from search.marks import Mark

INDEXED_KINDS = ("message", "note")

BATCH_EVENTS = 5000
BATCH_CHATS = 1000

LAGGING = (
    "SELECT c.pk, c.id, c.customer_id, c.head, c.internal_head, COALESCE(m.seq, 0), COALESCE(m.internal_seq, 0) "
    "FROM chat c LEFT JOIN index_mark m ON m.chat_pk = c.pk "
    "WHERE (c.head > COALESCE(m.seq, 0) OR c.internal_head > COALESCE(m.internal_seq, 0))"
)


class Lagging(NamedTuple):
    """A chat whose log is longer than its index."""

    pk: int
    id: str
    customer_id: str
    head: int
    internal_head: int
    seq: int
    internal_seq: int


@dataclass(slots=True)
class News:
    """Some of what the index lacks, and the marks once it has it."""

    added: list[Document] = field(default_factory=list)
    deleted: list[Key] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


def lagging_chats(driver: Driver, chats: list[int] | None) -> list[Lagging]:
    """Those of these chats, or of all, whose marks in SQL are behind."""
    if chats is None:
        found = driver.rows(f"{LAGGING} ORDER BY c.pk LIMIT ?", BATCH_CHATS)
    else:
        found = driver.rows(f"{LAGGING} AND c.pk IN_LIST LIMIT ?", driver.list_param(chats), BATCH_CHATS)
    return [Lagging(*row) for row in found]


def read_news(driver: Driver, lagging: Iterable[Lagging], limit: int = BATCH_EVENTS) -> News:
    """The next news of these chats, about `limit` events; without marks if there are none."""
    news = News()
    chats = list(lagging)
    authors = authors_in(driver, [chat.pk for chat in chats])
    room = limit
    for chat in chats:
        if room <= 0:
            break
        public = read_stream(driver, news, chat, authors, PUBLIC, room)
        internal = read_stream(driver, news, chat, authors, INTERNAL, room)
        room -= public - chat.seq + internal - chat.internal_seq
        news.marks.append((chat.pk, public, internal))
    return news


def read_stream(driver: Driver, news: News, chat: Lagging, authors: dict[str, Author], stream: int, limit: int) -> int:
    """Puts a stream's next events into the news. Returns the seq that it has come to."""
    mark, head = (chat.seq, chat.head) if stream == PUBLIC else (chat.internal_seq, chat.internal_head)
    if mark >= head:
        return mark
    events = journal.read_after(driver, chat.pk, stream, mark, limit)
    for event in events:
        if stream == INTERNAL and event.by not in authors:
            authors[event.by] = author_of_note(driver, chat.id, event.by)
        take(news, event, chat.customer_id, authors.get(event.by, NOBODY))
    return events[-1].seq if len(events) == limit else head


def take(news: News, event: EventRow, customer_id: str, author: Author) -> None:
    if event.kind == "redact":
        named = orjson.loads(event.data).get("seq")
        gone = range(1, event.seq) if named is None else (named,)  # the chat was erased up to here
        news.deleted += [Key(event.chat_pk, event.stream, seq) for seq in gone]
    elif event.kind in INDEXED_KINDS:
        data = orjson.loads(event.data)
        text = str(data.get("text") or "")
        if text:  # else it was redacted
            key = Key(event.chat_pk, event.stream, event.seq)
            tags = tags_of(event.stream, *author, text, data)
            news.added.append(Document(key, event.at_ms, customer_id, tags, text))
