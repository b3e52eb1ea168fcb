"""How mails leave: as files where no server is set, or over SMTP (`smtp.py`). Called by the worker only."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from history.mail.doubt import Doubtful
from history.mail.results import Result
from history.times import SECOND_MS

Fence = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Mail:
    """Bytes and their envelope. `id` is the outbox item's, which was made at `made_ms`; `envid` stands for it in
    reports (RFC 3461)."""

    id: str
    made_ms: int
    sender: str
    recipient: str
    envid: str
    content: bytes


class Carrier(Protocol):
    """Takes one mail after the other; used by one thread at a time."""

    def send(self, mail: Mail, fence: Fence) -> Result | None:
        """Sends the mail and tells how far it came; None when the fence said no, and nothing went out."""

    def close(self) -> None:
        """Lets go of whatever is open."""


@dataclass(frozen=True, slots=True)
class Files:
    """Writes mails into a folder."""

    folder: Path

    def send(self, mail: Mail, fence: Fence) -> Result | None:
        """Writes the mail as `{UTC time}-{id}.eml`: whole or not at all, also after a power cut."""
        made = datetime.fromtimestamp(mail.made_ms // SECOND_MS, UTC)
        target = self.folder / f"{made:%Y%m%dT%H%M%SZ}-{mail.id}.eml"
        half_done = target.with_suffix(".part")
        if not fence():
            return None
        phase = "disk"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with half_done.open("wb") as file:
                file.write(mail.content)
                file.flush()
                os.fsync(file.fileno())
            phase = "dot"
            half_done.rename(target)
            sync_folder(self.folder)
        except OSError as error:
            with suppress(OSError):
                half_done.unlink(missing_ok=True)  # where there is no room, none is to be wasted
            return Result(phase, None, f"The folder of mails: {error.strerror}")
        return Result("done", None, target.name)

    def close(self) -> None:
        """Nothing is open."""

    def evidence(self, doubtful: Doubtful) -> bool:
        """Whether the mail's file is there. Written twice, it would be the same file."""
        return any(self.folder.glob(f"*-{doubtful.id}.eml"))


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
