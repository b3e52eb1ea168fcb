"""One imagined server process: the product's hub and writer over imagined threads, which lives until it is killed."""

from collections.abc import Callable
from typing import Any

from history import journal
from history.access import Viewer
from history.bus import Hint, MemoryBus
from history.db import Store, Transaction
from history.outbox import MailPolicy
from history.writer import Answer, Entry, Writer
from resume.live.admission import AdmissionLimits
from resume.live.client import Client
from resume.live.connection import Limits
from resume.live.conversation import TalkLimits
from resume.live.hub import Hub
from resume.live.loop import Flushable
from resume.live.presence import Presence
from tests.broken import Process, process
from tests.simulation.world import Lane, Timer, World

POLICY = MailPolicy(settle_ms=0, domain="example.com")
NO_LIMITS = TalkLimits(1e9, 10**9, 1e9, 10**9)
ALL_COME_IN = AdmissionLimits(1e9, 10**9, 10**9)
GATHERED = 0.5
"""How likely it is that a turn of the loop goes on to another thing before it ends."""


class ImaginedLoop:
    """Stands for `resume.live.loop.Loop`: turns happen when the world has them happen."""

    def __init__(self, world: World) -> None:
        self.world, self.lane = world, Lane(world)
        self.dirty: list[Flushable] = []
        self.runs = True
        self.is_read_for = False
        """Whether a reader thread is at work: what it found out comes to the loop some time later."""

    def start(self) -> None: ...

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        if self.is_read_for:
            Lane(self.world).put(self.lane.put, self.turn, fn, *args)
        elif self.runs:
            self.lane.put(self.turn, fn, *args)

    def call_later(self, seconds: float, fn: Callable[..., object], *args: Any) -> Timer:
        return self.world.later(seconds, self.post, fn, *args)

    def flush_soon(self, flushable: Flushable) -> None:
        self.dirty.append(flushable)

    def turn(self, fn: Callable[..., object], *args: Any) -> None:
        """Does one thing. The turn may end with it, or later, when more was gathered."""
        if not self.runs:
            return
        fn(*args)
        if self.dirty and self.world.chance(GATHERED):
            self.post(self._flush)
        else:
            self._flush()

    def _flush(self) -> None:
        while self.dirty:
            self.dirty.pop().flush()


class ImaginedReaders:
    """Stands for the reader threads: each read has a lane of its own, so any may be the first to end."""

    def __init__(self, world: World, loop: ImaginedLoop) -> None:
        self.world, self.loop = world, loop

    def submit(self, fn: Callable[..., object], *args: Any) -> None:
        Lane(self.world).put(self._read, fn, *args)

    def _read(self, fn: Callable[..., object], *args: Any) -> None:
        if self.loop.runs:
            self.loop.is_read_for = True
            fn(*args)
            self.loop.is_read_for = False


class SteppedWriter(Writer):
    """The product's writer without its thread: the world says when it commits, and how much."""

    def __init__(self, world: World, store: Store, committed: Callable[[list[Any], list[Answer]], None]) -> None:
        super().__init__(store, journal.writing(POLICY), committed)
        self.world, self.lane = world, Lane(world)
        self.process = Process()

    def submit(self, entries: list[Entry]) -> None:
        super().submit(entries)
        self.lane.put(self._step)

    def later(self, work: Callable[[Transaction], object]) -> None:
        super().later(work)
        self.lane.put(self._step)

    def _step(self) -> None:
        waiting = self.waiting.qsize()
        if not waiting:
            return
        process.set(self.process)
        taken = [self.waiting.get() for _ in range(self.world.random.randint(1, waiting))]
        self._commit([item for item in taken if item is not None])
        if not self.waiting.empty():
            self.lane.put(self._step)


class ImaginedBus(MemoryBus):
    """Hints to the other processes, which may be lost."""

    def __init__(self, fleet: "Fleet") -> None:
        super().__init__()
        self.fleet, self.lane = fleet, Lane(fleet.world)

    def publish(self, hints: list[Hint]) -> None:
        super().publish(hints)
        for server in self.fleet.servers:
            if server.bus is not self and not self.fleet.world.chance(self.fleet.hints_lost):
                server.bus.lane.put(server.bus.hear, hints)

    def hear(self, hints: list[Hint]) -> None:
        self._deliver(hints, own=False)


class NobodyThere(Presence):
    """Presence may be lost, so it is not simulated: it costs more than all the rest."""

    def arrive(self, key: str, chat: tuple[int, str] | None) -> None:
        pass

    def leave(self, key: str, now: float) -> None:
        pass


class SimulatedServer:
    """See the module."""

    def __init__(self, fleet: "Fleet", store: Store) -> None:
        self.bus = ImaginedBus(fleet)
        self.writer = SteppedWriter(fleet.world, store, self._committed)
        self.hub = Hub(store, self.writer, self.bus, no_sessions(), NO_LIMITS, ALL_COME_IN, Limits())
        self.loop = ImaginedLoop(fleet.world)
        self.hub.loop = self.loop  # type: ignore[assignment]
        self.hub.readers = ImaginedReaders(fleet.world, self.loop)  # type: ignore[assignment]
        self.hub.presence = NobodyThere()
        self.hub.start()

    def _committed(self, commits: list[Any], answers: list[Answer]) -> None:
        """The writer tells the loop what it has committed before it does anything else, but not in the same moment."""
        self.writer.lane.put_first(self.hub.committed, commits, answers)

    def welcomes(self, connection: Any, viewer: Viewer) -> Client:
        """A client behind `connection`, whom the door knows already."""
        client = Client(self.hub, connection, viewer)
        self.hub.came(client, "")
        return client

    def kill(self) -> None:
        """Nothing of this process happens any more; what it has committed stays."""
        self.loop.runs = False
        for lane in (self.loop.lane, self.writer.lane, self.bus.lane):
            lane.keep(0)


def no_sessions() -> Any:
    """Everybody is known at the door, so no token is ever looked at."""
    return None


class Fleet:
    """All servers on one database, and how likely a hint between them is lost."""

    def __init__(self, world: World, store: Store, size: int) -> None:
        self.world, self.store = world, store
        self.hints_lost = 0.0
        self.servers: list[SimulatedServer] = []
        self.servers += (SimulatedServer(self, store) for _ in range(size))

    def restart(self, server: SimulatedServer) -> None:
        """The process is killed, and another one takes its place."""
        server.kill()
        self.servers[self.servers.index(server)] = SimulatedServer(self, self.store)
