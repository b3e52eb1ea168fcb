"""Durable things to do: put in by the transaction that causes them, claimed with a lease, settled once.

    held -> ready -> leased -> started -> sent | uncertain | failed | dead
    held, ready, leased -> cancelled    leased, started -> ready (later)
    uncertain -> sent | ready (`mail/doubt.py`)

Every change is one conditional UPDATE on the old state and lease; no row touched: somebody else decided.
Called by `journal.py` and `mail/worker.py`. All functions work in the caller's transaction and never commit.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, case, select, update
from sqlmodel import SQLModel

from history.db import Driver, Transaction
from history.mail import pauses
from history.mail.events import ALL_MAILS, scope_of, suppressions
from history.mail.limits import MailLimits
from history.mail.results import TOO_LARGE, Result
from history.times import HOUR_MS, MINUTE_MS

LEASE_MS = MINUTE_MS
"""How long an item is its worker's after the last sign of life."""

MOST_ATTEMPTS = 12
RETRY_DELAYS_MS = (MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS)
LONGEST_DELAY_MS = 24 * HOUR_MS
JITTER_PART = 0.2

ITEM = SQLModel.metadata.tables["outbox_item"]
CHAT = SQLModel.metadata.tables["chat"]
PAUSE = SQLModel.metadata.tables["mail_pause"]

OURS = (
    "id = ? AND lease_owner = ? AND (state IN ('started', 'uncertain') "
    "OR id IN (SELECT id FROM outbox_item WHERE id = ? FOR_UPDATE_SKIPPING))"
)
"""The condition that an item is a claim's, and that nobody else is changing it; once its body went out nobody does. A
worker writes about many mails in one commit, and so does whoever withdraws them: if the worker waited for a row while
it holds others, each could wait for the other."""

WANTED = (
    "CASE kind WHEN 'transcript' THEN EXISTS (SELECT 1 FROM chat WHERE chat.pk = outbox_item.chat_pk "
    "AND chat.thread = outbox_item.thread AND chat.status = 'closed') "
    "WHEN 'away' THEN EXISTS (SELECT 1 FROM chat JOIN participant ON participant.chat_pk = chat.pk "
    "WHERE chat.pk = outbox_item.chat_pk AND chat.thread = outbox_item.thread AND chat.status <> 'closed' "
    "AND participant.role = 'customer' AND participant.read < coalesce(?, outbox_item.upto_seq)) ELSE 1 = 1 END"
)
"""The condition that an item's mail is to go out still, as the chat is now; for an away mail up to a seq."""

