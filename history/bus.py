"""Hints between whoever writes the log and whoever follows it: "look at this chat". Hints may be lost, rows may not,
so every follower also looks by itself now and then.

`MemoryBus` serves one process. `PostgresBus` adds the other processes by LISTEN and NOTIFY: after the commit, on a
connection of its own, many chats in one notification, because NOTIFY inside a writing transaction takes a lock that
all writers of the database share at commit.
"""

import json
import logging
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from history.times import new_id

if TYPE_CHECKING:
    import psycopg

CHANNEL = "stillhere"
PAYLOAD_LIMIT = 7000
"""Bytes of a notification; PostgreSQL refuses 8000 and more."""

RECONNECT_SECONDS = 1.0

log = logging.getLogger("stillhere.bus")


class Hint(NamedTuple):
    """Something about a chat may be new. `typing` carries what is never stored: (participant, on)."""

    chat_pk: int
    typing: tuple[str, bool] | None = None


Listener = Callable[[list[Hint]], None]


class MemoryBus:
    """The bus of a single process. Listeners are called on the thread that publishes, and must be quick."""

    def __init__(self) -> None:
        self.listeners: list[tuple[Listener, bool]] = []

    def subscribe(self, listener: Listener, *, own: bool = True) -> None:
        """From now on `listener` hears the hints; those published in this process only if `own`."""
        self.listeners.append((listener, own))

    def publish(self, hints: list[Hint]) -> None:
        """Tells the followers in this process, and then the other processes if there are any."""
        self._deliver(hints, own=True)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def _deliver(self, hints: list[Hint], *, own: bool) -> None:
        for listener, wants_own in self.listeners:
            if wants_own or not own:
                listener(hints)


class PostgresBus(MemoryBus):
    """The bus of several processes on one PostgreSQL database. `dsn` is a libpq connection string."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self.dsn = dsn
        self.me = new_id()
        self.outgoing: queue.SimpleQueue[Hint | None] = queue.SimpleQueue()
        self.stopping = threading.Event()
        self.threads = [
            threading.Thread(target=self._keep, args=(self._send,), name="stillhere-bus-send", daemon=True),
            threading.Thread(target=self._keep, args=(self._listen,), name="stillhere-bus-listen", daemon=True),
        ]

    def publish(self, hints: list[Hint]) -> None:
        super().publish(hints)
        for hint in hints:
            self.outgoing.put(hint)

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.outgoing.put(None)
        for thread in self.threads:
            thread.join()

    def _keep(self, work: Callable[[Any], None]) -> None:
        """Runs `work` on a connection of its own, again and again while the bus lives."""
        import psycopg  # an extra: the embedded set-up does without

        while not self.stopping.is_set():
            try:
                with psycopg.connect(self.dsn, autocommit=True) as connection:
                    work(connection)
            except psycopg.Error as error:
                log.warning("the bus lost its connection: %s", error)
                self.stopping.wait(RECONNECT_SECONDS)

    def _send(self, connection: "psycopg.Connection[Any]") -> None:
        going = True
        while going:
            waiting = [self.outgoing.get()]
            while not self.outgoing.empty():
                waiting.append(self.outgoing.get())
            going = None not in waiting
            for payload in pack(self.me, [hint for hint in waiting if hint]):
                connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))

    def _listen(self, connection: "psycopg.Connection[Any]") -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        while not self.stopping.is_set():
            for notice in connection.notifies(timeout=0.5):
                self._hear(notice.payload)

    def _hear(self, payload: str) -> None:
        try:
            sender, hints = unpack(payload)
        except ValueError as error:  # from another release, or from no server at all
            log.warning("a hint cannot be read: %s", error)
            return
        if sender != self.me:
            self._deliver(hints, own=False)


def pack(sender: str, hints: list[Hint]) -> list[str]:
    """`hints` as payloads within the limit, equal ones once; none for no hints."""
    payloads: list[str] = []
    items: list[Any] = []
    size = 0
    for hint in dict.fromkeys(hints):
        item = [hint.chat_pk, *(hint.typing or ())]
        length = len(json.dumps(item)) + 2
        if size + length > PAYLOAD_LIMIT:
            payloads.append(json.dumps([sender, items]))
            items, size = [], 0
        items.append(item)
        size += length
    if items:
        payloads.append(json.dumps([sender, items]))
    return payloads


def unpack(payload: str) -> tuple[str, list[Hint]]:
    """Who published, and what. Raises ValueError for what `pack` cannot have made."""
    match orjson.loads(payload):
        case [str(sender), list(items)]:
            return sender, [read_hint(item) for item in items]
        case _:
            raise ValueError("not a sender with hints")


def read_hint(item: object) -> Hint:
    match item:
        case [int(chat_pk)]:
            return Hint(chat_pk)
        case [int(chat_pk), str(participant), bool(on)]:
            return Hint(chat_pk, (participant, on))
        case _:
            raise ValueError("not a hint")
