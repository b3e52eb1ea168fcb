"""2,000 tabs on two servers, which are restarted one after the other, or killed both at once, while some people write:
everybody comes back by themselves, and nobody loses anything. All tabs are judged, with all that they saw.
"""

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle
from random import Random
from time import monotonic

import pytest

from history.times import new_id
from tests.checker import check
from tests.conftest import Serve
from tests.dump import connected, read_dump, rows
from tests.record import Record
from tests.servers import Server
from tests.soak.crowd import Crowd, CrowdTab
from tests.web import ask

TABS, TABS_EACH, WRITERS = 2000, 5, 40
HELLOS_PER_SECOND = 200
WRITE_EVERY_S = 0.02
PATIENCE_S = 240

FILES = 4096
"""More than a process with all the connections has open."""

RESTART, BROKEN_OFF, FULL, HELLO_LATE = 1012, 1006, 4101, 4008
"""The last is for the crowd on a busy machine: it comes to many tabs by turns, and each is to try again."""

POOL, BUS = 32, 2
"""How many connections to the database a server has at most, and how many besides for its hints."""

IN_USE = """
SELECT application_name AS name, count(*) AS number FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'server-%' GROUP BY name
"""


class WritingCrowd(Crowd):
    """Customers with some tabs each. Of 40 tabs one after the other writes, whatever has become of its connection."""

    def __init__(self, servers: list[Server], record: Record, chance: Random) -> None:
        super().__init__(chance, record.clock, lambda: servers)
        with ThreadPoolExecutor(8) as threads:
            tokens = list(threads.map(lambda number: token_of_new(servers[number % 2]), range(TABS // TABS_EACH)))
        for number in range(TABS):
            tab = CrowdTab(self, record, f"Customer {number // TABS_EACH}", "customer", tokens[number // TABS_EACH])
            tab.back_at = record.clock() + number / HELLOS_PER_SECOND / len(servers)
        self.writers = cycle(self.tabs[:: TABS // WRITERS])
        self.write_at = record.clock()

    def moves(self) -> None:
        super().moves()
        if self.clock() >= self.write_at:
            self.write_at = self.clock() + WRITE_EVERY_S
            tab = next(self.writers)
            for chat in tab.copies:
                tab.composes(chat, {"text": f"{tab.actor} at {self.write_at}"}, new_id())
            tab.flushes()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = monotonic() + PATIENCE_S
        while not condition():
            assert monotonic() < deadline, f"the crowd waited in vain for {what}"
            self.moves()

    def sees_done(self, work: Callable[[], None]) -> None:
        """Goes on while something is done to the servers."""
        with ThreadPoolExecutor(1) as thread:
            done = thread.submit(work)
            self.until(done.done, "the operator")
            done.result()

    def is_back(self, before: dict[CrowdTab, int]) -> bool:
        """Whether all are there, on another connection than the one of that number."""
        return all(tab.is_welcome and tab.connections > number for tab, number in before.items())

    def settles(self, database_url: str) -> None:
        """Nobody writes any more, and everybody gets what was written."""
        self.write_at = float("inf")
        self.until(lambda: not any(tab.outbox for tab in self.tabs), "all that was written to be taken")
        dump = read_dump(database_url)
        heads = {chat: dump.head(chat) for chat in dump.chats}
        self.until(lambda: all(has_all(tab, heads) for tab in self.tabs), "everybody to have everything")


def token_of_new(server: Server) -> str:
    """The token of a new customer, who has one chat."""
    return str(ask(server.port, "POST", "/api/v1/chats", {"name": "Customer"}).json["token"])


def has_all(tab: CrowdTab, heads: dict[str, int]) -> bool:
    return all(copy.high >= heads[chat] and not copy.hole for chat, copy in tab.copies.items())


def connections(tabs: list[CrowdTab]) -> dict[CrowdTab, int]:
    return {tab: tab.connections for tab in tabs}


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as the connections need, in this process and in the servers that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < FILES:
        pytest.skip(f"{TABS} connections need {FILES} open files, and this machine allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def servers(many_files: None, serve_postgres: Serve, postgres_url: str) -> list[Server]:
    """Two servers, whose connections to the database bear their names."""
    named = (f"{postgres_url}&application_name=server-{number}" for number in (1, 2))
    return [serve_postgres(HELLOS_PER_SECOND=str(HELLOS_PER_SECOND), DATABASE_URL=url) for url in named]


@pytest.fixture
def crowd(servers: list[Server], record: Record, chance: Random) -> Iterator[WritingCrowd]:
    """Everybody is there."""
    with closing(WritingCrowd(servers, record, chance)) as crowd:
        crowd.until(lambda: crowd.is_back(dict.fromkeys(crowd.tabs, 0)), "all to come")
        yield crowd


def test_of_a_rolling_restart_everybody_is_told_when_to_come_back(
    crowd: WritingCrowd, servers: list[Server], record: Record, postgres_url: str
) -> None:
    for server in servers:
        sent_away = connections([tab for tab in crowd.tabs if tab.server is server])
        seen = len(record.lines)
        for tab in sent_away:
            tab.drained = {}
        crowd.sees_done(server.stop)
        crowd.sees_done(server.start)
        crowd.until(lambda sent_away=sent_away: crowd.is_back(sent_away), "all to come back")  # type: ignore[misc]

        slots_ms = {tab.drained["after_ms"] for tab in sent_away}
        assert len(slots_ms) == len(sent_away), "everybody has a slot of the own"
        assert max(slots_ms) < 2 * len(sent_away) * 1000 / HELLOS_PER_SECOND
        closes = [(line["tab"], line["code"]) for line in record.lines[seen:] if line["ev"] == "close"]
        first_closes = dict(reversed(closes))
        assert first_closes == {tab.tab: RESTART for tab in sent_away}, "nobody else is concerned"
    crowd.settles(postgres_url)
    assert check(record.lines, read_dump(postgres_url)) == []


def test_after_a_crash_of_all_servers_nobody_gives_up(
    crowd: WritingCrowd, servers: list[Server], record: Record, postgres_url: str
) -> None:
    before = connections(crowd.tabs)
    seen = len(record.lines)
    for server in servers:
        server.kill()
    crowd.until(lambda: not any(tab.is_connected for tab in crowd.tabs), "all to notice")
    for server in servers:
        crowd.sees_done(server.start)
    in_use: set[tuple[str, int]] = set()
    with connected(postgres_url) as database:

        def is_back() -> bool:
            in_use.update((row["name"], row["number"]) for row in rows(database, IN_USE))
            database.rollback()  # a transaction sees one moment only
            return crowd.is_back(before)

        crowd.until(is_back, "all to come back")
    assert {name for name, _ in in_use} == {"server-1", "server-2"}
    assert max(number for _, number in in_use) <= POOL + BUS
    assert {line["code"] for line in record.lines[seen:] if line["ev"] == "close"} <= {BROKEN_OFF, FULL, HELLO_LATE}
    crowd.settles(postgres_url)
    assert check(record.lines, read_dump(postgres_url)) == []