UNSETTLED = "state IN ('leased', 'started', 'uncertain')"
START = (
    "UPDATE outbox_item SET state = 'started', started_ms = ?, lease_until_ms = ?, body = ?, digest = ?, "  # noqa: S608
    f"rendered_rev = ?, upto_seq = coalesce(?, upto_seq) WHERE {OURS} AND state = 'leased' AND lease_until_ms > ? "
    "AND (resends > 0 OR EXISTS (SELECT 1 FROM chat WHERE chat.pk = outbox_item.chat_pk AND chat.head = ?)) "
    f"AND {WANTED}"
)
"""What is sent once more in doubt has the same bytes, whatever has been said meanwhile."""
GIVE_BACK = (
    f"UPDATE outbox_item SET state = CASE WHEN {WANTED} THEN 'ready' ELSE 'cancelled' END, "  # noqa: S608
    f"done_ms = CASE WHEN {WANTED} THEN NULL ELSE ? END, attempts = attempts - 1, "
    f"body = CASE WHEN resends > 0 THEN body END WHERE {OURS} AND state = 'leased'"
)
WAIT = f"UPDATE outbox_item SET state = 'ready', reason = ?, attempts = attempts - 1 WHERE {OURS} AND {UNSETTLED}"  # noqa: S608
LATER = (
    "UPDATE outbox_item SET state = 'ready', reason = ?, due_ms = ?, done_ms = NULL "  # noqa: S608
    f"WHERE {OURS} AND {UNSETTLED}"
)
SMALLER = (
    "UPDATE outbox_item SET state = 'ready', reason = ?, due_ms = ?, done_ms = NULL, body = NULL, resends = 0 "  # noqa: S608
    f"WHERE {OURS} AND {UNSETTLED}"
)
FINISH = f"UPDATE outbox_item SET state = ?, reason = ?, body = NULL, done_ms = ? WHERE {OURS} AND {UNSETTLED}"  # noqa: S608
DOUBT = f"UPDATE outbox_item SET state = ?, reason = ?, done_ms = ? WHERE {OURS} AND {UNSETTLED}"  # noqa: S608
TOO_LARGE_BEFORE = "SELECT 1 FROM attempt WHERE item_id = ? AND answer LIKE ? LIMIT 1"
ADD_ATTEMPT = "INSERT INTO attempt (item_id, number, at_ms, phase, code, answer) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """What the log needs to know about mails: the time from a thread's close to its transcript going out, in
    milliseconds, the domain of our Message-IDs, how much may be sent, and whether our server takes addresses with
    letters beyond ASCII before the @."""

    settle_ms: int
    domain: str
    limits: MailLimits = MailLimits()  # noqa: RUF009  (frozen)
    international: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """An outbox item in the hands of the worker `owner`, as it was when claimed."""

    id: str
    kind: str
    chat_pk: int
    thread: int
    from_seq: int | None
    upto_seq: int | None
    recipient: str
    recipient_hash: str
    domain: str
    proof: str
    locale: str
    time_zone: str
    message_id: str
    bounce_token: str
    created_ms: int
    expires_ms: int | None
    attempts: int
    """This try included."""
    resends: int
    lease_owner: str
    rendered_rev: int | None
    body: bytes | None
    after_pause: bool
    """Whether a pause of the domain, or of everything, is remembered, which the mail's success ends."""


CLAIMED = tuple(name for name in Claim.__dataclass_fields__ if name != "after_pause")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's bytes, and of which moment of the chat they tell: its head, and the last message of an away mail."""

    body: bytes
    head: int
    upto_seq: int | None = None


def recipient_hash(recipient: str) -> str:
    return hashlib.sha256(recipient.lower().encode()).hexdigest()[:16]


def cancel_for_chat(transaction: Transaction, chat_pk: int, reason: str) -> None:
    """Withdraws what is queued for a chat and has not begun to go out."""
    transaction.driver.run(
        "UPDATE outbox_item SET state = 'cancelled', reason = ?, done_ms = ?, body = NULL "
        "WHERE chat_pk = ? AND state IN ('held', 'ready', 'leased') AND kind IN ('transcript', 'away')",
        reason,
        transaction.now_ms,
        chat_pk,
    )


def drop_bodies(transaction: Transaction, chat_pk: int) -> None:
    """Forgets what was rendered of a chat that says something else now; what is still to go out is rendered anew."""
    transaction.driver.run("UPDATE outbox_item SET body = NULL WHERE chat_pk = ? AND body IS NOT NULL", chat_pk)


def next_due_ms(driver: Driver) -> int | None:
    """When there is something to do next: an item due, or a lease that runs out."""
    moments = (
        driver.row("SELECT MIN(due_ms) FROM outbox_item WHERE state = 'ready'"),
        driver.row("SELECT MIN(lease_until_ms) FROM outbox_item WHERE state IN ('leased', 'started')"),
    )
    return min((row[0] for row in moments if row and row[0] is not None), default=None)


@dataclass(frozen=True, slots=True)
class Health:
    """How many items are in which state, and for how long the oldest has been due, in milliseconds."""

    counts: dict[str, int]
    overdue_ms: int


def health(driver: Driver, now_ms: int) -> Health:
    counts = dict(driver.rows("SELECT state, COUNT(*) FROM outbox_item GROUP BY state"))
    row = driver.row("SELECT MIN(due_ms) FROM outbox_item WHERE state = 'ready'")
    oldest_ms = row[0] if row and row[0] is not None else now_ms
    return Health(counts, max(0, now_ms - oldest_ms))


