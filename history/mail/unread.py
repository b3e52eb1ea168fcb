"""Customers who are not there get by mail what agents answered: collected, and not before they had time to see it.

Wired by `app.py`; every server looks, and one row wins. This finds chats with answers that have been unread for long
enough, from the log and the read marks; what is read meanwhile is not sent, which the outbox decides.
"""

from dataclasses import dataclass
from functools import partial

from history.db import Driver, Store, Transaction
from history.mail.causes import put_away
from history.outbox import MailPolicy
from history.times import HOUR_MS, SECOND_MS, now_ms
from history.watch import LOOK_SECONDS, Watch
from history.writer import Writer

LONGEST_PART = 3
"""People write in bursts: a mail waits for the last message of one, but no longer than so many times its quiet."""

EXPIRES_MS = 12 * HOUR_MS
"""After so long an unread answer is no news."""

UNREAD = (
    "SELECT c.pk, MIN(e.seq), MAX(e.seq), MIN(e.at_ms) FROM chat c JOIN customer u ON u.id = c.customer_id "
    "JOIN participant me ON me.chat_pk = c.pk AND me.person_id = c.customer_id "
    "JOIN event e ON e.chat_pk = c.pk AND e.stream = 0 AND e.seq > me.read AND e.kind = 'message' "
    "AND e.thread = c.thread "
    "JOIN participant a ON a.id = e.\"by\" AND a.role = 'agent' "
    "WHERE c.status IN ('open', 'waiting', 'active') AND c.updated_ms > ? AND u.email IS NOT NULL "
    "AND e.seq > coalesce((SELECT MAX(i.upto_seq) FROM outbox_item i WHERE i.chat_pk = c.pk AND i.kind = 'away'), 0) "
    "AND NOT EXISTS (SELECT 1 FROM event own WHERE own.chat_pk = c.pk AND own.stream = 0 AND own.seq > e.seq "
    "AND own.kind = 'message' AND own.\"by\" = me.id) {only}"
    "GROUP BY c.pk HAVING MAX(e.at_ms) <= ? OR MIN(e.at_ms) <= ?"
)


@dataclass(frozen=True, slots=True)
class Unread:
    """Answers of agents, the first and last by their seqs, that the customer has not seen since `since_ms`."""

    chat_pk: int
    first: int
    last: int
    since_ms: int


def unread_watch(store: Store, writer: Writer, policy: MailPolicy, quiet_s: float) -> Watch:
    """`quiet_s` is how long the last answer must be unread."""
    every_s = min(LOOK_SECONDS, quiet_s)
    return Watch("unread", partial(look, store, writer, policy, int(quiet_s * SECOND_MS)), every_s, every_s)


def look(store: Store, writer: Writer, policy: MailPolicy, quiet_ms: int) -> None:
    """Queues mails about what has been unread for long enough."""
    with store.reading() as driver:
        found = read_unread(driver, quiet_ms, now_ms())
    for unread in found:
        writer.write(partial(tell, policy, quiet_ms, unread.chat_pk))


def tell(policy: MailPolicy, quiet_ms: int, chat_pk: int, transaction: Transaction) -> None:
    """Looks again, as another server may have been first."""
    for unread in read_unread(transaction.driver, quiet_ms, transaction.now_ms, chat_pk):
        seqs = unread.first, unread.last
        put_away(transaction, policy, chat_pk, seqs, unread.since_ms + EXPIRES_MS)


def read_unread(driver: Driver, quiet_ms: int, now_ms: int, chat_pk: int | None = None) -> list[Unread]:
    """What has been unread for long enough; in all chats, or in this one."""
    only, params = ("", ()) if chat_pk is None else ("AND c.pk = ? ", (chat_pk,))
    before = now_ms - quiet_ms, now_ms - LONGEST_PART * quiet_ms
    rows = driver.rows(UNREAD.format(only=only), now_ms - EXPIRES_MS, *params, *before)
    return [Unread(*row) for row in rows]
