"""Many tabs on real sockets in one thread: light enough that the servers, not the drivers, are what is tried.

A tab that loses its connection comes back by itself, to any server that is thought to be up, as protocol 4.4 says and
at the pace of the client library.
"""

import re
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.copies import Frame as Told
from tests.record import Record
from tests.servers import Server
from tests.tab import Tab

READ_BYTES = 1 << 16
SEND_PATIENCE_S = 10
LOOK_S = 0.02
CUT = 1006

LIBRARY = Path(__file__).parents[2] / "resume" / "widget" / "pace.js"
PACE_S = {name: int(ms) / 1000 for name, ms in re.findall(r"const (\w+)_MS = ([\d_]+);", LIBRARY.read_text())}
CALM_S = 10.0
"""Who was there for so long counts its tries anew (protocol 4.4)."""


class CrowdTab(Tab):
    """One tab of the crowd. `token` is a customer's resume token or an agent's API key."""

    def __init__(self, crowd: "Crowd", record: Record, actor: str, role: str, token: str) -> None:
        super().__init__(record, actor, role)
        self.crowd, self.token = crowd, token
        self.socket: socket.socket | None = None
        self.protocol: ClientProtocol
        self.server: Server
        self.tries = 0
        self.back_at = self.slot_at = 0.0
        self.calm_at = float("inf")
        crowd.tabs.append(self)

    @property
    def is_welcome(self) -> bool:
        return self.is_connected and bool(self.welcome)

    def dials(self, server: Server) -> None:
        server.tells_limit(self.record)
        self.socket = socket.create_connection(("127.0.0.1", server.port), SEND_PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server = server
        uri = parse_uri(f"ws://127.0.0.1:{server.port}/api/v1/live")
        self.protocol = ClientProtocol(uri, subprotocols=[Subprotocol("stillhere.v1")], max_size=None)
        request = self.protocol.connect()
        if self.role == "agent":
            request.headers["Authorization"] = f"Bearer {self.token}"
        self.protocol.send_request(request)
        self._flush()
        self.crowd.selector.register(self.socket, selectors.EVENT_READ, self)

    def tells_raw(self, text: str | bytes) -> None:
        """What is said to a server that has just said goodbye is lost."""
        if self.protocol.state is State.OPEN:
            self.protocol.send_text(text.encode() if isinstance(text, str) else text)
            self._flush()

    def _flush(self) -> None:
        assert self.socket is not None, "only who is there can send"
        with suppress(OSError):  # the end is noticed when reading
            for data in self.protocol.data_to_send():
                self.socket.sendall(data)

    def hears(self) -> None:
        """Takes what has come."""
        assert self.socket is not None, "only who is there can hear"
        try:
            data = self.socket.recv(READ_BYTES)
        except OSError:
            data = b""
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        for event in self.protocol.events_received():
            if not isinstance(event, Frame):
                self._answered()
            elif event.opcode is Opcode.TEXT:
                self.takes(bytes(event.data))
        is_alive = self.protocol.handshake_exc is None and self.protocol.state in (State.CONNECTING, State.OPEN)
        if is_alive and data:
            self.flushes()
            return
        self.leaves(self.protocol.close_rcvd.code if self.protocol.close_rcvd else CUT)

    def _answered(self) -> None:
        """The handshake is over."""
        if self.protocol.state is State.OPEN:
            self.connected()
            self.says_hello(None if self.role == "agent" else self.token, self.positions())

    def on_welcome(self, frame: Told) -> None:
        super().on_welcome(frame)
        self.slot_at = 0.0
        self.calm_at = self.record.clock() + self.crowd.calm_s

    def on_drain(self, frame: Told) -> None:
        super().on_drain(frame)
        self.slot_at = self.record.clock() + frame["after_ms"] / 1000

    def on_bye(self, frame: Told) -> None:
        super().on_bye(frame)
        if "retry_ms" in frame:
            self.slot_at = self.record.clock() + frame["retry_ms"] / 1000

    def leaves(self, code: int = CUT) -> None:
        """The connection ends here, whoever has ended it."""
        if self.socket is None:
            return
        self.crowd.selector.unregister(self.socket)
        self.socket.close()
        self.socket = None
        if self.is_connected:
            self.lost(code)
        if self.record.clock() >= self.calm_at:
            self.tries = 0
        self.calm_at = float("inf")
        self.waits()

    def waits(self) -> None:
        """Until the next try."""
        self.back_at = max(self.record.clock() + self.crowd.pause(self.tries), self.slot_at)
        self.tries += 1

    def forgets(self, chat: str) -> None:
        """Follows a chat no more, and keeps nothing of it."""
        if self.is_connected:
            self.tells(type="unwatch", chats=[chat])
        self.copies.pop(chat, None)
        self.forgets_own(chat)


class Crowd:
    """All tabs, and where they come in. `servers` tells those that are thought to be up."""

    def __init__(
        self, random: Random, clock: Callable[[], float], servers: Callable[[], list[Server]], calm_s: float = CALM_S
    ) -> None:
        self.random, self.clock, self.servers, self.calm_s = random, clock, servers, calm_s
        self.tabs: list[CrowdTab] = []
        self.selector = selectors.DefaultSelector()

    def pause(self, tries: int) -> float:
        """How long to wait before the next try (protocol 4.4)."""
        growing = min(PACE_S["REDIAL_CEILING"], PACE_S["REDIAL_STEP"] * 2.0**tries)
        return PACE_S["REDIAL_FLOOR"] + self.random.random() * growing

    def moves(self) -> None:
        """Takes what has come to all of them, and brings back who is away."""
        for key, _ in self.selector.select(LOOK_S):
            tab: Any = key.data
            if tab.socket is not None:
                tab.hears()
        servers, now = self.servers(), self.clock()
        for tab in self.tabs:
            if tab.socket is None and tab.back_at <= now and servers:
                try:
                    tab.dials(self.random.choice(servers))
                except OSError:
                    tab.waits()

    def forgets(self, tab: CrowdTab) -> None:
        """The tab is closed for good."""
        self.tabs.remove(tab)
        tab.leaves()

    def close(self) -> None:
        for tab in list(self.tabs):
            self.forgets(tab)
        self.selector.close()
