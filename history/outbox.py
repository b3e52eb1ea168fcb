"""Durable things to do: put in by the transaction that causes them, claimed with a lease, settled once.

    ready -> leased -> started -> sent | uncertain | failed | dead
    ready, leased -> cancelled        leased, started -> ready (later)

Every change is one conditional UPDATE on the old state and lease; no row touched: somebody else decided.
Called by `journal.py` and `mail/worker.py`. All functions work in the caller's transaction and never commit.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, case, select, update
from sqlmodel import SQLModel

from history.db import Driver, Transaction
from history.mail.addresses import new_bounce_token
from history.mail.tables import Attempt
from history.models import PUBLIC
from history.times import HOUR_MS, MINUTE_MS, new_id

LEASE_MS = MINUTE_MS
"""How long a worker may take from the claim to the fence."""

SENDING_LEASE_MS = 15 * MINUTE_MS
"""From the fence to the answer: the waits of RFC 5321 4.5.3.2 for DATA, body and final dot."""

MOST_ATTEMPTS = 12
RETRY_DELAYS_MS = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS)
LONGEST_DELAY_MS = 24 * HOUR_MS
JITTER_PART = 0.2

ITEM = SQLModel.metadata.tables["outbox_item"]
CHAT = SQLModel.metadata.tables["chat"]
LAST_THREAD_CLOSED = (CHAT.c.pk == ITEM.c.chat_pk) & (CHAT.c.thread == ITEM.c.thread) & (CHAT.c.status == "closed")

REFUSALS, LASTING_REFUSALS = range(400, 600), range(500, 600)
"""Codes of answers (RFC 5321 4.2.1)."""

UNSETTLED = {"leased", "started", "uncertain"}

Fate = Literal["sent", "uncertain", "failed", "later"]


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """What the log needs to know about mails: the time from a thread's close to its transcript going out, in
    milliseconds, and the domain of our Message-IDs."""

    settle_ms: int
    domain: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An outbox item in the hands of the worker `owner`, as it was when claimed."""

    id: str
    chat_pk: int
    thread: int
    recipient: str
    locale: str
    time_zone: str
    message_id: str
    attempts: int
    """This try included."""
    lease_owner: str
    rendered_rev: int | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Result:
    """How far a try came: `phase` as in `Attempt.phase`, with the other side's last code and words."""

    phase: str
    code: int | None = None
    answer: str = ""

    @property
    def fate(self) -> Fate:
        """What a try means for its item. After the final dot, only a clear answer tells."""
        if self.phase == "done":
            return "sent"
        if self.phase == "dot" and self.code not in REFUSALS:
            return "uncertain"
        refused_for_good = self.phase in {"rcpt", "data", "body", "dot"} and self.code in LASTING_REFUSALS
        return "failed" if self.phase == "render" or refused_for_good else "later"


def put_transcript(transaction: Transaction, policy: MailPolicy, chat_pk: int, thread: int) -> None:
    """Queues the transcript of a thread that this transaction closes and whose events it has stored.

    Nothing is queued twice, without an address, or before an agent has written: a typed address proves
    nothing, and chatting alone must not send mail to strangers.
    """
    driver = transaction.driver
    customer = driver.row(
        "SELECT customer.email, customer.email_proof, customer.network, customer.locale, customer.time_zone FROM chat "
        "JOIN customer ON customer.id = chat.customer_id WHERE chat.pk = ?",
        chat_pk,
    )
    if customer is None or not customer[0] or not agent_has_written(driver, chat_pk, thread):
        return
    recipient, proof, network, locale, time_zone = customer
    driver.run(
        "INSERT INTO outbox_item (id, kind, chat_pk, thread, dedup_key, recipient, recipient_hash, domain, proof, "
        "network, locale, time_zone, message_id, bounce_token, state, reason, created_ms, due_ms, attempts) "
        "VALUES (?, 'transcript', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'ready', '', ?, ?, 0) "
        "ON CONFLICT (dedup_key) DO NOTHING",
        new_id(),
        chat_pk,
        thread,
        f"transcript:{chat_pk}:{thread}:{recipient_hash(recipient)}",
        recipient,
        recipient_hash(recipient),
        recipient.rpartition("@")[2].lower(),
        proof,
        network,
        locale,
        time_zone,
        f"<transcript.{secrets.token_hex(10)}@{policy.domain}>",
        new_bounce_token(),
        transaction.now_ms,
        transaction.now_ms + policy.settle_ms,
    )


