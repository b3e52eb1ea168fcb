"""A tab on a real socket, with what a test waits for.

The drivers of `tests/people.py` are devices with verbs. A device runs on the thread of its test: it hears frames only
while it waits for something.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.copies import Frame
from tests.record import Record
from tests.servers import Door
from tests.tab import Tab

SUBPROTOCOL = "stillhere.v1"
PATIENCE_S = 15


class Gone(AssertionError):
    """The socket has closed while something was waited for."""


class Device(Tab):
    """See the module. `actor` is the person, who may have several devices."""

    def __init__(self, record: Record, actor: str, role: str) -> None:
        super().__init__(record, actor, role)
        record.drivers.append(self)
        self.stack = ExitStack()
        self.socket: ClientConnection | None = None
        self.welcome_bytes = 0

    def dials(self, server: Door, headers: dict[str, str]) -> None:
        """A new socket, whatever became of the old one."""
        self.hangs_up()
        server.tells_limit(self.record)
        self.socket = self.stack.enter_context(
            connect(
                f"ws://127.0.0.1:{server.port}/api/v1/live",
                subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
                additional_headers=headers,
                ping_interval=None,
                close_timeout=3,
                max_size=None,
                proxy=None,
            )
        )
        self.connected()

    def hangs_up(self) -> None:
        """Closes the socket, if there is one."""
        if self.socket is not None:
            self._ends(1000)

    def greets(self, token: str | None, chats: list[Frame]) -> None:
        """Says hello and waits for the welcome, or for the end of the connection."""
        self.says_hello(token, chats)
        self.until(lambda: bool(self.welcome), "a welcome")

    def tells_raw(self, text: str | bytes) -> None:
        if self.socket is None:
            raise Gone(f"{self.actor} has no connection")
        with suppress(ConnectionClosed):  # what came before the end is still to be heard
            self.socket.send(text)

    def hears(self, patience_s: float) -> bool:
        """Takes one frame, if one comes in time."""
        if self.socket is None:
            raise Gone(f"{self.actor} has no connection")
        try:
            text = self.socket.recv(timeout=patience_s, decode=False)
        except TimeoutError:
            return False
        except ConnectionClosed as gone:
            self._ends(gone.rcvd.code if gone.rcvd else 1006)
            return False
        if not self.welcome:
            self.welcome_bytes = len(text)
        self.takes(text)
        return True

    def until(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Hears, and sends what may be sent, until the condition holds."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if self.socket is None:
                raise Gone(f"{self.actor} waited for {what}; closed with {self.close_code} {self.bye}")
            assert time.monotonic() < deadline, f"{self.actor} waited in vain for {what}"
            self.flushes()
            self.hears(0.1)

    def pings(self) -> None:
        """Is answered: the connection lives."""
        before = self.pongs
        self.tells(type="ping", n=before)
        self.until(lambda: self.pongs > before, "a pong")

    def is_shut_out(self, code: int) -> None:
        """Waits until the server closes the connection, with this code."""
        with suppress(Gone):
            self.until(lambda: False, f"the end with {code}")
        assert (self.socket, self.close_code) == (None, code)

    def _ends(self, code: int) -> None:
        self.stack.close()
        self.socket = None
        self.lost(code)
