"""Mails whose outcome is unknown: the worker was lost, or the connection was cut, after the final dot.

They are never sent again blindly. What was heard of them settles them: a report, a bounce, an answer; or what our own
server tells. If nothing is heard for a while, the same bytes go out once more, or a person decides, as is set.
Called by the worker, in the caller's transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from history.db import Driver, Transaction
from history.times import DAY_MS, MINUTE_MS

EVIDENCE_MS = 15 * MINUTE_MS
"""How long evidence is waited for."""

KEEP_BODY_MS = 7 * DAY_MS
"""How long the bytes of a mail in doubt, a key to its chat, are kept for whoever decides."""

IN_DOUBT = (
    "SELECT i.id, i.bounce_token, i.done_ms, i.resends, "
    "EXISTS (SELECT 1 FROM mail_event e WHERE e.item_id = i.id AND e.kind <> 'manual') OR "
    "EXISTS (SELECT 1 FROM mail_inbound a WHERE a.item_id = i.id) "
    "FROM outbox_item i WHERE i.state = 'uncertain' AND i.body IS NOT NULL"
)
TAKEN = "UPDATE outbox_item SET state = 'sent', reason = '', body = NULL WHERE id = ? AND state = 'uncertain'"
SEND_AGAIN = (
    "UPDATE outbox_item SET state = 'ready', reason = ?, due_ms = ?, done_ms = NULL, "
    "resends = resends + ? WHERE id = ? AND state = 'uncertain'"
)
DROP_BODY = "UPDATE outbox_item SET body = NULL WHERE id = ? AND state = 'uncertain'"

InDoubt = Literal["resend", "hold"]
"""What happens to a mail of which nothing is heard: the same bytes once more, or nothing until a person decides."""


Step = Literal["taken", "not taken", "resend", "forget"]


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An outbox item in doubt since `since_ms`. `heard`: something came back of it."""

    id: str
    bounce_token: str
    """In the envelope, so the server knows the mail by it."""
    since_ms: int
    resends: int
    heard: bool


Evidence = Callable[[Doubtful], bool | None]
"""Whether our server took the mail; None if that is not known yet. False must be certain: it is sent again."""


def read_in_doubt(driver: Driver) -> list[Doubtful]:
    return [
        Doubtful(id, bounce_token, since_ms, resends, bool(heard))
        for id, bounce_token, since_ms, resends, heard in driver.rows(IN_DOUBT)
    ]


def resolve(transaction: Transaction, doubtful: Doubtful, taken: bool | None, in_doubt: InDoubt, now_ms: int) -> None:
    """Settles an item in doubt as far as it can be."""
    driver = transaction.driver
    match step(doubtful, taken, in_doubt, now_ms):
        case "taken":
            driver.run(TAKEN, doubtful.id)
        case "not taken":
            driver.run(SEND_AGAIN, "was not taken", now_ms, 0, doubtful.id)
        case "resend":
            driver.run(SEND_AGAIN, "in doubt, sent again", now_ms, 1, doubtful.id)
        case "forget":
            driver.run(DROP_BODY, doubtful.id)


def step(doubtful: Doubtful, taken: bool | None, in_doubt: InDoubt, now_ms: int) -> Step | None:
    """What is to be done about an item now; None: wait."""
    waited_ms = now_ms - doubtful.since_ms
    if taken or doubtful.heard:
        return "taken"
    if taken is False:
        return "not taken"
    if waited_ms >= EVIDENCE_MS and in_doubt == "resend" and not doubtful.resends:
        return "resend"
    return "forget" if waited_ms >= KEEP_BODY_MS else None
