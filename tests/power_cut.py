"""Power cuts: what a disk holds when the power fails, rebuilt from the system calls that a server made.

`strace` writes down what the server does to its database's files and what it sends; `replay` plays the calls again on a
disk in memory, which keeps for certain only what was synced. Names of files are taken as kept: SQLite syncs the folder
when it makes a file. `strace` can also have a sync fail. Used by `tests/journeys/`.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

CALLS = "pwrite64,ftruncate,fdatasync,fsync,unlink,sendto"
LONGEST_BYTES = 1 << 20
STRACE = ("strace", "-f", "-qq", "--seccomp-bpf", "-y", "-xx", "-s", str(LONGEST_BYTES))

LINE = re.compile(r"(\d+) +(.*)")
CALL = re.compile(r"(\w+)\((.*?)(?: <unfinished \.\.\.>|\) += (-?\d+).*)")
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>.*\) += (-?\d+).*")
FILE = re.compile(r"\d+<([^>]*)>")
TEXT = re.compile(r'"([^"]*)"')
ACK = re.compile(rb'\{"type":"ack"[^}]*\}')

Ack = dict[str, Any]


def why_not() -> str:
    """Why calls cannot be recorded here; empty if they can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-f", "--seccomp-bpf", "true"], capture_output=True, text=True)
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr[-200:]}"


def recorder(log: Path, calls: str = CALLS) -> tuple[str, ...]:
    """What to put before a command to have its calls in `log`."""
    return (*STRACE, "-e", f"trace={calls}", "-o", str(log))


@contextmanager
def syncs_fail(pids: Sequence[int], file: Path) -> Iterator[None]:
    """For a while each sync of this file by these processes is answered with an I/O error, and does nothing."""
    attach = [word for pid in pids for word in ("-p", str(pid))]
    fault = ("-P", str(file), "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO")
    with subprocess.Popen(["strace", "-f", "-qq", *attach, *fault], stderr=subprocess.DEVNULL) as strace:
        while not all(map(is_traced, pids)):
            assert strace.poll() is None, "strace has ended"
            time.sleep(0.01)
        try:
            yield
        finally:
            strace.terminate()


def is_traced(pid: int) -> bool:
    """Whether all threads of a process are."""
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return all("TracerPid:\t0\n" not in thread.read_text() for thread in threads)


@dataclass
class Call:
    """One system call. `done` is false at its beginning, and true at its end, when `result` is known."""

    name: str
    arguments: str
    result: int = 0
    done: bool = True

    @property
    def path(self) -> str:
        """The file that it is about."""
        file = FILE.match(self.arguments)
        return unescaped(file[1]).decode() if file else self.data.decode()

    @property
    def data(self) -> bytes:
        text = TEXT.search(self.arguments)
        assert text, self.arguments
        return unescaped(text[1])

    @property
    def last_number(self) -> int:
        return int(self.arguments.rpartition(", ")[2])


def unescaped(text: str) -> bytes:
    """Text of `strace -xx`, where every byte is written as \\x and two digits; paths may be plain."""
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()


def read_calls(log: Path) -> Iterator[Call]:
    """The calls in the order in which they began and ended; one during which nothing else happened comes once."""
    begun: dict[str, Call] = {}
    with log.open() as lines:
        for line in lines:
            found = LINE.fullmatch(line.rstrip("\n"))
            if not found:
                continue
            thread, what = found.groups()
            if resumed := RESUMED.fullmatch(what):
                call = begun.pop(thread)
                yield Call(call.name, call.arguments, int(resumed[2]))
            elif call_found := CALL.fullmatch(what):
                name, arguments, result = call_found.groups()
                call = Call(name, arguments, int(result or 0), done=result is not None)
                if not call.done:
                    begun[thread] = call
                yield call


Change = tuple[int, bytes | None]
"""At which byte what was written; None: the file was cut there."""


@dataclass
class Disk:
    """Files with what they hold for certain, and what has been written since and may be lost."""

    files: dict[str, bytearray]
    unsynced: dict[str, list[Change]] = field(default_factory=dict)
    syncing: dict[str, int] = field(default_factory=dict)
    """How many of the changes a sync that has begun will make certain."""

    def play(self, call: Call) -> None:
        changes = self.unsynced.setdefault(call.path, [])
        if call.name in ("fdatasync", "fsync"):
            if not call.done:
                self.syncing[call.path] = len(changes)
                return
            certain = self.syncing.pop(call.path, len(changes))
            apply(self.files.setdefault(call.path, bytearray()), changes[:certain])
            del changes[:certain]
        elif not call.done or call.result < 0:
            return
        elif call.name == "pwrite64":
            changes.append((call.last_number, call.data[: call.result]))
        elif call.name == "ftruncate":
            changes.append((call.last_number, None))
        elif call.name == "unlink":
            self.files.pop(call.path, None)
            changes.clear()

    def after_cut(self, chance: Random | None) -> dict[str, bytes]:
        """The files after a power cut now: without what was not synced, or by `chance` with some of it."""
        files = {}
        for path in self.files.keys() | self.unsynced.keys():
            file = bytearray(self.files.get(path, b""))
            if chance:
                apply(file, [change for change in self.unsynced.get(path, []) if chance.random() < 0.5])
            files[path] = bytes(file)
        return files


def apply(file: bytearray, changes: Iterable[Change]) -> None:
    for at, data in changes:
        if data is None:
            del file[at:]
        else:
            file.extend(bytes(max(0, at - len(file))))
            file[at : at + len(data)] = data


@dataclass
class Moment:
    """The server has just sent `acks`, as early as they can have been seen."""

    disk: Disk
    acks: list[Ack]


def replay(log: Path, database: Path, original: bytes) -> Iterator[Moment]:
    """Each moment at which acks were sent, with the disk as it was then. `original`: the database at the start."""
    disk = Disk({str(database): bytearray(original)})
    names = {str(database), f"{database}-wal"}
    for call in read_calls(log):
        if call.name == "sendto":
            acks = [json.loads(ack) for ack in ACK.findall(call.data)]
            if acks:
                yield Moment(disk, acks)
        elif call.path in names:
            disk.play(call)
