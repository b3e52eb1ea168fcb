"""Many tabs on real sockets in one thread: light enough that the servers, not the drivers, are what is tried.

A tab that loses its connection comes back by itself, to any server that answers, as protocol 4.4 says.
"""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tests.record import Record
from tests.tab import Tab

READ_BYTES = 1 << 16
SEND_PATIENCE_S = 10
LOOK_S = 0.02
CUT = 1006

BACKOFF_S, FLOOR_S, CEILING_S = 0.5, 0.3, 5.0


class CrowdTab(Tab):
    """One tab of the crowd. `token` is a customer's resume token or an agent's API key."""

    def __init__(self, crowd: "Crowd", record: Record, actor: str, role: str, token: str) -> None:
        super().__init__(record, actor, role)
        self.crowd, self.token = crowd, token
        self.socket: socket.socket | None = None
        self.protocol: ClientProtocol
        self.tries = 0
        self.back_at = 0.0
        crowd.tabs.append(self)

    @property
    def is_welcome(self) -> bool:
        return self.is_connected and bool(self.welcome)

    def dials(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), SEND_PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        uri = parse_uri(f"ws://127.0.0.1:{port}/api/v1/live")
        self.protocol = ClientProtocol(uri, subprotocols=[Subprotocol("stillhere.v1")], max_size=None)
        request = self.protocol.connect()
        if self.role == "agent":
            request.headers["Authorization"] = f"Bearer {self.token}"
        self.protocol.send_request(request)
        self._flush()
        self.crowd.selector.register(self.socket, selectors.EVENT_READ, self)

    def tells_raw(self, text: str | bytes) -> None:
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
                self.tries = 0
        if self.protocol.state is State.OPEN and data:
            self.flushes()
            return
        self.leaves(self.protocol.close_rcvd.code if self.protocol.close_rcvd else CUT)

    def _answered(self) -> None:
        """The handshake is over."""
        if self.protocol.state is State.OPEN:
            self.connected()
            self.says_hello(None if self.role == "agent" else self.token, self.positions())

    def leaves(self, code: int = CUT) -> None:
        """The connection ends here, whoever has ended it."""
        if self.socket is None:
            return
        self.crowd.selector.unregister(self.socket)
        self.socket.close()
        self.socket = None
        if self.is_connected:
            self.lost(code)
        self.back_at = self.record.clock() + self.crowd.pause(self.tries)
        self.tries += 1

    def forgets(self, chat: str) -> None:
        """Follows a chat no more, and keeps nothing of it."""
        if self.is_connected:
            self.tells(type="unwatch", chats=[chat])
        self.copies.pop(chat, None)
        for message_id in [id for id, message in self.composed.items() if message.frame["chat"] == chat]:
            del self.composed[message_id]
            self.answers.pop(message_id, None)


class Crowd:
    """All tabs, and where they come in. `ports` tells the servers that are thought to be up."""

    def __init__(self, random: Random, clock: Callable[[], float], ports: Callable[[], list[int]]) -> None:
        self.random, self.clock, self.ports = random, clock, ports
        self.tabs: list[CrowdTab] = []
        self.selector = selectors.DefaultSelector()

    def pause(self, tries: int) -> float:
        """How long to wait before the next try (protocol 4.4)."""
        return FLOOR_S + self.random.random() * min(CEILING_S, BACKOFF_S * 2.0**tries)

    def moves(self) -> None:
        """Takes what has come to all of them, and brings back who is away."""
        for key, _ in self.selector.select(LOOK_S):
            tab: Any = key.data
            if tab.socket is not None:
                tab.hears()
        ports, now = self.ports(), self.clock()
        for tab in self.tabs:
            if tab.socket is None and tab.back_at <= now and ports:
                try:
                    tab.dials(self.random.choice(ports))
                except OSError:
                    tab.tries += 1
                    tab.back_at = now + self.pause(tab.tries)

    def forgets(self, tab: CrowdTab) -> None:
        """The tab is closed for good."""
        self.tabs.remove(tab)
        tab.leaves()

    def close(self) -> None:
        for tab in list(self.tabs):
            self.forgets(tab)
        self.selector.close()
