"""What the drivers saw: one line a happening, in the order in which it was seen, for `tests/checker/`.

A line is `{"ev", "actor", "tab", "at", …}`. Kinds of `ev`: hello, open, close, compose, tx, ack, nack, resume, apply,
skip, state, read by tabs; restore, revoke, link, limit, stall, fault by tests. `at` is monotonic seconds. All values
are JSON, so that a record can be kept with a failure.
"""

import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Literal, Protocol

import orjson

PATIENCE_S = 30

Line = dict[str, Any]


class Driver(Protocol):
    def hangs_up(self) -> None: ...


class Record:
    """Shared by all drivers of a test; drivers may run on threads of their own. `clock` tells monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.lines: list[Line] = []
        self.drivers: list[Driver] = []
        self.lock = threading.Lock()
        self.tabs = count(1)

    def add(self, ev: str, actor: str, tab: str, **more: Any) -> None:
        with self.lock:
            self.lines.append({"ev": ev, "actor": actor, "tab": tab, "at": self.clock(), **more})

    def waits_for(self, ev: str, number: int) -> int:
        """Waits until so many lines of a kind are there, from drivers on other threads; returns how many there are."""
        deadline = time.monotonic() + PATIENCE_S
        while (seen := len([line for line in list(self.lines) if line["ev"] == ev])) < number:
            assert time.monotonic() < deadline, f"only {seen} of {number} {ev}"
            time.sleep(0.002)
        return seen

    # What a test does besides

    def restored(self) -> None:
        """From now on the database is an older one: logs may diverge."""
        self.add("restore", "operator", "")

    def revoked(self, actor: str, tab: str) -> None:
        """The right of this tab to enter was ended on purpose, or never was good."""
        self.add("revoke", actor, tab)

    def link(self, how: Literal["get", "redeemed"], chat: str, link: str) -> None:
        """Somebody looked at the page of a link (its part behind the #), or got a session for it."""
        self.add("link", "somebody", "", how=how, chat=chat, link=link)

    def limit(self, server: str, start: int, hellos_per_second: float) -> None:
        """So many a second does this server let in since it was started for the `start`-th time, with a burst of one
        second's worth.
        """
        self.add("limit", "operator", "", server=server, start=start, hellos_per_second=hellos_per_second)

    def stalled(self, actor: str, tab: str) -> None:
        """From now on nothing is read in this tab, though there is more than its socket holds."""
        self.add("stall", actor, tab)

    def fault(self, stage: Literal["planned", "seen"], what: str, number: int = 0) -> None:
        """A fault that the test means to cause, and again when it was seen to happen."""
        self.add("fault", "operator", "", stage=stage, what=what, number=number)

    def new_tab(self) -> str:
        """16 characters, as `hello` wants them."""
        return f"tab-{next(self.tabs):012}"

    def save(self, path: Path) -> None:
        path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in self.lines))
