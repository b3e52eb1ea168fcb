"""Pairs of a customer and an agent in a closed loop (journey J1), whatever the server speaks.

A customer sends, waits for the own ack and for the delivery to the agent, and sends the next. Used by
`j1.py` with the people of Stillhere and with those of the reference.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from uuid_utils import uuid7

from bench.crowd import Crowd

WARM_S = 1.0
ANSWER_S = 30.0
TEXT = "Good evening, the parcel came, yet the lamp in it is broken. What can I do now?"
"""79 characters: an ordinary message."""


@dataclass
class Talk:
    """What the pairs saw while it counted."""

    seconds: float
    goes_on: bool = True
    counts: bool = False
    messages: int = 0
    doubles: int = 0
    ack_ms: list[float] = field(default_factory=list)
    delivery_ms: list[float] = field(default_factory=list)
    acked: dict[str, list[str]] = field(default_factory=dict)
    """Ids of all acked messages by chat, also of those that were not counted, in the order of sending."""

    @property
    def rate(self) -> float:
        """Messages acked and delivered, per second."""
        return self.messages / self.seconds


class Pair:
    """One chat's closed loop. `send` puts a message (id, id of the one before) on the wire."""

    def __init__(self, talk: Talk, chat: str, send: Callable[[str, str | None], None]) -> None:
        self.talk, self.chat, self.send = talk, chat, send
        self.id = ""
        self.previous: str | None = None
        self.is_acked = self.is_delivered = True
        self.begin = 0.0
        self.acked_ids = talk.acked.setdefault(chat, [])

    @property
    def is_idle(self) -> bool:
        return self.is_acked and self.is_delivered

    def next(self) -> None:
        self.previous, self.id = self.id or None, str(uuid7())
        self.is_acked = self.is_delivered = False
        self.begin = time.perf_counter()
        self.send(self.id, self.previous)

    def ack(self, payload: bytes) -> None:
        """The customer got an ack."""
        if self.is_acked or self.id.encode() not in payload:
            self.talk.doubles += 1
            return
        self.is_acked = True
        self.acked_ids.append(self.id)
        if self.talk.counts:
            self.talk.ack_ms.append((time.perf_counter() - self.begin) * 1000)
        self.go_on()

    def delivery(self, payload: bytes) -> None:
        """The agent got a message."""
        if self.is_delivered or self.id.encode() not in payload:
            self.talk.doubles += 1
            return
        self.is_delivered = True
        if self.talk.counts:
            self.talk.delivery_ms.append((time.perf_counter() - self.begin) * 1000)
        self.go_on()

    def go_on(self) -> None:
        if self.is_idle:
            self.talk.messages += self.talk.counts
            if self.talk.goes_on:
                self.next()


def talk_for(crowd: Crowd, talk: Talk, pairs: Sequence[Pair]) -> None:
    """Let all pairs talk: a warm-up, `talk.seconds` that count, then the end of what is under way."""
    for pair in pairs:
        pair.next()
    crowd.run_for(WARM_S)
    talk.counts = True
    crowd.run_for(talk.seconds)
    talk.counts = talk.goes_on = False
    crowd.run(lambda: all(pair.is_idle for pair in pairs), ANSWER_S)
