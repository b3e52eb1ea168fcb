"""What a try to deliver a mail means: how far it came, what the other side said, and what follows. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

REFUSALS, LASTING_REFUSALS = range(400, 600), range(500, 600)
"""Codes of answers (RFC 5321 4.2.1)."""

CLOSING = 421
STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
TOO_LARGE, POLICY = "5.3.4", "4.7."
"""Enhanced status codes (RFC 3463), the second as far as it tells greylisting and limits."""

BEFORE_THE_MAIL = frozenset({"connect", "tls", "auth", "disk"})
ABOUT_THE_MAIL = frozenset({"rcpt", "data", "body", "dot"})

Fate = Literal["sent", "uncertain", "failed", "later", "wait"]


@dataclass(frozen=True, slots=True)
class Result:
    """How far a try came: `phase` as in `Attempt.phase`, with the other side's last code and words."""

    phase: str
    code: int | None = None
    answer: str = ""

    @property
    def status(self) -> str:
        """The enhanced status code in the answer; empty if there is none."""
        found = STATUS.match(self.answer)
        return found[0] if found else ""

    @property
    def fate(self) -> Fate:
        """What the try means for its item. After the final dot, only a clear answer tells. `wait`: our own mail server
        has no time or no trust for us, or our disk no room, which is not the mail's fault."""
        if self.phase == "done":
            return "sent"
        if self.phase == "dot" and self.code not in REFUSALS:
            return "uncertain"
        lasting = self.code in LASTING_REFUSALS
        if self.phase == "render" or (lasting and (self.phase in ABOUT_THE_MAIL or self.status == TOO_LARGE)):
            return "failed"
        if self.phase in BEFORE_THE_MAIL or (self.phase == "mail" and (lasting or self.code == CLOSING)):
            return "wait"
        return "later"

    @property
    def is_too_large(self) -> bool:
        return self.fate == "failed" and self.status == TOO_LARGE

    @property
    def is_policy(self) -> bool:
        """Whether the recipient's side has had enough of us for a while."""
        return self.code == CLOSING or (self.code in REFUSALS and self.status.startswith(POLICY))

    @property
    def is_alarm(self) -> bool:
        """Whether only the operator can help: the server knows us and will have nothing of us, or our disk is full."""
        return self.phase == "disk" or (self.fate == "wait" and self.code in LASTING_REFUSALS)
