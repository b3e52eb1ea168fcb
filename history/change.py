"""What one transaction does to one chat, as a value: its row, its new events, and the rows beside them.

Made by the batch, which reads the row; filled by the rules in `chats.py`; written by the journal. It numbers and
chains events, and knows which step leads from which status to which.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from history.access import Place, is_erased
from history.events import EventRow, canonical, chain, digest_of
from history.models import PUBLIC

Status = Literal["open", "waiting", "active", "closed"]

TRANSITIONS: dict[tuple[Status, str], Status] = {
    ("open", "wait"): "waiting",
    ("open", "accept"): "active",
    ("waiting", "accept"): "active",
    ("open", "transfer"): "active",
    ("waiting", "transfer"): "active",
    ("active", "transfer"): "active",
    ("active", "release"): "waiting",
    ("open", "close"): "closed",
    ("waiting", "close"): "closed",
    ("active", "close"): "closed",
    ("closed", "reopen"): "open",
}
"""From where, what, to where. Whatever is not here is refused, or was done already. A reopen by an agent is followed
by an accept in the same commit."""

REDACTED = canonical({"redacted": True})
"""The data of a redacted event."""


@dataclass(slots=True)
class ChatRow:
    """The row of a chat as this transaction has it. Field order is that of `batch.CHAT_COLUMNS`."""

    pk: int
    id: str
    customer_id: str
    status: Status
    thread: int
    head: int
    hash: str
    internal_head: int
    internal_hash: str
    rev: int
    agent_id: str | None
    last_agent_id: str | None
    waiting_since_ms: int | None
    updated_ms: int
    floor: int = 0

    @property
    def erased(self) -> bool:
        """Whether nothing that was said is left."""
        return is_erased(self.head, self.floor)


@dataclass(slots=True)
class Change:
    """What one transaction does to one chat: its row, its new events, and the rows beside them."""

    row: ChatRow
    joined: set[str]
    """Participants of this chat who are known to have joined."""
    salts: Iterator[str]
    events: list[EventRow] = field(default_factory=list)
    redacted: dict[tuple[int, int], str] = field(default_factory=dict)
    """(stream, seq) of events that lose their data, and the digest of these."""
    joins: list[tuple[Place, int]] = field(default_factory=list)
    """(who, when) for new participant rows."""
    threads: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """("open" | "accept" | "close" | "rate", values) for the thread's row, in order."""
    raised: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Participants whose marks (read, delivered) have risen."""
    state_changed: bool = False

    def append(
        self,
        kind: str,
        by: str,
        id: str,
        data: str,
        now_ms: int,
        stream: int = PUBLIC,
        prev: str | None = None,
    ) -> EventRow:
        """Numbers, chains and keeps a new event."""
        row = self.row
        before, hash_before = (row.head, row.hash) if stream == PUBLIC else (row.internal_head, row.internal_hash)
        seq, salt = before + 1, next(self.salts)
        hash = chain(hash_before, seq, kind, by, id, digest_of(data), salt)
        event = EventRow(row.pk, stream, seq, kind, by, id, prev, row.thread, now_ms, data, None, salt, hash)
        if stream == PUBLIC:
            row.head, row.hash = seq, hash
        else:
            row.internal_head, row.internal_hash = seq, hash
        row.updated_ms = now_ms
        self.events.append(event)
        return event

    def redact(self, event: EventRow) -> bool:
        """Takes the data out of an event of the chat, which keeps their digest. False if they are gone already."""
        key = event.stream, event.seq
        if event.digest is not None or key in self.redacted:
            return False
        self.redacted[key] = digest_of(event.data)
        return True

    def move(self, what: str) -> None:
        """Takes a step of the transition table, which the caller has checked to be there."""
        self.row.status = TRANSITIONS[self.row.status, what]
        self.touch()

    def touch(self) -> None:
        """The chat's state differs from now on: clients get it anew."""
        if not self.state_changed:
            self.row.rev += 1
            self.state_changed = True
