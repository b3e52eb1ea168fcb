"""Processes that begin in an instant: a process that has loaded everything, and forks on demand.

Run as `python -m tests.soak_mail.nursery`: reads from its input what to begin, one a line, and answers with the number
of the process. When its input ends, all end.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.soak_mail.sink import serve
from tests.soak_mail.worker import work

ROOT = Path(__file__).parents[2]
TRADES: dict[str, Callable[..., None]] = {"sink": serve, "worker": work}


class Nursery:
    """The side that asks."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def begin(self, trade: str, *args: Any) -> int:
        """Begins a sink or a worker; returns the number of its process."""
        assert self.process.stdin and self.process.stdout, "both are pipes"
        self.process.stdin.write(json.dumps([trade, args]) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout, "both are pipes"
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextmanager
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    try:
        yield nursery
    finally:
        nursery.end()


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    begun = []
    for line in sys.stdin:
        trade, args = json.loads(line)
        pid = os.fork()
        if pid == 0:
            TRADES[trade](*args)
            os._exit(0)
        begun.append(pid)
        print(pid, flush=True)
    for pid in begun:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
