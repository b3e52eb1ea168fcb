"""Erasing: what people have said is taken out of the record, and what is left tells only that it was erased.

Called by the `stillhere erase` command, as the writer's job: one transaction, all or nothing. Every event keeps its
place, digest and salt, so the chain still holds; the chat's row stays, with its floor at the head, so that whoever
comes back can be told for ever. Mails that are out, and files that were made of chats, are beyond reach.
"""

from dataclasses import dataclass
from typing import NamedTuple

from history import chats, journal
from history.access import LIVES, Place, service_place
from history.batch import Batch
from history.change import Change
from history.db import Transaction
from history.errors import Erased, NotFound
from history.events import canonical
from history.memory import Memory
from history.models import INTERNAL, PUBLIC
from history.times import new_id

RAISE_FLOOR = "UPDATE chat SET floor = head, subject = NULL, page = NULL, last_agent_id = NULL WHERE pk = ?"
WIPE_THREADS = "UPDATE thread SET comment = NULL, closed_ms = coalesce(closed_ms, ?) WHERE chat_pk = ?"
WIPE_NAMES = "UPDATE participant SET name = '' WHERE chat_pk = ? AND name <> ''"
WITHDRAW_MAILS = (
    "UPDATE outbox_item SET state = 'cancelled', done_ms = ? "
    "WHERE chat_pk = ? AND state IN ('held', 'ready', 'leased', 'started', 'uncertain')"
)
WIPE_MAILS = (
    "UPDATE outbox_item SET recipient = '', recipient_hash = '', domain = '', network = '', reason = 'erased', "
    "body = NULL, dedup_key = id, secret_hash = NULL WHERE chat_pk = ?"
)
WIPE_ANSWERS = "UPDATE attempt SET answer = '' WHERE item_id IN (SELECT id FROM outbox_item WHERE chat_pk = ?)"
WIPE_HEARD = "UPDATE mail_event SET detail = '' WHERE item_id IN (SELECT id FROM outbox_item WHERE chat_pk = ?)"
REVOKE_REPLIES = (
    "UPDATE mail_reply_token SET revoked_ms = coalesce(revoked_ms, ?), recipient_hash = '' WHERE chat_pk = ?"
)
WIPE_INBOUND = "UPDATE mail_inbound SET sender = '', message_id = '', reason = '', raw = NULL WHERE chat_pk = ?"
END_LINKS = "UPDATE link SET expires_ms = ? WHERE chat_id = ? AND used_ms IS NULL AND expires_ms > ?"
WIPE_DEVICES = "UPDATE session SET device = '' WHERE chat_id = ?"
WIPE_CUSTOMER = (
    "UPDATE customer SET name = '', email = NULL, email_proof = 'typed', network = '', "  # noqa: S608
    "locale = 'en', time_zone = 'UTC' "
    "WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chat WHERE customer_id = customer.id AND "
    f"{LIVES})"
)
"""Whoever has no other chat is nobody to us any more."""


class Erasing(NamedTuple):
    """The service erases the chat; names it to the batch that locks it."""

    place: Place


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure has taken away: how many events lost their data, participants their names; how many mails were
    withdrawn, and how many links were ended."""

    events: int
    names: int
    mails: int
    links: int


def erase_chat(transaction: Transaction, chat_id: str) -> Receipt:
    """Erases a chat for ever. Raises NotFound, and Erased when it was so already.

    Whoever follows the chat is told that it was erased, and gets none of the events that this writes.
    """
    driver, now_ms = transaction.driver, transaction.now_ms
    found = driver.row("SELECT pk FROM chat WHERE id = ?", chat_id)
    if found is None:
        raise NotFound(f"There is no chat {chat_id}")
    place = service_place(found[0], chat_id)
    change = Batch(transaction, [Erasing(place)], Memory()).changes[place.chat_pk]
    if change.row.erased:
        raise Erased(f"The chat {chat_id} was erased already")
    write_last_events(change, place, now_ms)
    journal.save_changes(transaction, [change])
    transaction.commits[-1] = transaction.commits[-1]._replace(events=())
    pk = place.chat_pk
    events = journal.redact_all(driver, pk)
    driver.run(RAISE_FLOOR, pk)
    driver.run(WIPE_THREADS, now_ms, pk)
    names = driver.run(WIPE_NAMES, pk)
    mails = driver.run(WITHDRAW_MAILS, now_ms, pk)
    driver.run(WIPE_ANSWERS, pk)
    driver.run(WIPE_HEARD, pk)
    driver.run(WIPE_MAILS, pk)
    driver.run(REVOKE_REPLIES, now_ms, pk)
    driver.run(WIPE_INBOUND, pk)
    links = driver.run(END_LINKS, now_ms, chat_id, now_ms)
    driver.run(WIPE_DEVICES, chat_id)
    driver.run(WIPE_CUSTOMER, change.row.customer_id)
    return Receipt(events, names, mails, links)


def write_last_events(change: Change, place: Place, now_ms: int) -> None:
    """The chat ends, and a redaction that names no event, as it means all, is the last of each stream: followers of
    the log, such as the index, find in it that what they have is to go."""
    if change.row.status != "closed":
        chats.close(change, place, new_id(), now_ms, "erased")
    for stream, head in ((PUBLIC, change.row.head), (INTERNAL, change.row.internal_head)):
        if head:
            change.append("redact", place.participant, new_id(), canonical({"reason": "erased"}), now_ms, stream)
    change.touch()
