"""What a tab keeps: its copy of each chat, and its own messages. Plain values; `tests/tab.py` changes them."""

from dataclasses import dataclass, field
from typing import Any

GENESIS_HASH = "0" * 16
REDACTED = {"redacted": True}

Frame = dict[str, Any]


@dataclass
class Copy:
    """What a tab has of one chat: all events up to `high`, but for holes that it is about to fill."""

    me: str = ""
    events: dict[int, Frame] = field(default_factory=dict)
    notes: dict[int, Frame] = field(default_factory=dict)
    high: int = 0
    acked: int = 0
    """The highest public seq of one's own that was acked; its event may come before the ack or after it."""
    state: Frame = field(default_factory=dict)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    typing: dict[str, bool] = field(default_factory=dict)
    resume: Frame = field(default_factory=dict)
    redacted: set[tuple[str, int]] = field(default_factory=set)
    """Stream and seq of what was redacted, for whatever of it comes later."""
    whole: tuple[int, int] = (1, 0)
    """From where to where nothing was missing when it was last looked for."""

    @property
    def hash(self) -> str:
        event = self.events.get(self.high)
        return str(event["hash"]) if event else GENESIS_HASH

    @property
    def hole(self) -> int:
        """The newest event that is missing below `high`; 0 if there is none."""
        seq, floor, (low, high) = self.high, self.resume["floor"], self.whole
        while seq > floor and seq in self.events:
            seq = (low if low <= seq <= high else seq) - 1
        self.whole = (seq + 1, self.high)
        return seq if seq > floor else 0

    def put(self, event: Frame, stream: str) -> None:
        """Keeps an event. What a redaction names loses its data, whichever of the two comes first."""
        kept = self.events if stream == "public" else self.notes
        if (stream, event["seq"]) in self.redacted:
            event = event | {"data": REDACTED}
        kept[event["seq"]] = event
        if event["kind"] == "redact":
            seq = event["data"]["seq"]
            self.redacted.add((stream, seq))
            if seq in kept:
                kept[seq] = kept[seq] | {"data": REDACTED}


@dataclass
class Message:
    """A message of one's own; kept, as the server may lose by a restored backup what it had acknowledged."""

    frame: Frame
    in_flight: bool = False
    refused: bool = False
