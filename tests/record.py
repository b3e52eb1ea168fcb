"""What the drivers saw: one line a happening, in the order in which it was seen, for `tests/checker.py`.

A line is `{"ev", "actor", "tab", "conn", "at", …}`. Kinds of `ev`: open, close, compose, tx, ack, nack, resume, apply,
state, read, restore. `at` is monotonic seconds. All values are JSON, so that a record can be kept with a failure.
"""

import json
import threading
import time
from itertools import count
from pathlib import Path
from typing import Any, Protocol

PATIENCE_S = 30

Line = dict[str, Any]


class Driver(Protocol):
    def hangs_up(self) -> None: ...


class Record:
    """Shared by all drivers of a test; drivers may run on threads of their own."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.drivers: list[Driver] = []
        self.lock = threading.Lock()
        self.tabs = count(1)

    def add(self, ev: str, actor: str, tab: str, **more: Any) -> None:
        with self.lock:
            self.lines.append({"ev": ev, "actor": actor, "tab": tab, "at": time.monotonic(), **more})

    def waits_for(self, ev: str, number: int) -> int:
        """Waits until so many lines of a kind are there, from drivers on other threads; returns how many there are."""
        deadline = time.monotonic() + PATIENCE_S
        while (seen := len([line for line in list(self.lines) if line["ev"] == ev])) < number:
            assert time.monotonic() < deadline, f"only {seen} of {number} {ev}"
            time.sleep(0.002)
        return seen

    def restored(self) -> None:
        """From now on the database is an older one: logs may diverge."""
        self.add("restore", "operator", "")

    def new_tab(self) -> str:
        """16 characters, as `hello` wants them."""
        return f"tab-{next(self.tabs):012}"

    def save(self, path: Path) -> None:
        path.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
