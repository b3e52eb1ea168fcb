"""What puts mails into the outbox: a thread that ends, an answer that stays unread, somebody who asks for a copy.

Called by the journal, the watch over unread answers and the doors, in the transaction of the cause. A typed address
proves nothing: it gets no mail before an agent has written, and few mails.
"""

import secrets
from dataclasses import dataclass
from typing import NamedTuple

from history.db import Driver, Transaction
from history.errors import Forbidden, Invalid, NotFound, RateLimited
from history.mail.addresses import new_bounce_token
from history.mail.events import scope_of, suppressed
from history.mail.limits import Cause, limit_reached
from history.models import PUBLIC
from history.outbox import MailPolicy, recipient_hash
from history.times import DAY_MS, MINUTE_MS, new_id

CODE_MS = 10 * MINUTE_MS
"""How long a code that opens a chat is good for; a mail with one that has not gone out by then is dropped."""

CONFIRM_MS = 7 * DAY_MS
"""How long a copy waits for the owner of its address."""

NEXT_AWAY_MS = 15 * MINUTE_MS
"""So far apart are the mails about unread answers of one chat."""

FEWEST_MESSAGES = 2
"""With fewer, nobody has talked with anybody."""

CUSTOMER = (
    "SELECT u.email, u.email_proof, u.network, u.locale, u.time_zone, c.thread FROM chat c "
    "JOIN customer u ON u.id = c.customer_id WHERE c.pk = ?"
)
SAID = (
    "SELECT COUNT(*), COUNT(CASE WHEN event.seq > ? THEN 1 END), "
    "COUNT(CASE WHEN event.seq > ? AND participant.role = 'agent' THEN 1 END) "
    'FROM event JOIN participant ON participant.id = event."by" '
    "WHERE event.chat_pk = ? AND event.stream = ? AND event.kind = 'message'"
)
TOLD = (
    "SELECT MAX(rendered_rev) FROM outbox_item "
    "WHERE chat_pk = ? AND kind = 'transcript' AND state IN ('started', 'sent', 'uncertain')"
)
ADD = (
    "INSERT INTO outbox_item (id, kind, chat_pk, thread, from_seq, upto_seq, dedup_key, recipient, recipient_hash, "
    "domain, proof, network, locale, time_zone, message_id, bounce_token, state, reason, created_ms, due_ms, "
    "expires_ms, done_ms, attempts, resends) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) "
    "ON CONFLICT (dedup_key) DO NOTHING"
)
TAKE_OVER = (
    "UPDATE outbox_item SET state = 'cancelled', reason = 'the transcript takes over', done_ms = ?, body = NULL "
    "WHERE chat_pk = ? AND kind = 'away' AND state IN ('ready', 'leased')"
)
LAST_AWAY = (
    "SELECT MAX(created_ms), COUNT(CASE WHEN state IN ('ready', 'leased', 'started') THEN 1 END) "
    "FROM outbox_item WHERE chat_pk = ? AND kind = 'away'"
)
SAME_COPY = (
    "SELECT id FROM outbox_item WHERE chat_pk = ? AND kind = 'copy' AND recipient_hash = ? "
    "AND state IN ('held', 'ready', 'leased') ORDER BY created_ms LIMIT 1"
)
SAME_CODE = "SELECT id FROM outbox_item WHERE chat_pk = ? AND kind = 'code' AND state IN ('ready', 'leased') LIMIT 1"
CONFIRMED_BEFORE = (
    "SELECT id FROM outbox_item "
    "WHERE chat_pk = ? AND kind = 'copy' AND recipient_hash = ? AND proof = 'confirmed' LIMIT 1"
)
CONFIRMING = "SELECT id, expires_ms FROM outbox_item WHERE secret_hash = ? AND kind = 'confirm'"
MUTABLE = "SELECT chat_pk, recipient_hash FROM outbox_item WHERE secret_hash = ? AND kind = 'away'"
CONFIRM = (
    "UPDATE outbox_item SET state = 'ready', proof = 'confirmed', due_ms = ? "
    "WHERE dedup_key = ? AND state = 'held' AND expires_ms > ?"
)


