"""The soak: closed chats, a sink, workers that come again whenever they are killed, and the judge."""

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

from history import journal
from history.access import Place
from history.chats import Act, Send
from history.db import Store, Transaction
from history.errors import StillhereError
from history.events import canonical
from history.outbox import MailPolicy
from history.start import NewChat, new_customer, start_chat
from history.times import new_id, participant_id
from history.writer import Writer, only_answer
from tests.soak_mail.evidence import SinkLog
from tests.soak_mail.sink import serve
from tests.soak_mail.worker import DOMAIN, work

POLICY = MailPolicy(0, DOMAIN)
CHATS_A_COMMIT = 50
DOMAINS = 500
"""So many domains are written to; a pause of one holds up few mails."""

RACERS = 12
CHATS_A_RACER = 4
LONGEST_WAIT_S = 0.2
"""From a close to the reopen that races with the mail."""

LOOK_S = 0.2
STALL_S = 120
"""If nothing is taken for so long, the soak has failed."""

NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload(["tests.soak_mail.worker", "tests.soak_mail.sink"])


@dataclass(frozen=True)
class Scale:
    """How much is to happen. `faults` is a share of mails; kills are spread over the mails."""

    mails: int
    kills: int
    reopens: int
    faults: float = 0.04
    workers: int = 2


@dataclass
class Report:
    mails: int = 0
    kills: int = 0
    reopens: int = 0
    raced: int = 0
    """Mails of threads that were not reopened in time, while threads were reopened."""
    seconds: float = 0
    states: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def soak(folder: Path, url: str, scale: Scale, seed: int) -> Report:
    """Runs it on the empty, migrated database at `url`; what was logged is in `folder`."""
    report, began = Report(), time.monotonic()
    store = Store(url)
    writer = Writer(store, partial(journal.apply, POLICY), only_answer)
    writer.start()
    try:
        with sink(folder, seed, scale.faults, scale.kills * 1.2 / scale.mails) as (port, log):
            close_chats(writer, scale.mails)
            crew = Crew(url, port, log.path, scale.workers)
            try:
                everything_is_sent(store, writer, log, crew, scale.mails)
                race(writer, crew, scale.reopens, seed, report)
                everything_is_sent(store, writer, log, crew, scale.mails)
            finally:
                crew.stop()
            report.kills = crew.lost
            judge(store, log, scale, report)
    finally:
        writer.stop()
        store.close()
    report.seconds = time.monotonic() - began
    return report


@contextmanager
def sink(folder: Path, seed: int, faults: float, kills: float) -> Iterator[tuple[int, SinkLog]]:
    log_path, port_path = folder / "sink.log", folder / "sink.port"
    process = NURSERY.Process(target=serve, args=(log_path, port_path, seed, faults, kills), daemon=True)
    process.start()
    while not port_path.exists():
        time.sleep(LOOK_S)
    try:
        yield int(port_path.read_text()), SinkLog(log_path)
    finally:
        end(process)


class Crew:
    """The workers. Whoever is lost is replaced."""

    def __init__(self, url: str, port: int, log_path: Path, count: int) -> None:
        self.args = url, port, log_path
        self.lost = 0
        self.workers = [self.hire() for _ in range(count)]

    def hire(self) -> BaseProcess:
        process = NURSERY.Process(target=work, args=self.args, daemon=True)
        process.start()
        return process

    def look_after(self) -> None:
        for number, worker in enumerate(self.workers):
            if not worker.is_alive():
                worker.join()
                self.lost += 1
                self.workers[number] = self.hire()

    def stop(self) -> None:
        for worker in self.workers:
            end(worker)


def end(process: BaseProcess) -> None:
    if process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    process.join()


def close_chats(writer: Writer, count: int) -> None:
    """Chats that have just ended, each with a mail that is due."""
    for first in range(0, count, CHATS_A_COMMIT):
        numbers = range(first, min(count, first + CHATS_A_COMMIT))
        places = writer.write(lambda t, numbers=numbers: [begin_chat(t, number) for number in numbers])
        writer.write(lambda t, places=places: journal.apply(POLICY, t, [act(agent_of(p), "close") for p in places]))


