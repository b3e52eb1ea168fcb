"""Mails as they leave: from the outbox to a mail server on this machine, on three databases, beside programs that send
as many equal mails and have nothing to remember; and how late mails leave that become due one after the other.

We send from one core; the mail server and PostgreSQL are on the other.
"""

import re
import smtplib
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import event

from bench.crowd import HOST
from bench.letters import letter
from bench.machine import on_server_core, percentile
from bench.programs import running
from bench.scale import Scale
from bench.table import Row
from history import journal
from history.db import Store
from history.mail.compose import compose
from history.mail.prepare import House
from history.mail.restored import LastMail
from history.mail.smtp import Connection, MailSettings
from history.mail.worker import Habits, MailWorker
from history.times import DAY_MS, SECOND_MS, now_ms
from history.writer import Writer, only_answer
from tests.postgres import running_cluster
from tests.servers import free_port
from tests.set_up import find
from tests.soak_mail.run import POLICY, close_chats
from tests.soak_mail.worker import ADDRESSES, DOMAIN, link

GOAL_SYNCED, GOAL_POSTGRES = 120, 200
GOAL_RATIO = 0.35
"""Of smtplib, where nobody waits for the disk."""

DUE_PER_SECOND = 10
GOAL_LATE_S = 5.0
LOOK_S = 0.01
MESSAGES = 2
BACKLOG = "100"
COUNTED = re.compile(rb"mesg=(\d+)")
SPREAD = (
    "UPDATE outbox_item SET due_ms = ? + (SELECT COUNT(*) FROM outbox_item o "
    "WHERE o.state = 'ready' AND o.id < outbox_item.id) * ? WHERE state = 'ready'"
)
LATE = "SELECT started_ms - due_ms FROM outbox_item WHERE state = 'sent' AND due_ms >= ?"
UNDER_WAY = "SELECT 1 FROM outbox_item WHERE state IN ('ready', 'leased', 'started') LIMIT 1"
SENDER, RECIPIENT = f"chat@{DOMAIN}", f"alex@{DOMAIN}"


@dataclass(frozen=True)
class Sink:
    """Postfix's `smtp-sink`, which takes every mail and counts."""

    port: int
    log: Path

    def taken(self) -> int:
        counts = COUNTED.findall(self.log.read_bytes())
        return int(counts[-1]) if counts else 0


@dataclass(frozen=True)
class Run:
    """What came of a run: mails a second, and how many the server took."""

    per_second: float
    taken: int


def measure(scale: Scale, folder: Path) -> Iterator[Row]:
    mails = scale.mails
    with sink(folder) as server:
        content = compose(letter(MESSAGES))
        smtplib_rate = with_smtplib(server.port, mails, content)
        source_rate = with_smtp_source(server.port, mails, content)
        yield Row(
            f"smtp-source, mails of {len(content) / 1000:.1f} kB over one connection",
            f"{source_rate:.0f}/s",
            f"smtplib: {smtplib_rate:.0f}/s",
            source_rate / smtplib_rate,
        )
        reference = f"smtplib, one connection: {smtplib_rate:.0f}/s"
        with on_sqlite(folder / "full.db") as store:
            synced = all_sent(store, server, mails, folder)
            yield row(
                "SQLite, commits synced", synced, mails, reference, smtplib_rate, f">= {GOAL_SYNCED}/s", GOAL_SYNCED
            )
            yield late_row(store, server, scale.due_mails, folder)
        with on_sqlite(folder / "normal.db", "NORMAL") as store:
            unsynced = all_sent(store, server, mails, folder)
            goal = f">= {GOAL_RATIO} times"
            least = GOAL_RATIO * smtplib_rate
            yield row("SQLite, commits not synced", unsynced, mails, reference, smtplib_rate, goal, least)
        with on_postgres() as store:
            there = all_sent(store, server, mails, folder)
            yield row("PostgreSQL", there, mails, reference, smtplib_rate, f">= {GOAL_POSTGRES}/s", GOAL_POSTGRES)


def row(where: str, run: Run, mails: int, reference: str, rate: float, goal: str, least: float) -> Row:
    """Whether each mail was taken once decides the exit code; how fast does not."""
    if run.taken != mails:
        return Row(f"outbox to a mail server, {where}", f"{run.taken} of {mails} taken", ok=False, is_correctness=True)
    figure = f"{run.per_second:.0f}/s, {run.taken} of {mails} taken"
    what = f"outbox to a mail server, {where}"
    return Row(what, figure, reference, run.per_second / rate, goal, run.per_second >= least)


