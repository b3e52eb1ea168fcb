"""Finds out that the record is an older copy of itself: a file beside it knows when a mail last began to go out. What a
restored backup takes for unsent may have been sent since, so nobody sends it again but a person.

Called by the worker when it starts, and whenever a mail has passed the fence.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from history.db import Transaction

LAST_STARTED = "SELECT MAX(started_ms) FROM outbox_item"
HOLD = (
    "UPDATE outbox_item SET state = 'uncertain', reason = 'the record is older than the last mail that went out', "
    "done_ms = ?, body = NULL WHERE state IN ('ready', 'leased', 'started') AND created_ms <= ?"
)


@dataclass(frozen=True, slots=True)
class LastMail:
    """When the last mail passed the fence, in a file that a restored database does not bring back."""

    path: Path

    def note(self, at_ms: int) -> None:
        """Losing this in a power cut would only make us trust the record, so nothing is synced."""
        draft = self.path.with_suffix(f".{os.getpid()}")
        draft.write_text(str(at_ms))
        draft.replace(self.path)

    def read(self) -> int:
        with suppress(OSError, ValueError):
            return int(self.path.read_text())
        return 0


def hold_what_may_be_sent(transaction: Transaction, last: LastMail) -> int:
    """If the record does not know of the last mail that went out: puts whatever waited at that time in doubt. Returns
    how many mails that are.
    """
    (known_ms,) = transaction.driver.row(LAST_STARTED) or (None,)
    last_ms = last.read()
    if last_ms <= (known_ms or 0):
        return 0
    return transaction.driver.run(HOLD, transaction.now_ms, last_ms)
