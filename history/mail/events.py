"""What is heard of a mail after its last attempt, and to whom nothing is sent because of it.

Called by whoever reads bounces, reports and complaints, and by the desk; asked before a mail is queued. All functions
work in the caller's transaction.
"""

from collections.abc import Collection
from typing import Literal

from history.db import Driver, Transaction
from history.mail.tables import MailEvent

EventKind = Literal["bounce", "delay", "success", "complaint", "manual"]

ALL_MAILS = "all"
"""The scope of a suppression that holds for every mail to a recipient."""

SUPPRESS = (
    "INSERT INTO mail_suppression (recipient_hash, scope, reason, since_ms, until_ms) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (recipient_hash, scope) DO UPDATE SET reason = excluded.reason, until_ms = excluded.until_ms"
)
FIND_SUPPRESSION = (
    "SELECT reason FROM mail_suppression WHERE recipient_hash = ? AND scope IN (?, ?) "
    "AND (until_ms IS NULL OR until_ms > ?) LIMIT 1"
)
SUPPRESSIONS = (
    "SELECT recipient_hash, scope, reason FROM mail_suppression WHERE recipient_hash IN_LIST "
    "AND (until_ms IS NULL OR until_ms > ?)"
)
CONFIRM_SENT = (
    "UPDATE outbox_item SET state = 'sent', reason = '', body = NULL, done_ms = ? WHERE id = ? AND state = 'uncertain'"
)


def record_event(transaction: Transaction, item_id: str, kind: EventKind, status: str = "", detail: str = "") -> None:
    """Notes what was heard of an outbox item. A success settles one whose outcome is uncertain.

    `status` is the enhanced status code (RFC 3463) or the feedback type (RFC 5965), `detail` the other side's words.
    """
    event = MailEvent(item_id=item_id, kind=kind, at_ms=transaction.now_ms, status=status, detail=detail)
    transaction.db.add(event)
    if kind == "success":
        transaction.driver.run(CONFIRM_SENT, transaction.now_ms, item_id)


def suppress(
    transaction: Transaction, recipient_hash: str, reason: str, *, scope: str = ALL_MAILS, until_ms: int | None = None
) -> None:
    """Nothing of this scope goes to the recipient until then; for ever if no time is given."""
    transaction.driver.run(SUPPRESS, recipient_hash, scope, reason, transaction.now_ms, until_ms)


def away_scope(chat_pk: int) -> str:
    """The scope of the away mails of one chat."""
    return f"away:{chat_pk}"


def scope_of(kind: str, chat_pk: int) -> str:
    """The narrowest scope that an outbox item of this kind falls under."""
    return away_scope(chat_pk) if kind == "away" else ALL_MAILS


def suppressed(driver: Driver, recipient_hash: str, now_ms: int, scope: str = ALL_MAILS) -> str | None:
    """Why nothing of this scope goes to the recipient now; None if it may."""
    row = driver.row(FIND_SUPPRESSION, recipient_hash, ALL_MAILS, scope, now_ms)
    return row and row[0]


def suppressions(driver: Driver, recipient_hashes: Collection[str], now_ms: int) -> dict[tuple[str, str], str]:
    """(recipient, scope) → why nothing of the scope goes there now, of all these recipients."""
    rows = driver.rows(SUPPRESSIONS, driver.list_param(sorted(set(recipient_hashes))), now_ms)
    return {(recipient_hash, scope): reason for recipient_hash, scope, reason in rows}
