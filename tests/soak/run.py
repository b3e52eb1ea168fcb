"""A soak on one database: keeps the chats going, has things fail, and judges."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random

import orjson

from tests.checker import check
from tests.dump import Dump, connected, read_dump, rows
from tests.record import Line
from tests.servers import Server
from tests.soak.crowd import Crowd, CrowdTab
from tests.soak.filed import FiledRecord
from tests.soak.pairs import Pair
from tests.web import ask

FAULTS = ("kill", "cut", "cut", "cut", "hints", "hints")
"""Dealt in any order, then anew."""

CUT_AT_ONCE = 6
PAUSE_S = 0.2
PATIENCE_S = 120

LISTENERS = (
    "SELECT pid FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()"
)
HEADS = "SELECT id, head, hash FROM chat"


@dataclass(frozen=True)
class Scale:
    """How long a soak is: messages to be acked, how many of them between one fault and the next, how many each side of
    a chat writes, and how many people write at once.
    """

    messages: int
    fault_every: int = 5000
    words: int = 250
    customers: int = 32
    agents: int = 8


@dataclass
class Report:
    """What came of a soak."""

    messages: int = 0
    seconds: float = 0.0
    chats: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


class Soak:
    """See the module."""

    def __init__(self, folder: Path, servers: list[Server], scale: Scale, seed: int) -> None:
        self.servers, self.scale = servers, scale
        self.random = Random(seed)
        self.record = FiledRecord(folder)
        self.crowd = Crowd(self.random, self.record.clock, self._up, calm_s=0)
        self.starting: dict[Server, threading.Thread] = {}
        self.judged: dict[str, tuple[int, str]] = {}
        self.report = Report()
        self.agents = [self._agent(number) for number in range(scale.agents)]
        self.pairs: list[Pair] = []
        self.again_at = 0.0
        self.deck: list[str] = []

    @property
    def url(self) -> str:
        return self.servers[0].database_url

    @property
    def goes_on(self) -> bool:
        return self.record.acks < self.scale.messages

    def _up(self) -> list[Server]:
        return [server for server in self.servers if server.process is not None]

    def _agent(self, number: int) -> CrowdTab:
        key = self.servers[0].key_of(f"Agent-{number}")
        return CrowdTab(self.crowd, self.record, f"Agent-{number}", "agent", key)

    def run(self) -> Report:
        """Until so many messages are acked, and every chat that was begun is over."""
        begin = moved_at = time.monotonic()
        fault_at, acks = self.scale.fault_every, 0
        while self.pairs or self.goes_on:
            self.crowd.moves()
            self._begin_chats()
            for pair in self.pairs:
                pair.goes_on()
            self._end_chats()
            if self.goes_on and self.record.acks >= fault_at:
                self._something_fails()
                fault_at = self.record.acks + self.scale.fault_every
            if self.record.acks > acks:
                acks, moved_at = self.record.acks, time.monotonic()
            assert time.monotonic() - moved_at < PATIENCE_S, "nothing was acked for long"
        self.report.messages, self.report.seconds = self.record.acks, time.monotonic() - begin
        return self._judge_all()

    def _begin_chats(self) -> None:
        while len(self.pairs) < self.scale.customers and self.goes_on and self.record.clock() > self.again_at:
            try:
                answer = ask(self.random.choice(self._up()).port, "POST", "/api/v1/chats", {"name": "Customer"})
            except (OSError, HTTPException, IndexError):  # nobody is there, or died over it
                self.again_at = self.record.clock() + PAUSE_S
                return
            assert answer.status == 201, answer
            chat, token = answer.json["chat"], answer.json["token"]
            self.record.opens(chat)
            customer = CrowdTab(self.crowd, self.record, f"Customer-{chat[-12:]}", "customer", token)
            agent = min(self.agents, key=lambda one: sum(pair.agent is one for pair in self.pairs))
            for tab in (customer, agent):
                self.record.follows(tab, chat)
            self.pairs.append(Pair(chat, customer, agent, dict.fromkeys(("customer", "agent"), self.scale.words)))

    def _end_chats(self) -> None:
        for pair in [pair for pair in self.pairs if pair.is_over]:
            self.pairs.remove(pair)
            lines = self.record.closes(pair.chat)
            dump = read_dump(self.url, pair.chat)
            self._found(pair.chat, check(lines, dump), lines)
            self.judged[pair.chat] = (dump.head(pair.chat), str(dump.chats[pair.chat]["hash"]))
            self.crowd.forgets(pair.customer)
            pair.agent.forgets(pair.chat)
            self.report.chats += 1

    def _found(self, chat: str, violations: list[str], lines: list[Line]) -> None:
        """Keeps what is wrong, with the record that shows it."""
        self.report.violations += violations
        if violations:
            file = self.record.folder / f"violation-{chat}.jsonl"
            file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
            print(f"{file}: {violations[0]}", file=sys.stderr)

    # Faults

    def _something_fails(self) -> None:
        kinds: dict[str, Callable[[int], bool]] = {"kill": self._kill, "cut": self._cut, "hints": self._lose_hints}
        if not self.deck:
            self.deck = self.random.sample(FAULTS, len(FAULTS))
        kind = self.deck.pop()
        if kinds[kind](self.report.faults.total()):
            self.report.faults[kind] += 1

    def _kill(self, number: int) -> bool:
        """kill -9, and a new process at once."""
        up = [server for server in self.servers if not self._is_starting(server)]
        if not up:
            self.deck.append("kill")  # next time, then
            return False
        server = self.random.choice(up)
        self.record.fault("planned", "kill", number)
        server.kill()
        self.record.fault("seen", "kill", number)
        self.starting[server] = threading.Thread(target=server.start)
        self.starting[server].start()
        return True

    def _is_starting(self, server: Server) -> bool:
        return server in self.starting and self.starting[server].is_alive()

    def _cut(self, number: int) -> bool:
        """Some lose their connection without a word."""
        here = [tab for tab in self.crowd.tabs if tab.is_connected]
        for tab in self.random.sample(here, min(CUT_AT_ONCE, len(here))):
            self.record.fault("planned", "cut", number)
            tab.leaves()
            if not tab.is_connected:
                self.record.fault("seen", "cut", number)
        return bool(here)

    def _lose_hints(self, number: int) -> bool:
        """The servers hear no hints until they listen again."""
        if self.url.startswith("sqlite"):
            return False
        with connected(self.url) as connection:
            for listener in rows(connection, LISTENERS):
                self.record.fault("planned", "hints", number)
                ended = connection.exec_driver_sql("SELECT pg_terminate_backend(%s)", (listener["pid"],)).scalar()
                if ended:
                    self.record.fault("seen", "hints", number)
        return True

    # The end

    def _judge_all(self) -> Report:
        """What was judged is in the database as it was then, and the faults were as planned."""
        for thread in self.starting.values():
            thread.join()
        self.crowd.close()
        with connected(self.url) as connection:
            now = {row["id"]: (row["head"], row["hash"]) for row in rows(connection, HEADS)}
        self.report.violations += [
            f"I1: {chat} was judged at {then}, and is at {now.get(chat)} in the end"
            for chat, then in self.judged.items()
            if now.get(chat) != then
        ]
        self.report.violations += check(self.record.lines, Dump({}, [], [], []))
        return self.report


def soak(folder: Path, url: str, scale: Scale, seed: int) -> Report:
    """A soak on the migrated database at `url`: two servers on PostgreSQL, one on SQLite."""
    servers = [Server(folder, url) for _ in range(1 if url.startswith("sqlite") else 2)]
    try:
        for server in servers:
            server.start()
        return Soak(folder, servers, scale, seed).run()
    finally:
        for server in servers:
            server.stop()
            server.check_log()
