"""Customers and agents in a simulated world: tabs on imagined connections, which end at any moment."""

from typing import Any

from history.access import Viewer
from history.times import new_id
from tests.copies import Frame
from tests.record import Record
from tests.simulation.server import SimulatedServer
from tests.simulation.world import Lane, World
from tests.tab import Tab

LOST = 1006


class Connection:
    """Both ends of one connection. The server's end is what a `resume.live.connection.Connection` is to the hub."""

    last_received = float("inf")

    def __init__(self, world: World, tab: "SimulatedTab", server: SimulatedServer, viewer: Viewer) -> None:
        self.tab, self.server = tab, server
        self.up, self.down = Lane(world), Lane(world)
        self.is_open = True
        self.client = server.welcomes(self, viewer)

    # The server's end

    def write(self, *frames: bytes) -> None:
        if self.is_open:
            for frame in frames:
                self.down.put(self._arrives, frame)

    def close(self, code: int, _reason: str) -> None:
        if self.is_open:
            self.is_open = False
            self.down.put(self._ends, code)
            self.up.keep(0)
            self.up.put(self._gone, code)

    # The way

    def sends(self, text: str | bytes) -> None:
        self.up.put(self.server.loop.turn, self.client.received, text)

    def _arrives(self, frame: bytes) -> None:
        if self.tab.connection is self:
            self.tab.takes(payload_of(frame))
            self.tab.goes_on()

    def _ends(self, code: int) -> None:
        if self.tab.connection is self:
            self.tab.connection = None
            self.tab.lost(code)

    def breaks(self) -> None:
        """The way breaks: the tab notices at once, the server later, when it has got what was on its way still."""
        self.tab.connection = None
        self.down.keep(0)
        self.up.cut()
        self.up.put(self._gone, LOST)
        self.tab.lost(LOST)

    def dies(self) -> None:
        """The server is killed; some of what it has sent still arrives."""
        self.is_open = False
        self.up.keep(0)
        self.down.cut()
        self.down.put(self._ends, LOST)

    def _gone(self, code: int) -> None:
        self.is_open = False
        self.server.loop.turn(self.client.closed, code, "")


class SimulatedTab(Tab):
    """A tab in one chat. `viewer` is who the door takes it for."""

    def __init__(self, record: Record, world: World, viewer: Viewer, chat: str) -> None:
        super().__init__(record, viewer.name, viewer.role)
        self.world, self.viewer, self.chat = world, viewer, chat
        self.connection: Connection | None = None
        self.is_waiting = False
        self.words = 0

    page_limit = 3

    @property
    def is_here(self) -> bool:
        return self.chat in self.copies and bool(self.welcome) and self.connection is not None

    def tells_raw(self, text: str | bytes) -> None:
        if self.connection is not None:
            self.connection.sends(text)

    def comes(self, server: SimulatedServer) -> None:
        """A new connection, whatever became of the old one."""
        if self.connection is not None:
            self.connection.breaks()
        self.connection = Connection(self.world, self, server, self.viewer)
        self.connected()
        self.says_hello(None, self.positions() or [{"chat": self.chat, "have": 0}])

    def goes_on(self) -> None:
        """Sends what may be sent, and comes back to what may not be sent yet."""
        self.flushes()
        if self.outbox and self.hold_until > self.world.now and not self.is_waiting:
            self.is_waiting = True
            self.world.later(self.hold_until - self.world.now, self._has_waited)

    def _has_waited(self) -> None:
        self.is_waiting = False
        self.goes_on()

    def has_all(self, head: int) -> bool:
        """Whether nothing is left to come or to go."""
        copy = self.copies.get(self.chat)
        return self.is_here and copy is not None and copy.high == head and not copy.hole and not self.outbox

    # What a person does

    def says(self, **more: Any) -> None:
        self.words += 1
        self.composes(self.chat, {"text": f"{self.actor} {self.words}"}, new_id(), **more)
        self.goes_on()

    def does(self, action: str, **data: Any) -> None:
        act: Frame = {"chat": self.chat, "id": new_id(), "action": action, "data": data}
        by = self.copies[self.chat].me
        self.note("compose", chat=self.chat, id=act["id"], stream="act", by=by, prev=None, data={})
        self.tells(type="act", **act)

    def reads(self) -> None:
        self.tells(type="read", chat=self.chat, seq=self.copies[self.chat].high)

    def confirms(self) -> None:
        self.on_ping({"n": 0})


def payload_of(frame: bytes) -> str:
    """What an unmasked text frame holds (RFC 6455, 5.2)."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :].decode()
