"""What the index has of the log, and what it still lacks: the marks in SQL, and the log's news as documents.

Used by the indexer only. A chat's mark says up to which seq its streams were indexed; the row of no chat
says which edition of the index the marks belong to.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from history import journal
from history.db import Driver, Transaction
from history.events import EventRow
from history.models import INTERNAL, PUBLIC
from search.engine import Document, Edition, Key
from search.facts import tags_of

INDEXED_KINDS = ("message", "note")

BATCH_EVENTS = 5000
BATCH_CHATS = 1000

NO_CHAT = 0
"""In the table of marks: the row with the index's identity and its number of commits."""

LAGGING = (
    "SELECT c.pk, c.customer_id, c.head, c.internal_head, COALESCE(m.seq, 0), COALESCE(m.internal_seq, 0) "
    "FROM chat c LEFT JOIN index_mark m ON m.chat_pk = c.pk "
    "WHERE (c.head > COALESCE(m.seq, 0) OR c.internal_head > COALESCE(m.internal_seq, 0))"
)
BEHIND = (
    "SELECT COALESCE(SUM(c.head - COALESCE(m.seq, 0) + c.internal_head - COALESCE(m.internal_seq, 0)), 0) "
    "FROM chat c LEFT JOIN index_mark m ON m.chat_pk = c.pk"
)
AUTHORS = "SELECT id, role, person_id, name FROM participant WHERE chat_pk IN_LIST"
SAVE_MARK = (
    "INSERT INTO index_mark (chat_pk, seq, internal_seq) VALUES (?, ?, ?) "
    "ON CONFLICT (chat_pk) DO UPDATE SET seq = excluded.seq, internal_seq = excluded.internal_seq"
)


class Lagging(NamedTuple):
    """A chat whose log is longer than its index."""

    pk: int
    customer_id: str
    head: int
    internal_head: int
    seq: int
    internal_seq: int


class Author(NamedTuple):
    role: str
    person_id: str
    name: str


NOBODY = Author("system", "", "")


@dataclass(slots=True)
class News:
    """Some of what the index lacks, and the marks once it has it."""

    added: list[Document] = field(default_factory=list)
    deleted: list[Key] = field(default_factory=list)
    marks: list[tuple[int, int, int]] = field(default_factory=list)
    """(chat_pk, seq, internal_seq)"""


def read_news(driver: Driver, chats: list[int] | None, limit: int = BATCH_EVENTS) -> News:
    """The next news of these chats, or of all, about `limit` events; without marks if there are none."""
    news = News()
    lagging = lagging_chats(driver, chats)
    authors = authors_in(driver, [chat.pk for chat in lagging])
    room = limit
    for chat in lagging:
        if room <= 0:
            break
        public = read_stream(driver, news, chat, authors, PUBLIC, room)
        internal = read_stream(driver, news, chat, authors, INTERNAL, room)
        room -= public - chat.seq + internal - chat.internal_seq
        news.marks.append((chat.pk, public, internal))
    return news


def lagging_chats(driver: Driver, chats: list[int] | None) -> list[Lagging]:
    if chats is None:
        found = driver.rows(f"{LAGGING} ORDER BY c.pk LIMIT ?", BATCH_CHATS)
    else:
        found = driver.rows(f"{LAGGING} AND c.pk IN_LIST LIMIT ?", driver.list_param(chats), BATCH_CHATS)
    return [Lagging(*row) for row in found]


def authors_in(driver: Driver, chats: list[int]) -> dict[str, Author]:
    return {id: Author(*who) for id, *who in driver.rows(AUTHORS, driver.list_param(chats))} if chats else {}


def read_stream(driver: Driver, news: News, chat: Lagging, authors: dict[str, Author], stream: int, limit: int) -> int:
    """Puts a stream's next events into the news. Returns the seq that it has come to."""
    mark, head = (chat.seq, chat.head) if stream == PUBLIC else (chat.internal_seq, chat.internal_head)
    if mark >= head:
        return mark
    events = journal.read_after(driver, chat.pk, stream, mark, limit)
    for event in events:
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


def count_behind(driver: Driver) -> int:
    """How many events the index lacks."""
    row = driver.row(BEHIND)
    return int(row[0]) if row else 0


def read_edition(driver: Driver) -> Edition | None:
    """The edition of the index that the marks belong to."""
    row = driver.row("SELECT seq, internal_seq FROM index_mark WHERE chat_pk = ?", NO_CHAT)
    return Edition(*row) if row else None


def read_marks(driver: Driver) -> dict[tuple[int, int], int]:
    """(chat_pk, stream) → the last seq that the index may have."""
    marks = {}
    for pk, seq, internal_seq in driver.rows("SELECT chat_pk, seq, internal_seq FROM index_mark"):
        marks[pk, PUBLIC], marks[pk, INTERNAL] = seq, internal_seq
    return marks


def save_marks(transaction: Transaction, marks: list[tuple[int, int, int]], edition: Edition) -> None:
    transaction.driver.run_many(SAVE_MARK, [*marks, (NO_CHAT, *edition)])


def forget_marks(transaction: Transaction, edition: Edition) -> None:
    """A new index has nothing yet."""
    transaction.driver.run("DELETE FROM index_mark")
    save_marks(transaction, [], edition)
