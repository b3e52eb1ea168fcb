"""What the commits before left of the chats that they touched, so that the next one need not read it again: in a rush
this is a sixth of the writer's work. Held by whoever applies commands; nothing here is written.

It is true as long as nobody else writes. SQLite tells that: whether another connection has committed, and how many
rows this one has changed. PostgreSQL does not, so nothing is remembered there.
"""

from dataclasses import dataclass, field

from history.change import ChatRow
from history.db import Transaction

KEYS_LIMIT = 20_000
"""So many events, chats or participants are known at most, some 5 MB each; then all is forgotten."""

EventKey = tuple[str, int, str]
"""id, chat and sender."""


@dataclass
class Memory:
    """See the module. `known` holds events that are in the log, `marks` (read, delivered) of participants."""

    rows: dict[int, ChatRow] = field(default_factory=dict)
    joined: dict[int, set[str]] = field(default_factory=dict)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    known: set[EventKey] = field(default_factory=set)
    left_by: Transaction | None = None
    stamp: object = None

    def recall(self, transaction: Transaction) -> None:
        """To be called at the beginning of a batch, under the write lock: forgets what may no longer be true."""
        before, self.left_by = self.left_by, None
        lasts = before is not None and (before is transaction or before.is_committed) and self.stamp is not None
        if not lasts or self.stamp != transaction.driver.stamp() or self._is_full():
            self.rows, self.joined, self.marks, self.known = {}, {}, {}, set()

    def _is_full(self) -> bool:
        return max(map(len, (self.known, self.rows, self.marks))) > KEYS_LIMIT

    def keep(self, transaction: Transaction) -> None:
        """To be called when all of the batch is written."""
        self.left_by, self.stamp = transaction, transaction.driver.stamp()