def free(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition on an item that it fulfils another, and that nobody else is changing it at this moment."""
    return ITEM.c.id.in_(select(ITEM.c.id).where(condition).correlate(None).with_for_update(skip_locked=True))


def recover(transaction: Transaction, now_ms: int) -> None:
    """Takes items from workers whose lease ran out. What may have gone out is never sent again by itself."""
    started, worn_out = ITEM.c.state == "started", ITEM.c.attempts >= MOST_ATTEMPTS
    ran_out = ITEM.c.state.in_(["leased", "started"]) & (ITEM.c.lease_until_ms <= now_ms)
    transaction.connection.execute(
        update(ITEM)
        .where(free(ran_out))
        .values(
            state=case((started, "uncertain"), (worn_out, "dead"), else_="ready"),
            reason=case((started, "the worker was lost while sending"), else_="the worker was lost"),
            done_ms=case((started | worn_out, now_ms), else_=None),
        )
    )


def claim(
    transaction: Transaction, owner: str, now_ms: int, limit: int, busy: Collection[str] = (), lease_ms: int = LEASE_MS
) -> list[Claim]:
    """Up to `limit` due items, oldest first, leased to `owner`. Two workers never get the same one.

    Passes over domains that are paused, and those in `busy`. What nobody wants any more is settled on the way.
    """
    if pauses.paused(transaction.driver, now_ms):
        return []
    resting = select(PAUSE.c.domain).where(PAUSE.c.domain == ITEM.c.domain, PAUSE.c.until_ms > now_ms).exists()
    due = (
        select(ITEM.c.id)
        .where(ITEM.c.state == "ready", ITEM.c.due_ms <= now_ms, ~resting, ITEM.c.domain.not_in(busy))
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
            lease_until_ms=now_ms + lease_ms,
            attempts=ITEM.c.attempts + 1,
        )
        .returning(ITEM)
    )
    rested = pauses.remembered(transaction.driver)
    claims = [claim_of(row, rested) for row in sorted(rows, key=lambda row: row.due_ms)]
    barred = suppressions(transaction.driver, [claim.recipient_hash for claim in claims], now_ms)
    return [claim for claim in claims if is_wanted(transaction, claim, barred, now_ms)]


def claim_of(row: Row[Any], rested: Collection[str]) -> Claim:
    after_pause = row.domain in rested or pauses.EVERYTHING in rested
    return Claim(**{name: getattr(row, name) for name in CLAIMED}, after_pause=after_pause)


def is_wanted(transaction: Transaction, claim: Claim, barred: Mapping[tuple[str, str], str], now_ms: int) -> bool:
    """Whether the item is to be sent still. Settles it if it is too late, or if the recipient will have no mails."""
    if claim.expires_ms is not None and claim.expires_ms <= now_ms:
        finish(transaction, claim, "dead", "it was too late", now_ms)
        return False
    for scope in (ALL_MAILS, scope_of(claim.kind, claim.chat_pk)):
        if (why := barred.get((claim.recipient_hash, scope))) is not None:
            finish(transaction, claim, "cancelled", why, now_ms)
            return False
    return True


def keep(transaction: Transaction, owner: str, ids: Collection[str], now_ms: int, lease_ms: int = LEASE_MS) -> None:
    """A sign of life: these items stay the worker's."""
    mine = ITEM.c.id.in_(ids) & (ITEM.c.lease_owner == owner) & ITEM.c.state.in_(["leased", "started"])
    transaction.connection.execute(update(ITEM).where(free(mine)).values(lease_until_ms=now_ms + lease_ms))


def start(transaction: Transaction, claim: Claim, rendered: Rendered, now_ms: int, lease_ms: int = LEASE_MS) -> bool:
    """The fence, just before the body goes out: the point of no return. Stores the bytes; a retry sends the same.

    False if the lease is gone, the mail is not wanted any more, or the chat says something else than the mail. A
    reopen, or a look at the message, that commits first wins.
    """
    return changed(
        transaction,
        START,
        now_ms,
        now_ms + lease_ms,
        rendered.body,
        hashlib.sha256(rendered.body).hexdigest(),
        rendered.head,
        rendered.upto_seq,
        *ours(claim),
        now_ms,
        rendered.head,
        rendered.upto_seq,
    )


def ours(claim: Claim) -> tuple[str, str, str]:
    """The values of OURS."""
    return claim.id, claim.lease_owner, claim.id


def changed(transaction: Transaction, statement: str, *values: Any) -> bool:
    """Whether the statement has changed the item. False if somebody else decided, or is about to."""
    return transaction.driver.run(statement, *values) == 1


def give_back(transaction: Transaction, claim: Claim, now_ms: int) -> bool:
    """Undoes a claim that the fence refused. The next renders anew, unless nobody wants the mail any more."""
    return changed(transaction, GIVE_BACK, None, None, now_ms, *ours(claim))


def leave(transaction: Transaction, owner: str, but: Collection[str] = ()) -> None:
    """A worker that ends gives back what it has not begun, except for these items."""
    mine = (ITEM.c.lease_owner == owner) & (ITEM.c.state == "leased") & ITEM.c.id.not_in(but)
    transaction.connection.execute(update(ITEM).where(free(mine)).values(state="ready", attempts=ITEM.c.attempts - 1))


def settle(transaction: Transaction, claim: Claim, result: Result, now_ms: int, jitter: float) -> bool:
    """Records a try and what follows from it. `jitter` is a random number from -1 to 1.

    An answer that comes after the lease ran out still settles an uncertain item.
    """
    if claim.after_pause or result.fate != "sent":
        pauses.follow(transaction, claim.domain, result, now_ms, jitter)
    if result.fate == "wait":  # the next may have the same number: this one was no try
        return changed(transaction, WAIT, result.answer, *ours(claim))
    may_be_smaller = result.is_too_large and not was_too_large(transaction.driver, claim.id)
    attempt = claim.id, claim.attempts, now_ms, result.phase, result.code, result.answer
    transaction.driver.run(ADD_ATTEMPT, *attempt)
    if may_be_smaller:
        return changed(transaction, SMALLER, result.answer, now_ms, *ours(claim))
    if result.fate != "later":
        return finish(transaction, claim, result.fate, result.answer, now_ms)
    if claim.attempts >= MOST_ATTEMPTS:
        return finish(transaction, claim, "dead", result.answer, now_ms)
    due_ms = now_ms + retry_delay_ms(claim.attempts, jitter)
    return changed(transaction, LATER, result.answer, due_ms, *ours(claim))


def was_too_large(driver: Driver, item_id: str) -> bool:
    """Whether a server has refused the item's mail for its size: then it is rendered once more, without a file."""
    return driver.row(TOO_LARGE_BEFORE, item_id, f"{TOO_LARGE}%") is not None


def finish(transaction: Transaction, claim: Claim, state: str, answer: str, now_ms: int) -> bool:
    """The item's last state. Its bytes, a key to the chat, stay only while the outcome is unknown."""
    reason = "" if state == "sent" else answer
    return changed(transaction, DOUBT if state == "uncertain" else FINISH, state, reason, now_ms, *ours(claim))


def retry_delay_ms(attempts: int, jitter: float) -> int:
    """1, 5, 15, 60 minutes after the first tries, then doubling up to a day; `jitter` as in `settle`."""
    beyond = max(0, attempts - len(RETRY_DELAYS_MS))
    delay_ms = RETRY_DELAYS_MS[min(attempts, len(RETRY_DELAYS_MS)) - 1] << beyond
    return int(min(delay_ms, LONGEST_DELAY_MS) * (1 + JITTER_PART * jitter))