def agent_has_written(driver: Driver, chat_pk: int, thread: int) -> bool:
    return (
        driver.row(
            'SELECT 1 FROM event JOIN participant ON participant.id = event."by" '
            "WHERE event.chat_pk = ? AND event.stream = ? AND event.thread = ? AND event.kind = 'message' "
            "AND participant.role = 'agent' LIMIT 1",
            chat_pk,
            PUBLIC,
            thread,
        )
        is not None
    )


def recipient_hash(recipient: str) -> str:
    return hashlib.sha256(recipient.lower().encode()).hexdigest()[:16]


def cancel_for_chat(transaction: Transaction, chat_pk: int, reason: str) -> None:
    """Withdraws what is queued for a chat and has not begun to go out."""
    transaction.driver.run(
        "UPDATE outbox_item SET state = 'cancelled', reason = ?, done_ms = ?, body = NULL "
        "WHERE chat_pk = ? AND state IN ('ready', 'leased')",
        reason,
        transaction.now_ms,
        chat_pk,
    )


def drop_bodies(transaction: Transaction, chat_pk: int) -> None:
    """Forgets what was rendered of a chat that says something else now; what is still to go out is rendered anew."""
    transaction.driver.run("UPDATE outbox_item SET body = NULL WHERE chat_pk = ? AND body IS NOT NULL", chat_pk)


def next_due_ms(driver: Driver) -> int | None:
    """When there is something to do next: an item due, or a lease that runs out."""
    row = driver.row(
        "SELECT MIN(CASE WHEN state = 'ready' THEN due_ms ELSE lease_until_ms END) FROM outbox_item "
        "WHERE state IN ('ready', 'leased', 'started')"
    )
    return None if row is None else row[0]


def recover(transaction: Transaction, now_ms: int) -> None:
    """Takes items from workers whose lease ran out. What may have gone out is never sent again by itself."""
    started, worn_out = ITEM.c.state == "started", ITEM.c.attempts >= MOST_ATTEMPTS
    ran_out = ITEM.c.state.in_(["leased", "started"]) & (ITEM.c.lease_until_ms <= now_ms)
    transaction.connection.execute(
        update(ITEM)
        .where(ran_out)
        .values(
            state=case((started, "uncertain"), (worn_out, "dead"), else_="ready"),
            reason=case((started, "the worker was lost while sending"), else_="the worker was lost"),
            done_ms=case((started | worn_out, now_ms), else_=None),
        )
    )


def claim(transaction: Transaction, owner: str, now_ms: int, limit: int) -> list[Claim]:
    """Up to `limit` due items, oldest first, leased to `owner`. Two workers never get the same one."""
    due = (
        select(ITEM.c.id)
        .where(ITEM.c.state == "ready", ITEM.c.due_ms <= now_ms)
        .order_by(ITEM.c.due_ms)
        .limit(limit)
        .with_for_update(skip_locked=True)  # PostgreSQL; on SQLite the writer holds the only write lock
        .cte("due")
    )
    rows = transaction.connection.execute(
        update(ITEM)
        .where(ITEM.c.id.in_(select(due.c.id)))
        .values(
            state="leased",
            lease_owner=owner,
            lease_until_ms=now_ms + LEASE_MS,
            attempts=ITEM.c.attempts + 1,
        )
        .returning(ITEM)
    )
    return [claim_of(row) for row in sorted(rows, key=lambda row: row.due_ms)]


