"""Finds out that the record is an older copy of itself: a file beside it knows when a mail last began to go out. What a
restored backup takes for unsent may have been sent since, so nobody sends it again but a person.

Called by the worker when it starts, and whenever a mail has passed the fence.
"""

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

from history.db import Transaction

LAST_STARTED = "SELECT MAX(started_ms) FROM outbox_item"
HOLD = (
    "UPDATE outbox_item SET state = 'uncertain', reason = 'the record is older than the last mail that went out', "
    "done_ms = ?, body = NULL WHERE state IN ('ready', 'leased', 'started') AND created_ms <= ?"
)

log = logging.getLogger("stillhere.mail")


class LastMail:
    """When the last mail passed the fence, in a file that a restored database does not bring back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.noting = threading.Lock()
        """Guards the file and the moment below: mails pass the fence on several threads."""
        self.noted_ms = 0

    def note(self, at_ms: int) -> None:
        """Losing this, in a power cut or on a full disk, would only make us trust the record: nothing is synced, and a
        mail that has passed the fence goes out whatever becomes of it."""
        with self.noting:
            if at_ms <= self.noted_ms:
                return
            try:
                overwrite(self.path, str(at_ms).encode())
            except OSError as error:
                log.warning("when the last mail went out could not be noted: %s", error)
            self.noted_ms = at_ms

    def read(self) -> int:
        with suppress(OSError, ValueError):
            return int(self.path.read_text())
        return 0


def overwrite(path: Path, digits: bytes) -> None:
    """In place and by one call, as it happens for each mail; there are as many digits for some centuries to come."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(file, digits, 0)
    finally:
        os.close(file)


def hold_what_may_be_sent(transaction: Transaction, last: LastMail) -> int:
    """If the record does not know of the last mail that went out: puts whatever waited at that time in doubt. Returns
    how many mails that are.
    """
    (known_ms,) = transaction.driver.row(LAST_STARTED) or (None,)
    last_ms = last.read()
    if last_ms <= (known_ms or 0):
        return 0
    return transaction.driver.run(HOLD, transaction.now_ms, last_ms)
