"""A record in files, one a chat, so that it never fills the memory: what the checker reads when the chat is over."""

from collections import defaultdict
from pathlib import Path
from typing import IO, Any

import orjson

from tests.record import Line, Record
from tests.soak.crowd import CrowdTab


class FiledRecord(Record):
    """Lines that name no chat go to all chats that their tab follows; faults stay in `lines`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.files: dict[str, IO[bytes]] = {}
        self.followed: dict[str, set[str]] = defaultdict(set)
        self.acks = 0

    def add(self, ev: str, actor: str, tab: str, **more: Any) -> None:
        self.acks += ev == "ack"
        line = orjson.dumps({"ev": ev, "actor": actor, "tab": tab, "at": self.clock(), **more}) + b"\n"
        if ev == "fault":
            self.lines.append(orjson.loads(line))
        for chat in (more["chat"],) if "chat" in more else self.followed[tab]:
            if chat in self.files:
                self.files[chat].write(line)

    def opens(self, chat: str) -> None:
        self.files[chat] = (self.folder / f"{chat}.jsonl").open("wb")

    def follows(self, tab: CrowdTab, chat: str) -> None:
        """What this tab does belongs to the chat, too; first of all that it is there."""
        self.followed[tab.tab].add(chat)
        if tab.welcome:
            open_line = {"ev": "open", "actor": tab.actor, "tab": tab.tab, "at": self.clock()}
            self.files[chat].write(orjson.dumps(open_line) + b"\n")

    def closes(self, chat: str) -> list[Line]:
        """Ends a chat's file and gives its lines; the file is gone then."""
        self.files.pop(chat).close()
        for chats in self.followed.values():
            chats.discard(chat)
        file = self.folder / f"{chat}.jsonl"
        lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
        file.unlink()
        return lines
