"""The soak: closed chats, a sink, workers that come again whenever they are killed, and the judge."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Self

from history import journal
from history.access import Place
from history.chats import Act, Send
from history.db import Store, Transaction
from history.errors import Busy
from history.events import canonical
from history.mail.limits import MailLimits
from history.outbox import MailPolicy
from history.start import NewChat, new_customer, start_chat
from history.times import new_id, now_ms, participant_id
from history.writer import Writer, only_answer
from tests import nursery
from tests.soak_mail.evidence import SinkLog
from tests.soak_mail.sink import running_sink
from tests.soak_mail.worker import DOMAIN

MANY = 1 << 30
POLICY = MailPolicy(0, DOMAIN, MailLimits(MANY, MANY, MANY, MANY))
CHATS_A_COMMIT = 50
DOMAINS = 500
"""So many domains are written to; a pause of one holds up few mails."""

RACERS = 12
CHATS_A_RACER = 4
LONGEST_WAIT_S = 0.2
"""From a close to the reopen that races with the mail."""

KILL_MARGIN = 1.2
LOOK_S = 0.2
STALL_S = 120
"""If nothing is taken for so long, the soak has failed."""


Reopened = dict[tuple[int, int], int]
"""(chat, thread) -> when its reopen was acknowledged."""


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
    writer = Writer(store, journal.writing(POLICY), only_answer)
    clock = Writer(store, journal.writing(POLICY), only_answer)  # moves time on, in commits of its own

    for each in (writer, clock):
        each.start()
    try:
        close_chats(writer, scale.mails)
        kills = scale.kills * KILL_MARGIN / scale.mails  # of the mails that are drawn, some are cancelled before
        with (
            running_sink(folder, seed, scale.faults, kills) as (port, log),
            Crew(scale.workers, url, str(port), str(log.path)) as crew,
        ):
            everything_is_sent(store, clock, log, crew, scale.mails)
            reopened = race(writer, clock, crew, scale.reopens, seed, report)
            everything_is_sent(store, clock, log, crew, scale.mails)
            report.kills = crew.lost
        judge(store, log, scale, reopened, report)
    finally:
        for each in (writer, clock):
            each.stop()
        store.close()
    report.seconds = time.monotonic() - began
    return report


class Crew:
    """The workers, for a `with` block. Whoever is lost is replaced."""

    def __init__(self, count: int, *args: str) -> None:
        self.begin = partial(nursery.begin, "tests.soak_mail.worker:main", *args)
        self.lost = 0
        self.workers = [self.begin() for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def look_after(self) -> None:
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.lost += 1
                self.workers[number] = self.begin()


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


def everything_is_sent(store: Store, clock: Writer, log: SinkLog, crew: Crew, mails: int) -> None:
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
        hurries(clock)
        time.sleep(LOOK_S)


HURRY = (
    "UPDATE outbox_item SET due_ms = ? WHERE id IN "
    "(SELECT id FROM outbox_item WHERE state = 'ready' AND due_ms > ? FOR_UPDATE_SKIPPING)"
)
END_PAUSES = "DELETE FROM mail_pause WHERE domain IN (SELECT domain FROM mail_pause FOR_UPDATE_SKIPPING)"


def hurries(clock: Writer) -> None:
    with suppress(Busy):
        clock.write(hurry)


def hurry(transaction: Transaction) -> None:
    transaction.driver.run(END_PAUSES)
    transaction.driver.run(HURRY, transaction.now_ms, transaction.now_ms)


def race(writer: Writer, clock: Writer, crew: Crew, reopens: int, seed: int, report: Report) -> Reopened:
    """Threads end and are reopened at once, again and again, while their mails are claimed, made and sent."""
    each = -(-reopens // RACERS)
    places = writer.write(lambda t: [begin_chat(t, number) for number in range(RACERS * CHATS_A_RACER)])
    with ThreadPoolExecutor(RACERS) as pool:
        racers = [
            pool.submit(run_race, writer, places[n::RACERS], each, Random(seed * 1000 + n)) for n in range(RACERS)
        ]
        while not all(racer.done() for racer in racers):
            crew.look_after()
            hurries(clock)
            time.sleep(LOOK_S)
    acked = {at: ms for racer in racers for at, ms in racer.result().items()}
    report.reopens = len(acked)
    return acked


def run_race(writer: Writer, places: list[Place], reopens: int, random: Random) -> Reopened:
    """For each thread that was reopened, by chat and number, when this was known to be committed."""
    acked: Reopened = {}
    number = 0
    while len(acked) < reopens:
        number += 1
        for place in places:
            agent = agent_of(place)
            insist(writer, act(agent, "close"))
            if random.random() < 0.5:
                time.sleep(random.random() * LONGEST_WAIT_S)
            insist(writer, say(agent, "one more thing", reopen=True))
            acked[place.chat_pk, number] = now_ms()
    return acked


def insist(writer: Writer, command: Send | Act) -> None:
    """Tries again while the store is busy, as every client does; the same id is the same thing."""
    while True:
        try:
            writer.append(command)
            return
        except Busy:
            time.sleep(LOOK_S)


def judge(store: Store, log: SinkLog, scale: Scale, reopened: Reopened, report: Report) -> None:
    """What was taken against what was to be sent."""
    log.read()
    with store.reading() as driver:
        rows = driver.rows("SELECT bounce_token, state, started_ms, chat_pk, thread FROM outbox_item")
    report.states = Counter(row[1] for row in rows)
    report.mails = sum(log.taken.values())
    for token, state, started_ms, chat_pk, thread in rows:
        taken, reopened_ms = log.taken[token], reopened.get((chat_pk, thread))
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
        report.raced += state == "sent" and reopened_ms is not None
    if report.states["sent"] < scale.mails:
        report.violations.append(f"only {report.states['sent']} of {scale.mails} are sent")
