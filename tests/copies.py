"""What a device keeps: its copy of each chat, and its own messages. Plain values; `tests/device.py` changes them."""

from dataclasses import dataclass, field
from typing import Any

GENESIS_HASH = "0" * 16

Frame = dict[str, Any]


@dataclass
class Copy:
    """What a device has of one chat: all events up to `high`, but for holes that it is about to fill."""

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

    @property
    def hash(self) -> str:
        return str(self.events[self.high]["hash"]) if self.high else GENESIS_HASH

    @property
    def hole(self) -> int:
        """The newest event that is missing below `high`; 0 if there is none."""
        missing = (seq for seq in range(self.high, self.resume["floor"], -1) if seq not in self.events)
        return next(missing, 0)


@dataclass
class Message:
    """A message of one's own, kept until the server has it for good."""

    frame: Frame
    in_flight: bool = False
    refused: bool = False
