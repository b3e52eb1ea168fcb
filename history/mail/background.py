"""What mails are about, as one snapshot of the record has it: read for many at once, as each question is a journey to
the database, and mails come in crowds. Called by the worker.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from history.db import Driver
from history.outbox import Claim, was_too_large
from history.transcript import Transcript, load_transcripts

SIZES = "SELECT pk, head FROM chat WHERE pk IN_LIST"
READ = "SELECT chat_pk, read FROM participant WHERE chat_pk IN_LIST AND role = 'customer'"
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


def short_enough(driver: Driver, claims: Sequence[Claim], most_events: int) -> list[Claim]:
    """The items whose chats have no more events than that together, those of long chats left out."""
    sizes = dict(driver.rows(SIZES, driver.list_param([claim.chat_pk for claim in claims])))
    chosen, events = [], 0
    for claim in claims:
        if events + sizes[claim.chat_pk] <= most_events:
            events += sizes[claim.chat_pk]
            chosen.append(claim)
    return chosen


def read_backgrounds(driver: Driver, claims: Sequence[Claim]) -> list[Background]:
    """That of each item, in their order."""
    chat_pks = sorted({claim.chat_pk for claim in claims})
    transcripts = load_transcripts(driver, chat_pks)
    chats = driver.list_param(chat_pks)
    read = dict(driver.rows(READ, chats))
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


def by_chat(rows: Sequence[Any]) -> dict[int, list[Any]]:
    """Rows that begin with their chat's pk, by it."""
    grouped: dict[int, list[Any]] = defaultdict(list)
    for chat_pk, *row in rows:
        grouped[chat_pk].append(row)
    return grouped
