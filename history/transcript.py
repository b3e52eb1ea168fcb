"""A chat, or one thread of it, as a value at one moment. Read by routes and the mail worker, in one snapshot.

Holds the public stream only. How it looks is decided in `transcript_layout.py` and `transcript_formats.py`.
"""

from collections.abc import Mapping
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


def load_transcript(driver: Driver, chat_pk: int, thread: int | None = None) -> Transcript:
    """The transcript of a chat or of one of its threads. Raises NotFound when there is none."""
    chat = driver.row(
        "SELECT chat.id, chat.head, customer.name FROM chat JOIN customer ON customer.id = chat.customer_id "
        "WHERE chat.pk = ?",
        chat_pk,
    )
    if chat is None:
        raise NotFound("There is no such chat")
    chat_id, head, customer = chat
    people = load_people(driver, chat_pk)
    entries = tuple(entry_of(event, people) for event in load_events(driver, chat_pk, thread))
    if thread is not None and not entries:
        raise NotFound("The chat has no such part")
    previous = hash_before(driver, chat_pk, entries[0].seq) if entries else GENESIS_HASH
    return Transcript(chat_id, thread, customer, tuple(people.values()), previous, head, entries)


def load_people(driver: Driver, chat_pk: int) -> dict[str, Person]:
    rows = driver.rows(
        "SELECT id, role, name FROM participant WHERE chat_pk = ? ORDER BY joined_ms, id",
        chat_pk,
    )
    return {id: Person(id, role, name) for id, role, name in rows}


def load_events(driver: Driver, chat_pk: int, thread: int | None) -> list[EventRow]:
    of_thread, params = ("", ()) if thread is None else ("AND thread = ?", (thread,))
    rows = driver.rows(
        f"SELECT {EVENT_COLUMNS} FROM event WHERE chat_pk = ? AND stream = ? {of_thread} ORDER BY seq",  # noqa: S608
        chat_pk,
        PUBLIC,
        *params,
    )
    return [EventRow(*row) for row in rows]


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