def claim_of(row: Row[Any]) -> Claim:
    return Claim(**{name: getattr(row, name) for name in Claim.__dataclass_fields__})


def keep_body(transaction: Transaction, claim: Claim, body: bytes, rendered_rev: int) -> bool:
    """Stores the mail as rendered when the chat's head was `rendered_rev`."""
    return move(transaction, claim, {"leased"}, body=body, rendered_rev=rendered_rev)


def start(transaction: Transaction, claim: Claim, now_ms: int) -> bool:
    """The fence, just before the body goes out: the point of no return.

    False if the lease is gone, the thread is not the closed last one any more, or the chat says something
    else than the mail. A reopen that commits first wins.
    """
    still_true = select(CHAT.c.pk).where(LAST_THREAD_CLOSED, CHAT.c.head == ITEM.c.rendered_rev).exists()
    return move(
        transaction,
        claim,
        {"leased"},
        (ITEM.c.lease_until_ms > now_ms) & still_true,
        state="started",
        started_ms=now_ms,
        lease_until_ms=now_ms + SENDING_LEASE_MS,
    )


def give_back(transaction: Transaction, claim: Claim, now_ms: int) -> bool:
    """Undoes a claim that the fence refused. The next renders anew, unless the thread was reopened."""
    closed = select(CHAT.c.pk).where(LAST_THREAD_CLOSED).exists()
    return move(
        transaction,
        claim,
        {"leased"},
        state=case((closed, "ready"), else_="cancelled"),
        done_ms=case((closed, None), else_=now_ms),
        body=None,
    )


def settle(transaction: Transaction, claim: Claim, result: Result, now_ms: int, jitter: float) -> bool:
    """Records a try and what follows from it. `jitter` is a random number from -1 to 1.

    An answer that comes after the lease ran out still settles an uncertain item.
    """
    transaction.db.add(
        Attempt(
            item_id=claim.id,
            number=claim.attempts,
            at_ms=now_ms,
            phase=result.phase,
            code=result.code,
            answer=result.answer,
        )
    )
    if result.fate != "later":
        return finish(transaction, claim, result.fate, result.answer, now_ms)
    if claim.attempts >= MOST_ATTEMPTS:
        return finish(transaction, claim, "dead", result.answer, now_ms)
    return move(
        transaction,
        claim,
        UNSETTLED,
        state="ready",
        reason=result.answer,
        due_ms=now_ms + retry_delay_ms(claim.attempts, jitter),
        started_ms=None,
        done_ms=None,
    )


def finish(transaction: Transaction, claim: Claim, state: str, answer: str, now_ms: int) -> bool:
    """The item's last state. Its bytes, a key to the chat, stay only while the outcome is unknown."""
    reason = "" if state == "sent" else answer
    body = ITEM.c.body if state == "uncertain" else None
    return move(transaction, claim, UNSETTLED, state=state, reason=reason, body=body, done_ms=now_ms)


def retry_delay_ms(attempts: int, jitter: float) -> int:
    """1, 5, 15, 60 minutes after the first tries, then doubling up to a day; `jitter` as in `settle`."""
    beyond = max(0, attempts - len(RETRY_DELAYS_MS))
    delay_ms = RETRY_DELAYS_MS[min(attempts, len(RETRY_DELAYS_MS)) - 1] << beyond
    return int(min(delay_ms, LONGEST_DELAY_MS) * (1 + JITTER_PART * jitter))


def move(
    transaction: Transaction,
    claim: Claim,
    states: set[str],
    condition: ColumnElement[bool] | None = None,
    **values: Any,
) -> bool:
    """Changes the item if it is in one of `states` and still the claim's. False if somebody else decided."""
    ours = (ITEM.c.id == claim.id) & ITEM.c.state.in_(states) & (ITEM.c.lease_owner == claim.lease_owner)
    where = ours if condition is None else ours & condition
    return transaction.connection.execute(update(ITEM).where(where).values(**values)).rowcount == 1
