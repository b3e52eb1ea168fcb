"""What the sink's log tells: which mails it took, how often, and which it is still busy with. Read as it grows."""

from collections import Counter
from pathlib import Path

from history.mail.doubt import Doubtful


class SinkLog:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_to = 0
        self.counts: dict[str, Counter[str]] = {"begun": Counter(), "taken": Counter(), "over": Counter()}

    def read(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self.read_to)
            lines, end, _ = file.read().rpartition(b"\n")
        self.read_to += len(lines) + len(end)
        for line in lines.decode().splitlines():
            what, token = line.split()
            self.counts[what][token] += 1

    @property
    def taken(self) -> Counter[str]:
        return self.counts["taken"]

    def evidence(self, doubtful: Doubtful) -> bool | None:
        """Whether the sink took the mail; None while it may still do so."""
        self.read()
        token = doubtful.bounce_token
        if self.taken[token]:
            return True
        return False if self.counts["begun"][token] == self.counts["over"][token] else None
