"""Processes of Python that begin in an instant: one that has loaded all modules, and forks for each of them.

    run("app:main", "verify", "chat.json", env=…, cwd=…)    does what `stillhere verify chat.json` does
    begin("app:main", "serve", env=…)                       a process with the verbs of `subprocess.Popen`

What is named is a function, `module:function`; it finds its arguments in `sys.argv`, and its process ends as a program
of Python does. Each child begins a session of its own, with the signals and the randomness of a new process. The
nursery has no threads, no connections and no open databases to hand down. It ends with the process that it belongs to,
and takes its children with it. Variables for Python itself (`PYTHON…`) come too late for children.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
COMMAND = "from tests.nursery import main; main()"
LOADED = (
    "app",
    "encodings.idna",
    "gunicorn.glogging",
    "history.mail.receive.listener",
    "search.postgres_engine",
    "search.tantivy_engine",
    "search.whoosh_engine",
    "sqlalchemy.dialects.postgresql.psycopg",
    "tests.broken",
)
"""Modules that children need at once, with all that they import; others a child loads itself."""

LONGEST_BYTES, MOST_FILES = 1 << 17, 4
NUMBER_BYTES = 4
File = IO[Any] | int


class Child:
    """A process that was begun, as its starter sees it. `report`: where the nursery tells its number and its end."""

    def __init__(self, name: str, report: int) -> None:
        self.name = name
        self.report = os.fdopen(report, "rb", buffering=0)
        self.returncode: int | None = None
        self.pid = self._hears()

    def _hears(self) -> int:
        told = self.report.read(NUMBER_BYTES)
        assert told, "the nursery has ended"
        return int.from_bytes(told, signed=True)

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises subprocess.TimeoutExpired; the timeout is in seconds."""
        if self.returncode is None:
            told = select.poll()
            told.register(self.report, select.POLLIN)
            if timeout is not None and not told.poll(timeout * 1000):
                raise subprocess.TimeoutExpired(self.name, timeout)
            self.returncode = self._hears()
            self.report.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and the news is on its way
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The side that asks."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-c", COMMAND]
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=theirs, stdout=subprocess.DEVNULL, start_new_session=True
            )

    def begin(self, function: str, args: tuple[str, ...], env: Mapping[str, str], cwd: str, *files: int) -> Child:
        report, theirs = os.pipe()
        wish = json.dumps([function, args, dict(env), cwd]).encode()
        socket.send_fds(self.control, [wish], [*files, theirs])
        os.close(theirs)
        return Child(" ".join((function, *args)), report)

    def end(self) -> None:
        self.control.close()
        self.process.wait()


ours: list[Nursery] = []
"""The nursery of this process, once somebody has asked."""
opening = threading.Lock()


def begin(
    function: str,
    *args: str,
    env: Mapping[str, str] = os.environ,
    cwd: Path | None = None,
    stdin: File = subprocess.DEVNULL,
    stdout: File = 1,
    stderr: File = 2,
) -> Child:
    """Begins a process; see the module. It is to be waited for."""
    with opening:
        if not ours:
            ours.append(Nursery())
            atexit.register(end)
    with Path(os.devnull).open("r+b", buffering=0) as nothing:
        files = (nothing if file == subprocess.DEVNULL else file for file in (stdin, stdout, stderr))
        numbers = [file if isinstance(file, int) else file.fileno() for file in files]
        return ours[0].begin(function, args, env, str(cwd or Path.cwd()), *numbers)


def run(
    function: str, *args: str, input: bytes = b"", timeout: float = 60, **where: Any
) -> "subprocess.CompletedProcess[str]":
    """Begins a process and waits for its end, like `subprocess.run` that captures text. Takes what `begin` takes."""
    temporary = tempfile.TemporaryFile
    with temporary() as stdin, temporary("w+") as stdout, temporary("w+") as stderr:
        stdin.write(input)
        stdin.seek(0)
        child = begin(function, *args, stdin=stdin, stdout=stdout, stderr=stderr, **where)
        try:
            child.wait(timeout)
        finally:
            child.kill()
            child.wait()
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess((function, *args), child.wait(), stdout.read(), stderr.read())


def numbers() -> set[int]:
    """The process ids of the nursery, if there is one."""
    return {nursery.process.pid for nursery in ours}


def end() -> None:
    """Ends the nursery of this process, if there is one, and all its children."""
    while ours:
        ours.pop().end()


# The nursery's own side

reports: dict[int, int] = {}
"""The pipes of the children that live, by process id."""
exit_codes: list[int] = []
"""In a child that has come to its end: its exit code."""


def main() -> None:
    """Forks until nobody asks any more. In a child it does what was asked for, and returns when that is done."""
    atexit.register(leave)  # what is registered first is done last
    for module in LOADED:
        import_module(module)
    gc.collect()
    gc.freeze()  # what is loaded stays where it is, in memory that is shared
    signal.signal(signal.SIGCHLD, report_ends)
    control = socket.socket(fileno=sys.stdin.fileno())
    while True:
        message, files, _, _ = socket.recv_fds(control, LONGEST_BYTES, MOST_FILES)
        if not message:
            break
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # until the report is at hand
        pid = os.fork()
        if pid == 0:
            control.detach()
            become(*json.loads(message), files)
            return
        reports[pid] = files.pop()
        tell(reports[pid], pid)
        for file in files:
            os.close(file)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    for pid in list(reports):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def tell(report: int, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody listens any more
        os.write(report, number.to_bytes(NUMBER_BYTES, signed=True))


def report_ends(*_: object) -> None:
    """Whoever waits for children that have ended is told their exit codes."""
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        report = reports.pop(pid)
        tell(report, os.waitstatus_to_exitcode(status))
        os.close(report)


def become(function: str, args: list[str], env: dict[str, str], cwd: str, files: list[int]) -> None:
    """Makes this child the process that was asked for, and does what it is there for."""
    os.setsid()
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in (*files, *reports.values()):
        os.close(file)
    reports.clear()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    module, _, name = function.partition(":")
    sys.argv = ["stillhere", *args]
    try:
        getattr(import_module(module), name)()
    except SystemExit as end:
        if isinstance(end.code, int):
            exit_codes.append(end.code)
        raise
    exit_codes.append(0)


def leave() -> None:
    """Ends a child that has done all that a program does at its end, but for taking to pieces what was loaded: each
    piece that it touches is copied, which takes longer than all the rest.
    """
    if exit_codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_codes[0])