@contextmanager
def sink(folder: Path) -> Iterator[Sink]:
    port = free_port()
    with running([program("smtp-sink"), "-c", "-u", "nobody", f"{HOST}:{port}", BACKLOG], port, folder):
        yield Sink(port, folder / f"smtp-sink-{port}.log")


@contextmanager
def on_sqlite(path: Path, synchronous: str = "FULL") -> Iterator[Store]:
    store = Store(f"sqlite:///{path}")

    def synced(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA synchronous = {synchronous}")

    event.listen(store.engine, "connect", synced)
    with closing(store):
        yield store


@contextmanager
def on_postgres() -> Iterator[Store]:
    with ExitStack() as stack:
        with on_server_core():
            cluster = stack.enter_context(running_cluster())
        yield stack.enter_context(closing(Store(cluster.create())))


def all_sent(store: Store, server: Sink, mails: int, folder: Path) -> Run:
    """So many mails that are due, from the first look to the last record."""
    store.migrate()
    before = server.taken()
    with writing(store) as writer:
        close_chats(writer, mails)
        began = time.monotonic()
        send_all(store, writer, server.port, folder)
        seconds = time.monotonic() - began
    return Run(mails / seconds, server.taken() - before)


def late_row(store: Store, server: Sink, mails: int, folder: Path) -> Row:
    with writing(store) as writer:
        close_chats(writer, mails)
        first_ms = now_ms() + SECOND_MS
        writer.write(lambda t: t.driver.run(SPREAD, first_ms, SECOND_MS // DUE_PER_SECOND))
        send_all(store, writer, server.port, folder)
    with store.reading() as driver:
        late_ms = [row[0] for row in driver.rows(LATE, first_ms)]
    p99 = percentile(late_ms, 0.99) / SECOND_MS
    return Row(
        f"{mails} mails due one after the other, {DUE_PER_SECOND}/s: body begun after, p99 (p50)",
        f"{p99:.2f} s ({percentile(late_ms, 0.5) / SECOND_MS:.2f}), {len(late_ms)} sent",
        goal=f"<= {GOAL_LATE_S:.0f} s",
        ok=p99 <= GOAL_LATE_S,
    )


@contextmanager
def writing(store: Store) -> Iterator[Writer]:
    writer = Writer(store, journal.writing(POLICY), only_answer)
    writer.start()
    try:
        yield writer
    finally:
        writer.stop()


def send_all(store: Store, writer: Writer, port: int, folder: Path) -> None:
    """Returns when nothing is left to send."""
    house = House("Bench", DOMAIN, f"https://{DOMAIN}", ADDRESSES, link, link, DAY_MS)
    settings = MailSettings(f"bench.{DOMAIN}", HOST, port, tls="none")
    habits = Habits(last_mail=LastMail(folder / "last-mail"))
    worker = MailWorker(store, writer, house, partial(Connection, settings), habits)
    worker.start()
    try:
        while is_busy(store):
            time.sleep(LOOK_S)
    finally:
        worker.stop()


def is_busy(store: Store) -> bool:
    with store.reading() as driver:
        return driver.row(UNDER_WAY) is not None


def with_smtplib(port: int, mails: int, content: bytes) -> float:
    """Mails a second."""
    began = time.monotonic()
    with smtplib.SMTP(HOST, port, f"bench.{DOMAIN}") as smtp:
        for _ in range(mails):
            smtp.sendmail(SENDER, [RECIPIENT], content)
    return mails / (time.monotonic() - began)


def with_smtp_source(port: int, mails: int, content: bytes) -> float:
    """Mails a second, of as many bytes."""
    began = time.monotonic()
    options = ["-d", "-s", "1", "-m", str(mails), "-l", str(len(content)), "-f", SENDER, "-t", RECIPIENT]
    subprocess.run([program("smtp-source"), *options, f"{HOST}:{port}"], check=True)
    return mails / (time.monotonic() - began)


def program(name: str) -> str:
    """Where a program of Postfix is."""
    path = find(name)
    if path is None:
        raise RuntimeError(f"{name} is not here; it comes with Debian's package postfix")
    return path
