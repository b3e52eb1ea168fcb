"""One run: some people chat while everything goes wrong, then the faults stop, everybody comes back, and the checker
judges. What happens follows from the seed alone.
"""

import gc
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from history.access import Viewer
from resume.live import opening
from tests.checker import check
from tests.dump import Dump
from tests.record import Line, Record
from tests.simulation.disk import AGENTS, Disk, Rows
from tests.simulation.people import SimulatedTab
from tests.simulation.server import POLICY, Fleet, SimulatedServer
from tests.simulation.world import NeverRests, World

SERVERS = 2
DEEDS = (6, 16)
"""How many things people and chance do in a run, at least and at most."""

BREATH = 12
"""How many steps follow a deed at most."""

HINTS_LOST = (0.0, 0.3, 1.0)
COMMITS_FAIL = (0.0, 0.0, 0.2)
BACKUPS = 0.5
"""How likely it is that the empty database of the beginning can be put back."""

CALM_ROUNDS = 6
CALM_S = 2.5
"""Longer than the hub's own look at the log, which finds what no hint told."""

RESUME_EVENTS = (2, 5, 50)
"""How many events a resume carries; chats are short here, so that they must be few to leave a gap."""

MakeTab = Callable[[Record, World, Viewer, str], SimulatedTab]


@dataclass(frozen=True)
class Run:
    """What came of a run."""

    seed: int
    record: list[Line]
    violations: list[str]
    deeds: list[str]


class Scene:
    """Who and what there is in a run, and what may happen to them. A deed that makes no sense at its moment is none."""

    def __init__(self, seed: int, disk: Disk, make_tab: MakeTab) -> None:
        self.world, self.disk = World(seed), disk
        self.record = Record(self.world.clock)
        disk.fail_by(lambda: self.world.chance(self.commits_fail))
        self.commits_fail = 0.0
        self.fleet = Fleet(self.world, disk, SERVERS)
        ann = Viewer("customer", disk.customer, "Ann")
        agents = [Viewer("agent", name, name) for name in AGENTS[: self.world.random.randint(1, len(AGENTS))]]
        viewers = [ann] * self.world.random.randint(1, 2) + agents
        self.tabs = [make_tab(self.record, self.world, viewer, disk.chat) for viewer in viewers]
        self.commits_fail = self.world.one_of(COMMITS_FAIL)
        self.fleet.hints_lost = self.world.one_of(HINTS_LOST)
        self.hints_were_lost = self.fleet.hints_lost > 0
        self.backup: Rows | None = disk.copy() if self.world.chance(BACKUPS) else None
        self.deeds: list[str] = []

    def goes_wrong(self) -> None:
        for tab in self.tabs:
            tab.comes(self.world.one_of(self.fleet.servers))
        for _ in range(self.world.random.randint(*DEEDS)):
            self.world.steps(self.world.random.randint(0, BREATH))
            deed = self.world.one_of(DEALT)
            self.deeds.append(deed.__name__)
            deed(self)

    def calms_down(self) -> None:
        """The faults stop; everybody comes back, sends what is left and gets what is missing."""
        self.commits_fail = self.fleet.hints_lost = 0.0
        for _ in range(CALM_ROUNDS):
            self.world.rests()
            for tab in self.tabs:
                if not tab.is_here:
                    tab.comes(self.world.one_of(self.fleet.servers))
            self.world.rests()
            self.world.passes(CALM_S)
            head = self.disk.head()
            if all(tab.has_all(head) for tab in self.tabs):
                return

    def judged(self) -> list[str]:
        """Plays, and tells every broken promise."""
        try:
            self.goes_wrong()
            self.calms_down()
        except NeverRests as fault:
            return [str(fault)]
        dump = self.disk.dump()
        return [*check(self.record.lines, dump), *self.not_told(dump)]

    def not_told(self, dump: Dump) -> Iterator[str]:
        """Who knows the chat otherwise than it is, or still has something to send, after a time in which all could be
        told and sent (I8 for states). Marks alone are told to other processes by a hint only; if it was lost they come
        with the next state.
        """
        (chat,) = dump.chats.values()
        marks = {person["id"]: (person["read"], person["delivered"]) for person in dump.participants}
        for tab in self.tabs:
            copy = tab.copies.get(tab.chat)
            if copy is None:
                yield f"I8: {tab.tab} was never let in"
            elif copy.state["rev"] != chat["rev"] or (copy.marks != marks and not self.hints_were_lost):
                told = f"rev {copy.state['rev']} with marks {copy.marks}"
                yield f"I8: {tab.tab} knows {told}; it is {chat['rev']}, {marks}"
            if tab.outbox:
                yield f"I8: {tab.tab} still has {len(tab.outbox)} messages that were neither taken nor refused"

    # Deeds

    def somebody_says(self) -> None:
        tab = self.world.one_of(self.tabs)
        if tab.chat in tab.copies:
            for _ in range(self.world.random.randint(1, 3)):
                more = {"reopen": True} if self.world.chance(0.5) else {}
                tab.says(**more)

    def an_agent_notes(self) -> None:
        tab = self.tabs[-1]
        if tab.chat in tab.copies:
            tab.says(stream="internal")

    def somebody_acts(self) -> None:
        tab = self.world.one_of(self.tabs)
        if tab.is_here:
            tab.does(self.world.one_of(("accept", "accept", "release", "close", "reopen")))

    def an_agent_redacts(self) -> None:
        tab = self.tabs[-1]
        if tab.is_here:
            said = [seq for seq, event in tab.copies[tab.chat].events.items() if event["kind"] == "message"]
            if said:
                tab.does("redact", seq=self.world.one_of(said))

    def somebody_reads(self) -> None:
        tab = self.world.one_of(self.tabs)
        if tab.is_here:
            tab.reads()
            tab.confirms()

    def a_link_breaks(self) -> None:
        tab = self.world.one_of(self.tabs)
        if tab.connection is not None:
            tab.connection.breaks()

    def somebody_comes_back(self) -> None:
        self.world.one_of(self.tabs).comes(self.world.one_of(self.fleet.servers))

    def a_server_is_killed(self) -> None:
        self.kill(self.world.one_of(self.fleet.servers))

    def a_backup_is_made(self) -> None:
        self.backup = self.disk.copy()

    def the_backup_is_put_back(self) -> None:
        """All servers stop; what was still on its way to somebody is lost with them. Somebody is back first."""
        if self.backup is None:
            return
        for server in list(self.fleet.servers):
            self.kill(server)
        for tab in self.tabs:
            if tab.connection is not None:
                tab.connection.breaks()
        self.disk.put_back(self.backup)
        self.record.restored()
        self.somebody_comes_back()
        self.world.steps(BREATH)
        self.somebody_says()

    def all_comes_to_rest(self) -> None:
        self.world.rests()

    def time_passes(self) -> None:
        self.world.passes(self.world.random.random())

    def kill(self, server: SimulatedServer) -> None:
        for tab in self.tabs:
            if tab.connection is not None and tab.connection.server is server:
                tab.connection.dies()
        self.fleet.restart(server)


