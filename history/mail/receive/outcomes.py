"""What follows from a report about one of our mails: it is noted with the mail, agents are told, and an address that is
gone, full again and again, or whose owner complained gets no more mails. Called by `receiver.py`; works in the caller's
transaction and never commits.

A report is believed only if it names our mail by its envelope's token or its Message-ID, which only those who had the
mail know; what it says of another recipient, or a month late, is noted and changes nothing.
"""

import hashlib
import logging
import re

from history.db import Driver, Transaction
from history.mail.addresses import find_bounced
from history.mail.events import record_event, suppress
from history.mail.receive.answers import tell_agents
from history.mail.receive.reading import ReadMail
from history.mail.receive.reports import Report
from history.outbox import MailPolicy, recipient_hash
from history.times import DAY_MS, new_id

NOTE_REPORT = (
    "INSERT INTO mail_inbound (id, dedup_key, chat_pk, item_id, verdict, reason, sender, message_id, received_ms) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (dedup_key) DO NOTHING"
)
BY_MESSAGE_ID = "SELECT id FROM outbox_item WHERE message_id = ?"
ITEM = (
    "SELECT c.pk, c.id, i.recipient, i.recipient_hash, coalesce(i.done_ms, i.created_ms) FROM outbox_item i "
    "JOIN chat c ON c.pk = i.chat_pk WHERE i.id = ?"
)
PASSING = (
    "SELECT count(DISTINCT e.item_id) FROM mail_event e JOIN outbox_item i ON i.id = e.item_id WHERE e.kind = 'bounce' "
    "AND i.recipient_hash = ? AND e.at_ms > ? AND (e.status = '5.2.2' OR substr(e.status, 1, 2) = '4.')"
)

ADDRESS_IS_GONE = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""Statuses (RFC 3463) that are about the recipient's address itself; 5.1.7 and 5.1.8 are about the sender's."""

POLICY = re.compile(r"5\.7\.")
BELIEVED_DAYS = 30
PASSING_COUNT, PASSING_DAYS, REST_DAYS = 3, 30, 14
"""So many failures that may pass, of different mails within so many days, and an address rests for so many."""

log = logging.getLogger("stillhere.mail")


def take_report(
    transaction: Transaction, policy: MailPolicy, mail: ReadMail, report: Report, envelope: tuple[str, ...]
) -> str:
    """Notes the report and does what follows from it; returns what it was taken for. `envelope` are the addresses that
    the report came to.
    """
    item_id = find_item(transaction.driver, report, envelope)
    if item_id is None:
        log.warning("a %s that names none of our mails changes nothing", report.kind)
        return "unknown"
    ((chat_pk, chat_id, recipient, hash, sent_ms),) = transaction.driver.rows(ITEM, item_id)
    said = (item_id, report.kind, report.status, report.detail, mail.message_id, mail.text)
    key = hashlib.sha256("\0".join(said).encode()).hexdigest()
    noted = (new_id(), key, chat_pk, item_id, report.kind, report.status, mail.sender, mail.message_id)
    if not transaction.driver.run(NOTE_REPORT, *noted, transaction.now_ms):
        return "duplicate"
    record_event(transaction, item_id, report.kind, report.status, report.detail)
    transaction.db.flush()
    is_about_it = not report.recipients or hash in map(recipient_hash, report.recipients)
    if is_about_it and transaction.now_ms - sent_ms < BELIEVED_DAYS * DAY_MS:
        told = follow(transaction, report, recipient, hash)
        if told:
            tell_agents(transaction, policy, chat_pk, chat_id, told)
    return report.kind


def find_item(driver: Driver, report: Report, envelope: tuple[str, ...]) -> str | None:
    """Which of our mails it is about; None if it does not prove that."""
    for text in (*envelope, *report.tokens):
        if item_id := find_bounced(driver, text):
            return item_id
    for message_id in report.message_ids:
        if row := driver.row(BY_MESSAGE_ID, message_id):
            return str(row[0])
    return None


def follow(transaction: Transaction, report: Report, recipient: str, hash: str) -> str:
    """Suppresses what must not be written to any more. Returns what agents are told, empty if nothing."""
    if report.kind == "complaint":
        suppress(transaction, hash, f"complaint: {report.status}")
        return f"{recipient} reported our mail as unwanted. No more mails go there."
    if report.kind != "bounce":
        return ""
    said = f"The mail to {recipient} came back: {' '.join(filter(None, (report.status, report.detail))) or 'no reason'}"
    if report.status in ADDRESS_IS_GONE:
        suppress(transaction, hash, f"bounce: {report.status}")
        return f"{said}. No more mails go there."
    if POLICY.match(report.status):
        log.error("a receiver refuses our mails (%s): %s", report.status, report.detail)
    elif fails_again(transaction, hash):
        suppress(transaction, hash, "bounces", until_ms=transaction.now_ms + REST_DAYS * DAY_MS)
        return f"{said}. It was not the first time, so no mails go there for {REST_DAYS} days."
    return f"{said}."


def fails_again(transaction: Transaction, hash: str) -> bool:
    row = transaction.driver.row(PASSING, hash, transaction.now_ms - PASSING_DAYS * DAY_MS)
    return bool(row and row[0] >= PASSING_COUNT)