def begin_chat(transaction: Transaction, number: int) -> Place:
    """A chat in which both have spoken."""
    new = NewChat("Alex", f"alex@d{number % DOMAINS}.example.com", "en", "UTC", None, None, None)
    place, _ = start_chat(transaction, POLICY, new_customer(transaction, new), "Alex", new)
    said = [say(place, f"Question {number}?"), say(agent_of(place), f"Answer {number}.")]
    journal.apply(POLICY, transaction, said)
    return place


def agent_of(place: Place) -> Place:
    return Place(place.chat_pk, place.chat_id, participant_id(place.chat_id, "mira"), "agent", "Mira", "mira")


def say(place: Place, text: str, *, reopen: bool = False) -> Send:
    return Send(place, new_id(), None, canonical({"text": text}), reopen=reopen)


def act(place: Place, action: str) -> Act:
    return Act(place, new_id(), action, {})


def everything_is_sent(store: Store, writer: Writer, log: SinkLog, crew: Crew, mails: int) -> None:
    """Waits until nothing is under way. What would wait for long is due at once: time is no part of this test."""
    moved, count = time.monotonic(), -1
    while True:
        crew.look_after()
        log.read()
        if len(log.taken) != count:
            moved, count = time.monotonic(), len(log.taken)
        with store.reading() as driver:
            row = driver.row(
                "SELECT COUNT(*) FROM outbox_item WHERE state IN ('ready', 'leased', 'started', 'uncertain')"
            )
        if row is not None and row[0] == 0:
            return
        if time.monotonic() - moved > STALL_S:
            raise AssertionError(f"{row and row[0]} mails are stuck, {count} of {mails} were taken")
        writer.write(hurry)
        time.sleep(LOOK_S)


def hurry(transaction: Transaction) -> None:
    transaction.driver.run("DELETE FROM mail_pause")
    soon = transaction.now_ms
    transaction.driver.run("UPDATE outbox_item SET due_ms = ? WHERE state = 'ready' AND due_ms > ?", soon, soon)


def race(writer: Writer, crew: Crew, reopens: int, seed: int, report: Report) -> None:
    """Threads end and are reopened at once, again and again, while their mails are claimed, made and sent."""
    each = -(-reopens // RACERS)
    places = writer.write(lambda t: [begin_chat(t, number) for number in range(RACERS * CHATS_A_RACER)])
    with ThreadPoolExecutor(RACERS) as pool:
        racers = [
            pool.submit(run_race, writer, places[n::RACERS], each, Random(seed * 1000 + n)) for n in range(RACERS)
        ]
        while not all(racer.done() for racer in racers):
            crew.look_after()
            writer.write(hurry)
            time.sleep(LOOK_S)
    report.reopens = sum(racer.result() for racer in racers)


def run_race(writer: Writer, places: list[Place], reopens: int, random: Random) -> int:
    done = 0
    while done < reopens:
        for place in places:
            agent = agent_of(place)
            with suppress(StillhereError):
                writer.append(act(agent, "close"))
            if random.random() < 0.5:
                time.sleep(random.random() * LONGEST_WAIT_S)
            writer.append(say(agent, "one more thing", reopen=True))
            done += 1
    return done


def judge(store: Store, log: SinkLog, scale: Scale, report: Report) -> None:
    """What was taken against what was to be sent."""
    log.read()
    with store.reading() as driver:
        rows: list[Any] = list(
            driver.rows(
                "SELECT i.bounce_token, i.state, i.started_ms, t.opened_ms FROM outbox_item i "
                "LEFT JOIN thread t ON t.chat_pk = i.chat_pk AND t.number = i.thread + 1"
            )
        )
    report.states = Counter(state for _, state, _, _ in rows)
    report.mails = sum(log.taken.values())
    for token, state, started_ms, reopened_ms in rows:
        taken = log.taken[token]
        if taken > 1:
            report.violations.append(f"{token} was taken {taken} times")
        if state == "sent" and not taken:
            report.violations.append(f"{token} is lost: it was never taken")
        if state != "sent" and taken:
            report.violations.append(f"{token} is {state}, and was taken")
        if state not in ("sent", "cancelled"):
            report.violations.append(f"{token} is {state}")
        if taken and reopened_ms is not None and reopened_ms < started_ms:
            report.violations.append(f"{token} went out although its thread was reopened")
    report.raced = sum(1 for _, state, _, reopened in rows if state == "sent" and reopened is not None)
    if report.states["sent"] < scale.mails:
        report.violations.append(f"only {report.states['sent']} of {scale.mails} are sent")
