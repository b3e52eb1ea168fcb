"""A chat, or one thread of it, as a value at one moment. Read by routes and the mail worker, in one snapshot.

Holds the public stream only. How it looks is decided in `transcript_layout.py` and `transcript_formats.py`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from history.db import Driver
from history.errors import NotFound
from history.events import EVENT_COLUMNS, EventRow, digest_of
from history.models import GENESIS_HASH, PUBLIC


@dataclass(frozen=True, slots=True)
class Person:
    """A participant. `role` is customer, agent, bot or system."""

    id: str
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and who did it. `digest` is that of the data as first stored, also after a redaction."""

    seq: int
    kind: str
    id: str
    by: Person
    thread: int
    at_ms: int
    data: Mapping[str, Any]
    digest: str
    salt: str
    hash: str

    @property
    def redacted(self) -> bool:
        return self.data.get("redacted") is True


@dataclass(frozen=True, slots=True)
class Transcript:
    """`thread` is null for the whole chat. `previous` is the hash before the first entry."""

    chat_id: str
    thread: int | None
    customer: str
    people: tuple[Person, ...]
    previous: str
    head: int
    """The chat's head at that moment, also where the transcript is of an older thread."""
    entries: tuple[Entry, ...]


CHATS = (
    "SELECT chat.pk, chat.id, chat.head, customer.name FROM chat JOIN customer ON customer.id = chat.customer_id "
    "WHERE chat.pk IN_LIST"
)
PEOPLE = "SELECT chat_pk, id, role, name FROM participant WHERE chat_pk IN_LIST ORDER BY joined_ms, id"
EVENTS = (
    f"SELECT {EVENT_COLUMNS} FROM event WHERE chat_pk IN_LIST AND stream = {PUBLIC} "  # noqa: S608
    "AND thread = coalesce(?, thread) ORDER BY chat_pk, seq"
)


def load_transcript(driver: Driver, chat_pk: int, thread: int | None = None) -> Transcript:
    """The transcript of a chat or of one of its threads. Raises NotFound when there is none."""
    transcript = load_transcripts(driver, [chat_pk], thread).get(chat_pk)
    if transcript is None:
        raise NotFound("There is no such chat")
    if thread is not None and not transcript.entries:
        raise NotFound("The chat has no such part")
    return transcript


def load_transcripts(driver: Driver, chat_pks: Sequence[int], thread: int | None = None) -> dict[int, Transcript]:
    """Those of many chats at once, by their chat's pk."""
    chats = driver.list_param(chat_pks)
    people: dict[int, dict[str, Person]] = defaultdict(dict)
    for chat_pk, id, role, name in driver.rows(PEOPLE, chats):
        people[chat_pk][id] = Person(id, role, name)
    entries: dict[int, list[Entry]] = defaultdict(list)
    for event in map(EventRow._make, driver.rows(EVENTS, chats, thread)):
        entries[event.chat_pk].append(entry_of(event, people[event.chat_pk]))
    transcripts = {}
    for pk, id, head, customer in driver.rows(CHATS, chats):
        its = tuple(entries[pk])
        previous = hash_before(driver, pk, its[0].seq) if its else GENESIS_HASH
        transcripts[pk] = Transcript(id, thread, customer, tuple(people[pk].values()), previous, head, its)
    return transcripts


def hash_before(driver: Driver, chat_pk: int, seq: int) -> str:
    if seq == 1:
        return GENESIS_HASH
    row = driver.row("SELECT hash FROM event WHERE chat_pk = ? AND stream = ? AND seq = ?", chat_pk, PUBLIC, seq - 1)
    return GENESIS_HASH if row is None else row[0]


def entry_of(event: EventRow, people: Mapping[str, Person]) -> Entry:
    return Entry(
        seq=event.seq,
        kind=event.kind,
        id=event.id,
        by=people.get(event.by) or Person(event.by, "system", ""),
        thread=event.thread,
        at_ms=event.at_ms,
        data=orjson.loads(event.data),
        digest=event.digest or digest_of(event.data),
        salt=event.salt,
        hash=event.hash,
    )
