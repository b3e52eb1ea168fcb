"""What a batch of commands touches: its chats, locked and read once, then changed in memory, and what decisions may
ask beyond them (`chats.Around`). Made by the journal, inside the writer's transaction; it writes nothing.
"""

import secrets
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

from history.access import Place, agent_in, places_left
from history.change import Change, ChatRow
from history.chats import Act, Send
from history.db import Transaction
from history.events import EVENT_COLUMNS, EventRow
from history.idle import Quiet, read_quiet
from history.memory import EventKey, Memory

CHAT_COLUMNS = (
    "pk, id, customer_id, status, thread, head, hash, internal_head, internal_hash, rev, agent_id, last_agent_id, "
    "waiting_since_ms, updated_ms, floor"
)
LOCK_CHATS = f"SELECT {CHAT_COLUMNS} FROM chat WHERE pk IN_LIST ORDER BY pk FOR_UPDATE"  # noqa: S608
KNOWN = 'SELECT id, chat_pk, "by" FROM event WHERE id IN_LIST'
TWIN = f'SELECT {EVENT_COLUMNS} FROM event WHERE id = ? AND chat_pk = ? AND "by" = ?'  # noqa: S608
EVENT_AT = f"SELECT {EVENT_COLUMNS} FROM event WHERE chat_pk = ? AND stream = ? AND seq = ?"  # noqa: S608
JOINED = "SELECT id, read, delivered FROM participant WHERE id IN_LIST AND left_ms IS NULL"
AGENT_ONLINE = "SELECT 1 FROM agent WHERE online_until_ms > ? AND disabled_ms IS NULL LIMIT 1"

SALT_BYTES = 8
SALTS_A_DRAW = 128


class Placed(Protocol):
    """Any command: somebody does something in a chat."""

    @property
    def place(self) -> Place: ...


class Requeue(NamedTuple):
    """The agent at `place` loses the chat if away since `before_ms`, which is looked at again under the chat's lock."""

    place: Place
    before_ms: int


def salts() -> Iterator[str]:
    """Salts without end: 64 random bits each in hex, so that the same event over another past never gets the same
    hash. Many are drawn at once, because each draw is a call of the system.
    """
    while True:
        drawn = secrets.token_hex(SALT_BYTES * SALTS_A_DRAW)
        for start in range(0, len(drawn), 2 * SALT_BYTES):
            yield drawn[start : start + 2 * SALT_BYTES]


class Batch:
    """See the module. `memory` spares reading what the batches before have left."""

    def __init__(self, transaction: Transaction, commands: Sequence[Placed], memory: Memory) -> None:
        self.now_ms = transaction.now_ms
        self.driver = transaction.driver
        self.memory = memory
        memory.recall(transaction)
        places = [command.place for command in commands]
        self.changes = self._read_chats({place.chat_pk for place in places})
        self.known: dict[EventKey, EventRow | None] = {}
        """Events in the log, by what makes them one event for ever; None: to be read when it matters."""
        self._read_participants(places)
        self._read_known(commands)

    def _read_chats(self, pks: set[int]) -> dict[int, Change]:
        rows, joined = self.memory.rows, self.memory.joined
        unread = sorted(pks - rows.keys())
        if unread:
            for row in self.driver.rows(LOCK_CHATS, self.driver.list_param(unread)):
                rows[row[0]], joined[row[0]] = ChatRow(*row), set()
        new_salt = salts()
        return {pk: Change(rows[pk], joined[pk], new_salt) for pk in sorted(pks & rows.keys())}

    def _read_participants(self, places: Iterable[Place]) -> None:
        marks = self.memory.marks
        places_by_id = {place.participant: place for place in places if place.participant not in marks}
        if not places_by_id:
            return
        for id, read, delivered in self.driver.rows(JOINED, self.driver.list_param(sorted(places_by_id))):
            marks[id] = (read, delivered)
            change = self.changes.get(places_by_id[id].chat_pk)
            if change:
                change.joined.add(id)

    def _read_known(self, commands: Sequence[Placed]) -> None:
        ids: set[str] = set()
        for command in commands:
            match command:
                case Send(place, id, prev):
                    ids.add(id)
                    if prev and (prev, place.chat_pk, place.participant) not in self.memory.known:
                        ids.add(prev)
                case Act(id=id):
                    ids.add(id)
        if ids:
            self.known = dict.fromkeys(self.driver.rows(KNOWN, self.driver.list_param(sorted(ids))))

    @property
    def marks(self) -> dict[str, tuple[int, int]]:
        """(read, delivered) of participants as this transaction has them."""
        return self.memory.marks

    def keep(self, transaction: Transaction) -> None:
        """All of the batch is written: the next one may begin with what it left."""
        self.memory.known.update(self.known)
        self.memory.keep(transaction)

    def knows(self, key: EventKey) -> bool:
        """Whether the event is in the log."""
        return key in self.known or key in self.memory.known

    def remember(self, event: EventRow) -> None:
        self.known[event.id, event.chat_pk, event.by] = event

    def twin(self, command: Send | Act) -> EventRow | None:
        """What is in the log under the command's id already."""
        key = (command.id, command.place.chat_pk, command.place.participant)
        if key not in self.known:
            return None
        return self.known[key] or next(map(EventRow._make, self.driver.rows(TWIN, *key)))

    @cached_property
    def agent_online(self) -> bool:
        return self.driver.row(AGENT_ONLINE, self.now_ms) is not None

    def colleague(self, change: Change, named: str) -> Place | None:
        place = agent_in(self.driver, change.row.pk, change.row.id, named)
        if place:
            self._read_participants([place])
        return place

    def event_at(self, change: Change, stream: int, seq: int) -> EventRow | None:
        fresh = next((event for event in change.events if (event.stream, event.seq) == (stream, seq)), None)
        return fresh or next(map(EventRow._make, self.driver.rows(EVENT_AT, change.row.pk, stream, seq)), None)

    def is_left(self, change: Change, command: Requeue) -> bool:
        """Whether the agent is still in charge, and still away."""
        in_charge = change.row.agent_id == command.place.person_id
        return in_charge and bool(places_left(self.driver, command.before_ms, command.place.chat_pk))

    def quiet(self, change: Change) -> Quiet | None:
        """The chat as the idle rule sees it; null if it is none of the rule's, as when this batch has written to it."""
        found = [] if change.events else read_quiet(self.driver, self.now_ms, change.row.pk)
        return found[0] if found else None
