"""The people of `tests/people.py` without WebSocket: all they say and hear goes by `POST /api/v1/sync` (protocol 4.6).

    ann = PollingCustomer(record, "Ann").starts(server, "Where is my parcel?")

They have the same verbs. What is said waits for the next poll; a poll is made when something is waited for.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPConnection
from itertools import cycle
from typing import cast

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close
from websockets.sync.client import ClientConnection

from tests.copies import Frame
from tests.device import Device
from tests.people import Agent, Customer
from tests.servers import Door
from tests.web import TIMEOUT_S, Answer, ask

PATH = "/api/v1/sync"
WAIT_MS = 2000


def poll(port: int, frames: list[Frame], wait_ms: int = 0, **headers: str) -> Answer:
    return ask(port, "POST", PATH, {"frames": frames, "wait_ms": wait_ms}, **headers)


def begin_poll(port: int, frames: list[Frame], wait_ms: int = 25_000) -> HTTPConnection:
    """Sends a poll and does not wait for the response, which can be read from the connection, or never."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    body = json.dumps({"frames": frames, "wait_ms": wait_ms})
    connection.request("POST", PATH, body, {"Content-Type": "application/json"})
    return connection


def end_poll(connection: HTTPConnection) -> list[Frame]:
    """Waits for the response; returns its frames."""
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200, body
    return list(json.loads(body)["frames"])


class PollSocket:
    """What a device takes for its socket. Each poll says hello with the `positions` of that moment."""

    def __init__(self, ports: Iterator[int], headers: dict[str, str], positions: Callable[[], list[Frame]]) -> None:
        self.ports, self.headers, self.positions = ports, headers, positions
        self.hello: Frame = {}
        self.lasting: list[Frame] = []
        """What a socket remembers and a poll has to say anew."""
        self.outgoing: list[Frame] = []
        self.incoming: deque[Frame] = deque()

    def send(self, text: str) -> None:
        frame = json.loads(text)
        if frame["type"] == "hello":
            self.hello = frame
        else:
            (self.lasting if frame["type"] == "queue" else self.outgoing).append(frame)

    def recv(self, timeout: float, decode: bool) -> bytes:
        if not self.incoming:
            answer = poll(next(self.ports), self.takes_outgoing(), WAIT_MS, **self.headers)
            assert answer.status == 200, answer
            self.incoming += answer.json["frames"]
        frame = self.incoming.popleft()
        if frame["type"] == "bye":
            raise ConnectionClosedError(Close(frame["code"], frame["detail"]), None)
        return json.dumps(frame).encode()

    def takes_outgoing(self) -> list[Frame]:
        """The frames of the next poll."""
        said, self.outgoing = self.outgoing, []
        return [self.hello | {"chats": self.positions()}, *self.lasting, *said]

    def close(self, code: int = 1000) -> None: ...


class Polling(Device):
    """A device that polls, each time at another server of the fleet if there is one, or uses a socket for once."""

    fleet: Iterable[Door] = ()
    by_polls = True

    def dials(self, server: Door, headers: dict[str, str]) -> None:
        if not self.by_polls:
            super().dials(server, headers)
            return
        self.hangs_up()
        ports = cycle([one.port for one in self.fleet or (server,)])
        self.socket = cast(ClientConnection, PollSocket(ports, headers, self.positions))
        self.connected()

    def vanishes(self) -> None:
        """Sends what was said in a last poll, and is gone before the response."""
        assert isinstance(self.socket, PollSocket), "only who polls can vanish in a poll"
        begin_poll(next(self.socket.ports), self.socket.takes_outgoing()).close()
        self.hangs_up()


class PollingCustomer(Polling, Customer):
    pass


class PollingAgent(Polling, Agent):
    pass
