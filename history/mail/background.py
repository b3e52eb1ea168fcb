"""What mails are about, as one snapshot of the record has it: read for many at once, as each question is a journey to
the database, and mails come in crowds. Called by the worker.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from history.db import Driver
from history.events import EVENT_COLUMNS, EventRow
from history.models import GENESIS_HASH, PUBLIC
from history.outbox import Claim, was_too_large
from history.transcript import Entry, Person, Transcript, entry_of, hash_before

CHATS = (
    "SELECT chat.pk, chat.id, chat.head, customer.name FROM chat JOIN customer ON customer.id = chat.customer_id "
    "WHERE chat.pk IN_LIST"
)
PEOPLE = "SELECT chat_pk, id, role, name, read FROM participant WHERE chat_pk IN_LIST ORDER BY joined_ms, id"
EVENTS = f"SELECT {EVENT_COLUMNS} FROM event WHERE chat_pk IN_LIST AND stream = {PUBLIC} ORDER BY chat_pk, seq"  # noqa: S608
SENT = (
    "SELECT chat_pk, id, kind, message_id, recipient_hash FROM outbox_item "
    "WHERE chat_pk IN_LIST AND state = 'sent' AND kind NOT IN ('confirm', 'code') ORDER BY done_ms DESC"
)
ANSWERED = (
    "SELECT chat_pk, message_id FROM mail_inbound WHERE chat_pk IN_LIST AND verdict = 'answer' AND message_id <> '' "
    "ORDER BY received_ms"
)


class SentMail(NamedTuple):
    """A mail about the chat that has gone out."""

    id: str
    kind: str
    message_id: str
    recipient_hash: str


@dataclass(frozen=True, slots=True)
class Background:
    """What a mail is about: its chat, and up to where the customer has read it; the chat's mails that have gone out,
    newest first; the Message-ID of the customer's last answer by mail, if there is one; and whether a server has
    refused this mail for its size."""

    transcript: Transcript
    read: int
    sent: Sequence[SentMail]
    answered: str
    was_too_large: bool


def read_backgrounds(driver: Driver, claims: Sequence[Claim]) -> list[Background]:
    """That of each item, in their order."""
    chats = driver.list_param(sorted({claim.chat_pk for claim in claims}))
    transcripts, read = read_transcripts(driver, chats)
    sent = by_chat(driver.rows(SENT, chats))
    answered = dict(driver.rows(ANSWERED, chats))
    return [
        Background(
            transcripts[claim.chat_pk],
            read.get(claim.chat_pk, 0),
            [mail for mail in map(SentMail._make, sent[claim.chat_pk]) if mail.id != claim.id],
            answered.get(claim.chat_pk, ""),
            claim.attempts > 1 and was_too_large(driver, claim.id),
        )
        for claim in claims
    ]


def read_transcripts(driver: Driver, chats: Any) -> tuple[dict[int, Transcript], dict[int, int]]:
    """The whole of the chats, and up to where their customers have read them; by the chats' pk."""
    people: dict[int, dict[str, Person]] = defaultdict(dict)
    read: dict[int, int] = {}
    for chat_pk, id, role, name, seq in driver.rows(PEOPLE, chats):
        people[chat_pk][id] = Person(id, role, name)
        if role == "customer":
            read.setdefault(chat_pk, seq)
    entries: dict[int, list[Entry]] = defaultdict(list)
    for event in map(EventRow._make, driver.rows(EVENTS, chats)):
        entries[event.chat_pk].append(entry_of(event, people[event.chat_pk]))
    transcripts = {}
    for pk, id, head, customer in driver.rows(CHATS, chats):
        its = entries[pk]
        previous = hash_before(driver, pk, its[0].seq) if its else GENESIS_HASH
        transcripts[pk] = Transcript(id, None, customer, tuple(people[pk].values()), previous, head, tuple(its))
    return transcripts, read


def by_chat(rows: Sequence[Any]) -> dict[int, list[Any]]:
    """Rows that begin with their chat's pk, by it."""
    grouped: dict[int, list[Any]] = defaultdict(list)
    for chat_pk, *row in rows:
        grouped[chat_pk].append(row)
    return grouped
