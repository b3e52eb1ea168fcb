"""Real server processes: begun as the `stillhere` command begins, stopped in order or killed, and started again."""

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from history import agents
from history.db import Store, Transaction
from history.writer import Writer, only_answer
from tests import nursery
from tests.record import Record
from tests.web import ask

COMMAND = Path(sys.executable).with_name("stillhere")
"""The command itself; what it does, `STILLHERE` does in a child of the nursery, at once."""
STILLHERE = "app:main"
START_SECONDS = 30
STOP_SECONDS = 20
SHARES = 16

UNLIMITED = {
    "MESSAGES_PER_SECOND": "100000",
    "MESSAGES_BURST": "100000",
    "FRAMES_PER_SECOND": "100000",
    "FRAMES_BURST": "100000",
    "HELLOS_PER_SECOND": "10000",
    "STRANGERS_PER_ADDRESS": "10000",
    "CONNECTIONS_PER_SESSION": "10000",
}
"""Drivers are quicker than people; tests of the limits set their own."""


class Door(Protocol):
    """Where drivers go in: a server, or a way to one."""

    port: int

    def key_of(self, name: str) -> str: ...

    def tells_limit(self, record: Record) -> None: ...


class Process(Protocol):
    """What is used of `subprocess.Popen` and of the nursery's children."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


def execute(*command: str | Path, env: dict[str, str], stdout: IO[bytes], stderr: IO[bytes]) -> Process:
    """Begins a program as a shell does, in a session of its own."""
    return subprocess.Popen(command, env=env, stdout=stdout, stderr=stderr, start_new_session=True)


class Server:
    """One server on a free port, with its data in `folder`. Settings are named as in the environment."""

    begin: Callable[..., Process] = staticmethod(partial(nursery.begin, STILLHERE))
    """Begins the process; a test may have it begun in another way."""

    def __init__(self, folder: Path, database_url: str, command: str = "serve", **settings: str) -> None:
        self.folder, self.database_url, self.command = folder, database_url, command
        self.port = free_port()
        self.settings = UNLIMITED | {"PORT": str(self.port), "DATABASE_URL": database_url} | settings
        self.log = folder / f"server-{self.port}.log"
        self.process: Process | None = None
        self.keys: dict[str, str] = {}
        self.starts = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        """Returns once the server answers."""
        self.starts += 1
        with self.log.open("ab") as log:
            self.process = self.begin(self.command, env=environment(self.folder, self.settings), stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.03)

    def _answers(self) -> bool:
        try:
            return ask(self.port, "GET", "/api/v1/chats").status == 401
        except OSError:
            return False

    def kill(self) -> None:
        """All processes of the server at once, as a power cut would."""
        assert self.process is not None, "only what runs can be killed"
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        """In order, as an operator would; what does not end in time is killed and fails the test."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
            self.process = None
        finally:
            if self.process is not None:
                self.kill()

    def restarts_on(self, database_url: str) -> None:
        """Starts again, on another database."""
        self.database_url = self.settings["DATABASE_URL"] = database_url
        self.keys.clear()
        self.start()

    def workers(self) -> list[int]:
        """The processes that serve, as the system knows them."""
        assert self.process is not None, "only what runs has processes"
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def check_log(self) -> None:
        """Nothing unforeseen happened: the server writes a traceback only for its own mistakes."""
        log = self.log.read_text()
        assert "Traceback" not in log, log[-4000:]

    def key_of(self, name: str) -> str:
        """An API key of the agent `name`, who is added if new."""
        if name not in self.keys:
            self.keys[name] = new_key(self.database_url, name)
        return self.keys[name]

    def tells_limit(self, record: Record) -> None:
        """Whoever comes writes down how many are let in, so that the checker can count them."""
        record.limit(str(self.port), self.starts, float(self.settings["HELLOS_PER_SECOND"]))


def environment(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """The environment of a server: ours, without what the caller's shell has set for another one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STILLHERE_")}
    given = {f"STILLHERE_{name}": value for name, value in settings.items()}
    return kept | given | {"STILLHERE_INSTANCE_PATH": str(folder)}


def run_command(
    folder: Path, *arguments: str, input: bytes = b"", **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Does what `stillhere` does with arguments and settings, to its end."""
    return nursery.run(STILLHERE, *arguments, env=environment(folder, settings), cwd=folder, input=input)


def new_key(database_url: str, name: str) -> str:
    """Adds the agent and makes an API key, as `stillhere agent add` and `agent key` do, but quicker."""

    def work(transaction: Transaction) -> str:
        agent_id = agents.add_agent(transaction, name, f"{name.lower()}@agents.example.com")
        transaction.db.flush()
        return agents.new_key(transaction, agent_id)

    store = Store(database_url)
    writer = Writer(store, lambda _transaction, _commands: [], only_answer)
    writer.start()
    try:
        return writer.write(work)
    finally:
        writer.stop()
        store.close()


def ports_of_worker() -> Iterator[int]:
    """This test worker's share of the ports below those that the system gives to whoever calls out.

    A port of the system's own choice may be taken by a caller before its server has come, or while that is killed
    and starts again.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = list(range(10_000 + worker % SHARES, 32_000, SHARES))
    random.shuffle(share)
    return itertools.cycle(share)


PORTS = ports_of_worker()


def free_port() -> int:
    """A port that nobody listens on, nor will until all others have been given."""
    for port in PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a cycle does not end")