DEALT: tuple[Callable[[Scene], None], ...] = (
    *(Scene.somebody_says,) * 8,
    *(Scene.somebody_comes_back,) * 3,
    *(Scene.a_link_breaks,) * 3,
    *(Scene.somebody_acts,) * 3,
    Scene.an_agent_notes,
    Scene.an_agent_redacts,
    Scene.somebody_reads,
    Scene.a_server_is_killed,
    Scene.a_server_is_killed,
    Scene.a_backup_is_made,
    *(Scene.the_backup_is_put_back,) * 2,
    *(Scene.all_comes_to_rest,) * 2,
    Scene.time_passes,
)


@cache
def the_disk(*, unique: bool = True) -> tuple[Disk, Rows]:
    """One memory for all runs of this process, and how it is at the beginning of each."""
    logging.getLogger("stillhere.store").setLevel(logging.CRITICAL)  # commits fail here on purpose
    disk = Disk(POLICY, unique=unique)
    gc.freeze()  # what is loaded stays, and a run makes rubbish enough to have it looked at again and again
    return disk, disk.copy()


def run(seed: int, make_tab: MakeTab = SimulatedTab, *, unique: bool = True) -> Run:
    """Plays the run of this seed, with tabs that are as `make_tab` makes them. Without `unique` the schema does not
    forbid that an id is stored twice.
    """
    disk, beginning = the_disk(unique=unique)
    disk.put_back(beginning)
    scene = Scene(seed, disk, make_tab)
    whole = opening.RESUME_EVENTS
    opening.RESUME_EVENTS = scene.world.one_of(RESUME_EVENTS)
    try:
        violations = scene.judged()
    except Exception as error:
        error.add_note(f"in the run of seed {seed}")
        raise
    finally:
        opening.RESUME_EVENTS = whole
    return Run(seed, scene.record.lines, violations, scene.deeds)
