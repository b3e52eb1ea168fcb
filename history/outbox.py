"""Durable things to do: put in by the transaction that causes them, claimed with a lease, settled once.

    held -> ready -> leased -> started -> sent | uncertain | failed | dead
    held, ready, leased -> cancelled    leased, started -> ready (later)
    uncertain -> sent | ready (`mail/doubt.py`)

Every change is one conditional UPDATE on the old state and lease; no row touched: somebody else decided.
Called by `journal.py` and `mail/worker.py`. All functions work in the caller's transaction and never commit.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

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

RECOVER = (
    "UPDATE outbox_item SET state = CASE WHEN state = 'started' THEN 'uncertain' WHEN attempts >= ? THEN 'dead' "
    "ELSE 'ready' END, "
    "reason = CASE WHEN state = 'started' THEN 'the worker was lost while sending' ELSE 'the worker was lost' END, "
    "done_ms = CASE WHEN state = 'started' OR attempts >= ? THEN ? END "
    "WHERE id IN (SELECT id FROM outbox_item WHERE state IN ('leased', 'started') AND lease_until_ms <= ? "
    "FOR_UPDATE_SKIPPING)"
)
KEEP = (
    "UPDATE outbox_item SET lease_until_ms = ? WHERE id IN (SELECT id FROM outbox_item "
    "WHERE id IN_LIST AND lease_owner = ? AND state IN ('leased', 'started') FOR_UPDATE_SKIPPING)"
)
LEAVE = (
    "UPDATE outbox_item SET state = 'ready', attempts = attempts - 1 WHERE id IN (SELECT id FROM outbox_item "
    "WHERE lease_owner = ? AND state = 'leased' AND NOT id IN_LIST FOR_UPDATE_SKIPPING)"
)
"""What somebody else is changing at this moment is passed over."""

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
ADD_ATTEMPT = (
    "INSERT INTO attempt (item_id, number, at_ms, phase, code, answer) SELECT id, ?, ?, ?, ?, ? FROM outbox_item "
    "WHERE id = ? AND recipient <> '' FOR_UPDATE_SKIPPING"
)
"""Of a chat that was erased while its mail was on the way, or is at this moment, nothing is written down: servers often
name the recipient in their answers."""


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
CLAIM = (
    "WITH oldest AS (SELECT id, domain, due_ms FROM outbox_item WHERE state = 'ready' AND due_ms <= ? "  # noqa: S608
    "AND NOT EXISTS (SELECT 1 FROM mail_pause WHERE mail_pause.domain = outbox_item.domain AND until_ms > ?) "
    "AND NOT domain IN_LIST ORDER BY due_ms LIMIT ? FOR_UPDATE_SKIPPING), "
    "due AS (SELECT id, row_number() OVER (PARTITION BY domain ORDER BY due_ms) AS place FROM oldest) "
    "UPDATE outbox_item SET state = 'leased', lease_owner = ?, lease_until_ms = ?, attempts = attempts + 1 "
    f"WHERE id IN (SELECT id FROM due WHERE place <= ?) RETURNING due_ms, {', '.join(CLAIMED)}"
)


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


def recover(transaction: Transaction, now_ms: int) -> None:
    """Takes items from workers whose lease ran out. What may have gone out is never sent again by itself."""
    transaction.driver.run(RECOVER, MOST_ATTEMPTS, MOST_ATTEMPTS, now_ms, now_ms)


@dataclass(frozen=True, slots=True)
class Room:
    """For how many items a worker has room: in all, and for each domain; and which domains have enough."""

    items: int
    of_a_domain: int
    full: Sequence[str] = ()


def claim(transaction: Transaction, owner: str, now_ms: int, room: Room, lease_ms: int = LEASE_MS) -> list[Claim]:
    """Of the due items, oldest first, as many as there is room for, leased to `owner`. Two workers never get the same.

    Passes over domains that are paused, too. What nobody wants any more is settled on the way.
    """
    driver = transaction.driver
    if pauses.paused(driver, now_ms):
        return []
    full, until_ms = driver.list_param(room.full), now_ms + lease_ms
    rows = driver.rows(CLAIM, now_ms, now_ms, full, room.items, owner, until_ms, room.of_a_domain)
    rested = pauses.remembered(driver)
    claims = [claim_of(row, rested) for _, *row in sorted(rows, key=itemgetter(0))]
    barred = suppressions(driver, [claim.recipient_hash for claim in claims], now_ms)
    return [claim for claim in claims if is_wanted(transaction, claim, barred, now_ms)]


def claim_of(row: Sequence[Any], rested: Collection[str]) -> Claim:
    values = dict(zip(CLAIMED, row, strict=True))
    return Claim(**values, after_pause=values["domain"] in rested or pauses.EVERYTHING in rested)


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


def keep(transaction: Transaction, owner: str, ids: Sequence[str], now_ms: int, lease_ms: int = LEASE_MS) -> None:
    """A sign of life: these items stay the worker's."""
    transaction.driver.run(KEEP, now_ms + lease_ms, transaction.driver.list_param(ids), owner)


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


def leave(transaction: Transaction, owner: str, but: Sequence[str] = ()) -> None:
    """A worker that ends gives back what it has not begun, except for these items."""
    transaction.driver.run(LEAVE, owner, transaction.driver.list_param(but))


def settle(transaction: Transaction, claim: Claim, result: Result, now_ms: int, jitter: float) -> bool:
    """Records a try and what follows from it. `jitter` is a random number from -1 to 1.

    An answer that comes after the lease ran out still settles an uncertain item.
    """
    if claim.after_pause or result.fate != "sent":
        pauses.follow(transaction, claim.domain, result, now_ms, jitter)
    if result.fate == "wait":  # the next may have the same number: this one was no try
        return changed(transaction, WAIT, result.answer, *ours(claim))
    may_be_smaller = result.is_too_large and not was_too_large(transaction.driver, claim.id)
    transaction.driver.run(ADD_ATTEMPT, *attempt(claim, result, now_ms))
    if may_be_smaller:
        return changed(transaction, SMALLER, result.answer, now_ms, *ours(claim))
    if result.fate != "later":
        return finish(transaction, claim, result.fate, result.answer, now_ms)
    if claim.attempts >= MOST_ATTEMPTS:
        return finish(transaction, claim, "dead", result.answer, now_ms)
    due_ms = now_ms + retry_delay_ms(claim.attempts, jitter)
    return changed(transaction, LATER, result.answer, due_ms, *ours(claim))


def settle_sent(transaction: Transaction, tries: Sequence[tuple[Claim, Result]], now_ms: int) -> None:
    """Like `settle`, for all at once of which nothing is to be decided, as most: they went well, after no pause. A
    row that is no longer the claim's is passed over."""
    driver = transaction.driver
    driver.run_many(ADD_ATTEMPT, [attempt(claim, result, now_ms) for claim, result in tries])
    driver.run_many(FINISH, [("sent", "", now_ms, *ours(claim)) for claim, _ in tries])


def attempt(claim: Claim, result: Result, now_ms: int) -> tuple[Any, ...]:
    """The values of ADD_ATTEMPT."""
    return claim.attempts, now_ms, result.phase, result.code, result.answer, claim.id


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
