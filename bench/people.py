"""Customers and agents of Stillhere as peers of a crowd: the frames of protocol version 1 that a client
sends.

The measurements make their people from these. A frame's type is found by its bytes, as parsing all JSON
would cost the load generator more than the server.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from uuid_utils import uuid7

from bench.crowd import Peer, PeerClosedError
from bench.service import StartedChat

LIVE = "/api/v1/live"
SUBPROTOCOL = ("Sec-WebSocket-Protocol", "stillhere.v1")
IN_FLIGHT = 8
"""How many unacked messages a client may have (protocol 4.4)."""

ACK, EVENT, NACK, BYE, PAGE, PING, RESUME, WELCOME = (
    f'"type":"{name}"'.encode() for name in ("ack", "event", "nack", "bye", "page", "ping", "resume", "welcome")
)


def send_frame(chat: str, id: str, previous: str | None, text: str) -> bytes:
    """A `send`, written out by hand because it is made tens of thousands of times a second."""
    prev = f'"{previous}"' if previous else "null"
    return f'{{"type":"send","chat":"{chat}","id":"{id}","prev":{prev},"data":{{"text":"{text}"}}}}'.encode()


class Person(Peer):
    """Somebody on a live connection: greets, keeps the heartbeat, stops at a refusal."""

    path = LIVE
    headers: Sequence[tuple[str, str]] = (SUBPROTOCOL,)

    def received(self, payload: bytes) -> None:
        if PING in payload:
            self.say(orjson.dumps({"type": "pong", "n": orjson.loads(payload)["n"], "have": {}}))
        elif NACK in payload or BYE in payload:
            raise PeerClosedError(f"refused: {payload.decode()}")
        else:
            self.heard(payload)

    def heard(self, payload: bytes) -> None:
        """Take a frame that is neither heartbeat nor refusal."""

    def tell(self, type: str, **fields: Any) -> None:
        self.say(orjson.dumps({"type": type, **fields}))


@dataclass(frozen=True)
class Memory:
    """What a device remembers of a chat: up to which number it has all, and the hash there."""

    chat: StartedChat
    have: int = 0
    hash: str | None = None


class Customer(Person):
    """A customer who comes with what the device remembers."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory
        self.chat = memory.chat
        self.resume: dict[str, Any] | None = None
        """What the welcome said about the chat; None before it."""

    def opened(self) -> None:
        known = {"chat": self.chat.id, "have": self.memory.have, "hash": self.memory.hash, "rev": 0}
        self.tell("hello", token=self.chat.token, chats=[known])

    def heard(self, payload: bytes) -> None:
        if self.resume is None and WELCOME in payload:
            (self.resume,) = orjson.loads(payload)["chats"]
            self.welcomed()
        else:
            self.told(payload)

    def welcomed(self) -> None:
        """Go on after the welcome. Most came for nothing else."""
        self.satisfy()

    def told(self, payload: bytes) -> None:
        """Take a frame after the welcome."""


class Writer(Customer):
    """A customer who writes `count` messages as fast as the protocol allows, then stops."""

    def __init__(self, memory: Memory, count: int) -> None:
        super().__init__(memory)
        self.left = count
        self.unacked: deque[str] = deque()
        self.previous: str | None = None

    def welcomed(self) -> None:
        while self.left and len(self.unacked) < IN_FLIGHT:
            self.write()

    def told(self, payload: bytes) -> None:
        if ACK in payload:
            ack = orjson.loads(payload)
            self.unacked.remove(ack["id"])
            self.memory = Memory(self.chat, ack["seq"], ack["hash"])
            if self.left:
                self.write()
            elif not self.unacked:
                self.satisfy()

    def write(self) -> None:
        id = str(uuid7())
        self.say(send_frame(self.chat.id, id, self.previous, self.words()))
        self.previous = id
        self.unacked.append(id)
        self.left -= 1

    def words(self) -> str:
        return f"And another thing, {self.left} more to come after this."


class Agent(Person):
    """An agent's program that watches one chat from its present end."""

    def __init__(self, key: str, chat: StartedChat) -> None:
        super().__init__()
        self.headers = (SUBPROTOCOL, ("Authorization", f"Bearer {key}"))
        self.chat = chat

    def opened(self) -> None:
        self.tell("hello", chats=[])

    def heard(self, payload: bytes) -> None:
        if WELCOME in payload:
            self.tell("watch", chats=[{"chat": self.chat.id, "have": 0, "rev": 0}])
        elif RESUME in payload:
            self.satisfy()
        elif EVENT in payload:
            self.saw(payload)

    def saw(self, payload: bytes) -> None:
        """Take an event of the chat."""
