"""A TCP proxy in front of a real server, with mishaps that a test plans: it cuts, holds, drops and delays what passes.

It knows WebSocket frames in both directions, so a mishap may strike one `type` of frame only; other HTTP passes as
bytes. The fixture `proxy_to` makes a `Link`, which drivers take for a server. Each mishap is noted in the record when
it is planned and when it first strikes. Two threads a connection, one a direction; a mishap never judges.
"""

import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Literal

from websockets.exceptions import InvalidHandshake

from tests.device import PATIENCE_S, Gone
from tests.people import Agent, Customer
from tests.pieces import END, UPGRADE, Piece, pieces
from tests.record import Record
from tests.servers import Door, Server

Direction = Literal["client to server", "server to client"]
UP: Direction = "client to server"
DOWN: Direction = "server to client"

JOIN_SECONDS = 5
HOP_BY_HOP = re.compile(rb"(?im)^(?:upgrade|connection):.*\r\n")


class Way:
    """One direction of one connection. `lock` is held by whoever sends, so that nothing overtakes."""

    def __init__(self, direction: Direction, source: socket.socket, target: socket.socket) -> None:
        self.direction, self.source, self.target = direction, source, target
        self.lock = threading.Lock()
        self.opened = time.monotonic()
        self.passed = 0

    def sends(self, piece: Piece) -> None:
        with suppress(OSError):  # the other side has gone, which the other direction sees
            if piece is END:
                self.target.shutdown(socket.SHUT_WR)
            else:
                self.target.sendall(piece.raw)
                self.passed += len(piece.raw)

    def sends_together(self, held: list[Piece]) -> None:
        """Whatever was kept arrives at one moment."""
        self.sends(Piece(b"".join(piece.raw for piece in held)))
        if END in held:
            self.sends(END)

    def cuts(self) -> None:
        """The end for both sides, after what has been sent."""
        for end in (self.source, self.target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


Meets = Callable[["Fault", Way, Piece], Piece | None]
"""What a mishap makes of a piece that passes; None: it goes no further."""


class Fault:
    """A mishap that is planned for one direction, and perhaps for some types of frames only."""

    def __init__(self, record: Record, what: str, direction: Direction, types: tuple[str, ...], meets: Meets) -> None:
        self.record, self.direction, self.types, self.meets = record, direction, types, meets
        self.what = ", ".join((what, direction, *types))
        self.held: dict[Way, list[Piece]] = defaultdict(list)
        self.has_struck = threading.Event()
        record.fault("planned", self.what)

    def concerns(self, way: Way, piece: Piece) -> bool:
        return way.direction == self.direction and (not self.types or piece.type in self.types)

    def strikes(self) -> None:
        if not self.has_struck.is_set():
            self.has_struck.set()
            self.record.fault("seen", self.what)


class Link:
    """The way to a server, with a port of its own. Mishaps hold from now on, for the connections there are and for
    those to come, until they are lifted.
    """

    def __init__(self, record: Record, server: Server) -> None:
        self.record, self.server = record, server
        self.faults: tuple[Fault, ...] = ()
        self.ways: list[Way] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.threads = [threading.Thread(target=self._accept, name="fault-proxy")]
        self.threads[0].start()

    def key_of(self, name: str) -> str:
        return self.server.key_of(name)

    def tells_limit(self, record: Record) -> None:
        self.server.tells_limit(record)

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.threads[0].join(JOIN_SECONDS)
        self.cuts_all()
        for thread in self.threads:
            thread.join(JOIN_SECONDS)

    # Mishaps

    def drops(self, direction: Direction, *types: str) -> Fault:
        """Swallows frames of these types."""
        return self._plans("drop", direction, types, drop)

    def holds(self, direction: Direction, *types: str, until_bytes: int | None = None) -> Fault:
        """Keeps everything, or frames of these types, until the mishap is lifted, or so many bytes are there."""
        return self._plans("hold", direction, types, partial(hold, until_bytes))

    def delays(self, direction: Direction, seconds: float) -> Fault:
        """A slow way: each piece takes so long."""
        return self._plans(f"delay by {seconds} s", direction, (), partial(delay, seconds))

    def cuts(self, direction: Direction, after_bytes: int) -> Fault:
        """Cuts one connection after so many bytes in one direction, counted from its beginning."""
        return self._plans(f"cut after {after_bytes} bytes", direction, (), partial(cut, after_bytes))

    def strips_upgrade(self) -> Fault:
        """Knows no WebSocket: the server gets a plain request in the place of a handshake."""
        return self._plans("strip upgrade", UP, (), strip)

    def ages(self, direction: Direction, seconds: float, *types: str) -> Fault:
        """Cuts each connection that is so old, when anything, or a frame of these types, would pass."""
        return self._plans(f"cut after {seconds} s", direction, types, partial(age, seconds))

    def cuts_all(self) -> None:
        """Cuts the connections that there are."""
        for way in list(self.ways):
            way.cuts()

    def lifts(self, fault: Fault) -> None:
        """Once it has struck, the mishap is over; what it has held goes on its way, in order."""
        assert fault.has_struck.wait(PATIENCE_S), f"{fault.what}: never struck"
        with ExitStack() as locks:
            for way in list(self.ways):
                locks.enter_context(way.lock)
            self.faults = tuple(one for one in self.faults if one is not fault)
            for way, held in fault.held.items():
                way.sends_together(held)

    def _plans(self, what: str, direction: Direction, types: tuple[str, ...], meets: Meets) -> Fault:
        fault = Fault(self.record, what, direction, types, meets)
        self.faults += (fault,)
        return fault

    # Connections

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                client, _ = self.listener.accept()
                self.threads.append(threading.Thread(target=self._serve, args=(client,), name="fault-proxy-up"))
                self.threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self.server.port)) as server:
            up, down = Way(UP, client, server), Way(DOWN, server, client)
            self.ways += [up, down]
            back = threading.Thread(target=self._pump, args=(down,), name="fault-proxy-down")
            back.start()
            self._pump(up)
            back.join()
            self.ways.remove(up)
            self.ways.remove(down)

    def _pump(self, way: Way) -> None:
        for piece in pieces(way.source):
            with way.lock:
                self._passes(way, piece)

    def _passes(self, way: Way, piece: Piece) -> None:
        left: Piece | None = piece
        for fault in self.faults:
            if left is not None and fault.concerns(way, left):
                left = fault.meets(fault, way, left)
        if left is not None:
            way.sends(left)