class Addressee(NamedTuple):
    """To whom a mail goes, and who has caused it, as in `OutboxItem`; and the chat's thread."""

    recipient: str | None
    proof: str
    network: str
    locale: str
    time_zone: str
    thread: int

    @property
    def hash(self) -> str:
        return recipient_hash(self.recipient or "")


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail that is to be queued; with a `refusal` it is only written down that it was not."""

    kind: str
    chat_pk: int
    to: Addressee
    dedup_key: str
    due_ms: int
    from_seq: int | None = None
    upto_seq: int | None = None
    expires_ms: int | None = None
    is_held: bool = False
    refusal: str = ""
    id: str = ""


def put(transaction: Transaction, policy: MailPolicy, mail: NewMail) -> None:
    """Queues the mail, once for each `dedup_key`."""
    now_ms, to = transaction.now_ms, mail.to
    recipient = to.recipient or ""
    transaction.driver.run(
        ADD,
        mail.id or new_id(),
        mail.kind,
        mail.chat_pk,
        to.thread,
        mail.from_seq,
        mail.upto_seq,
        mail.dedup_key,
        recipient,
        to.hash,
        recipient.rpartition("@")[2].lower(),
        to.proof,
        to.network,
        to.locale,
        to.time_zone,
        f"<{mail.kind}.{secrets.token_hex(10)}@{policy.domain}>",
        new_bounce_token(),
        "cancelled" if mail.refusal else "held" if mail.is_held else "ready",
        mail.refusal,
        now_ms,
        mail.due_ms,
        mail.expires_ms,
        now_ms if mail.refusal else None,
    )


def addressee(driver: Driver, chat_pk: int) -> Addressee | None:
    """The customer, if they have an address."""
    row = driver.row(CUSTOMER, chat_pk)
    return Addressee(*row) if row and row[0] else None


def refusal(transaction: Transaction, policy: MailPolicy, cause: Cause) -> str:
    """Why the mail may not be sent, as a sentence; empty if it may."""
    scope = scope_of(cause.kind, cause.chat_pk)
    why = suppressed(transaction.driver, cause.recipient_hash, transaction.now_ms, scope)
    return why or limit_reached(transaction.driver, policy.limits, cause, transaction.now_ms) or ""


def put_transcript(transaction: Transaction, policy: MailPolicy, chat_pk: int, thread: int) -> None:
    """Queues the transcript of a thread that this transaction closes and whose events it has stored, if there is an
    address, and if there is something to tell. What was about to be mailed as unread is in it.
    """
    driver, now_ms = transaction.driver, transaction.now_ms
    driver.run(TAKE_OVER, now_ms, chat_pk)
    to = addressee(driver, chat_pk)
    if to is None or not is_worth_telling(driver, chat_pk, to.proof):
        return
    why = refusal(transaction, policy, Cause("transcript", chat_pk, to.hash, to.proof, to.network))
    key = f"transcript:{chat_pk}:{thread}:{to.hash}"
    put(transaction, policy, NewMail("transcript", chat_pk, to, key, now_ms + policy.settle_ms, refusal=why))


def is_worth_telling(driver: Driver, chat_pk: int, proof: str) -> bool:
    """Whether people have talked in the chat, and something is new since the last transcript that went out."""
    (told,) = driver.row(TOLD, chat_pk) or (None,)
    messages, new, new_of_agents = said(driver, chat_pk, told or 0)
    return messages >= FEWEST_MESSAGES and (new_of_agents if proof == "typed" else new) > 0


def said(driver: Driver, chat_pk: int, since: int = 0) -> tuple[int, int, int]:
    """How many messages the chat has, how many of them behind the seq `since`, and how many of these are of agents."""
    return tuple(driver.row(SAID, since, since, chat_pk, PUBLIC) or (0, 0, 0))


def put_away(
    transaction: Transaction, policy: MailPolicy, chat_pk: int, seqs: tuple[int, int], expires_ms: int
) -> None:
    """Queues a mail about the unread answers from the first to the last of `seqs`; nothing if one is on its way, or
    went out a moment ago.
    """
    driver, now_ms = transaction.driver, transaction.now_ms
    to = addressee(driver, chat_pk)
    last_ms, under_way = driver.row(LAST_AWAY, chat_pk) or (None, 0)
    if to is None or under_way or (last_ms is not None and now_ms - last_ms < NEXT_AWAY_MS):
        return
    why = refusal(transaction, policy, Cause("away", chat_pk, to.hash, to.proof, to.network))
    key = f"away:{chat_pk}:{seqs[0]}"
    put(transaction, policy, NewMail("away", chat_pk, to, key, now_ms, *seqs, expires_ms, refusal=why))


def put_copy(transaction: Transaction, policy: MailPolicy, chat_pk: int, email: str | None, network: str) -> str:
    """Queues a copy of the whole chat for the customer, or for somebody else, whose leave is then asked for first.
    Returns its id; that of the one before while it has not gone out.

    Raises Invalid, Forbidden or RateLimited; nothing is queued then.
    """
    driver, now_ms = transaction.driver, transaction.now_ms
    customer = Addressee(*(driver.row(CUSTOMER, chat_pk) or ()))
    to = customer._replace(recipient=email or customer.recipient, network=network)
    if not to.recipient:
        raise Invalid("This chat has no address yet; name one as `email`")
    if found := driver.row(SAME_COPY, chat_pk, to.hash):
        return str(found[0])
    is_own = to.hash == customer.hash
    if not is_own:
        to = to._replace(proof="confirmed" if driver.row(CONFIRMED_BEFORE, chat_pk, to.hash) else "typed")
    check_may_send(transaction, policy, Cause("copy", chat_pk, to.hash, to.proof, network))
    copy_id, confirm_id, until_ms = new_id(), new_id(), now_ms + CONFIRM_MS
    asks = not is_own and to.proof == "typed"
    key = copy_key(confirm_id)
    put(transaction, policy, NewMail("copy", chat_pk, to, key, now_ms, expires_ms=until_ms, is_held=asks, id=copy_id))
    if asks:
        key = f"confirm:{copy_id}"
        put(transaction, policy, NewMail("confirm", chat_pk, to, key, now_ms, expires_ms=until_ms, id=confirm_id))
    return copy_id


def copy_key(confirm_id: str) -> str:
    """The key of the copy that waits for this question to be answered."""
    return f"copy:{confirm_id}"


def put_code(transaction: Transaction, policy: MailPolicy, chat_pk: int) -> str:
    """Queues a mail to the customer with a code that opens the chat. Returns its id; that of the one before while it
    has not gone out. Raises Forbidden or RateLimited; nothing is queued then.
    """
    driver, now_ms = transaction.driver, transaction.now_ms
    if found := driver.row(SAME_CODE, chat_pk):
        return str(found[0])
    to = addressee(driver, chat_pk)
    if to is None:
        raise Forbidden("This chat has no address to which a code could be mailed")
    check_may_send(transaction, policy, Cause("code", chat_pk, to.hash, to.proof, to.network))
    id = new_id()
    put(transaction, policy, NewMail("code", chat_pk, to, f"code:{id}", now_ms, expires_ms=now_ms + CODE_MS, id=id))
    return id


def check_may_send(transaction: Transaction, policy: MailPolicy, cause: Cause) -> None:
    """Raises Forbidden before there is anything to send, or before an agent has written where nothing proves whose the
    address is; and for an address that takes no mails. Raises RateLimited.
    """
    driver, now_ms = transaction.driver, transaction.now_ms
    messages, _, of_agents = said(driver, cause.chat_pk)
    if not messages:
        raise Forbidden("Nothing has been said in this chat yet")
    if cause.proof == "typed" and not of_agents:
        raise Forbidden("Nothing is mailed before somebody has answered; the transcript can be downloaded")
    if why := suppressed(driver, cause.recipient_hash, now_ms):
        raise Forbidden(f"This address takes no mails from us: {why}")
    if why := limit_reached(driver, policy.limits, cause, now_ms):
        raise RateLimited(f"{why}; the transcript can be downloaded", after_ms=60 * MINUTE_MS)


def confirm_copy(transaction: Transaction, secret_hash: str) -> None:
    """The owner of the address lets the copy go. Twice is once. Raises NotFound for an unknown or old secret."""
    row = transaction.driver.row(CONFIRMING, secret_hash)
    if row is None or row[1] <= transaction.now_ms:
        raise NotFound("This link is not known, or too old; ask for the copy again")
    transaction.driver.run(CONFIRM, transaction.now_ms, copy_key(row[0]), transaction.now_ms)


def mail_of_secret(driver: Driver, secret_hash: str) -> tuple[int, str]:
    """(chat, recipient's hash) of the away mail with this secret. Raises NotFound."""
    row = driver.row(MUTABLE, secret_hash)
    if row is None:
        raise NotFound("We do not know this link")
    return row[0], row[1]