ProxyTo = Callable[[Server], Link]
"""The fixture of this name: makes a link to a server."""


def drop(fault: Fault, _way: Way, _piece: Piece) -> None:
    fault.strikes()


def hold(until_bytes: int | None, fault: Fault, way: Way, piece: Piece) -> None:
    fault.strikes()
    held = fault.held[way]
    held.append(piece)
    if until_bytes is not None and sum(len(one.raw) for one in held) >= until_bytes:
        way.sends_together(held)
        held.clear()


def delay(seconds: float, fault: Fault, _way: Way, piece: Piece) -> Piece:
    fault.strikes()
    time.sleep(seconds)
    return piece


def cut(after_bytes: int, fault: Fault, way: Way, piece: Piece) -> Piece | None:
    room = after_bytes - way.passed
    if fault.has_struck.is_set() or len(piece.raw) < room:
        return piece
    fault.strikes()
    way.sends(Piece(piece.raw[: max(0, room)]))
    way.cuts()
    return None


def age(seconds: float, fault: Fault, way: Way, piece: Piece) -> Piece | None:
    if time.monotonic() < way.opened + seconds:
        return piece
    fault.strikes()
    way.cuts()
    return None


def strip(fault: Fault, _way: Way, piece: Piece) -> Piece:
    if not UPGRADE.search(piece.raw):
        return piece
    fault.strikes()
    return Piece(HOP_BY_HOP.sub(b"", piece.raw))


def comes_back_somehow(person: Customer | Agent, server: Door) -> None:
    """Tries again and again to come back, as a client does on a bad link."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            person.comes_back(server)
            return
        except (Gone, OSError, InvalidHandshake):
            assert time.monotonic() < deadline, f"{person.actor} never came back"
