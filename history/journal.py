"""The log: appends events in the writer's transaction and reads them back. The only code that writes event rows.

`apply` takes a batch of commands of many senders: the rows of their chats are locked and read once, each command is
decided in memory, and all new rows go in with one statement a table. A sender's `id` is one event for ever
(unique index), `prev` keeps a sender's messages in the order of composing, `seq` is a counter in the locked row.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import func, insert, update

from history import chats, outbox
from history.access import Place
from history.batch import Batch, Requeue
from history.change import REDACTED, Change, ChatRow
from history.chats import Act, Send
from history.db import Driver, Transaction
from history.errors import Erased, IdConflict, NotFound, PreviousMissing, StillhereError
from history.events import EVENT_COLUMNS, SHOWN_COLUMNS, EventRow, digest_of, event_fields
from history.idle import Idle, next_step
from history.mail.causes import put_transcript
from history.memory import Memory
from history.models import PUBLIC, Participant, Thread
from history.outbox import MailPolicy
from history.times import new_id, rfc3339

SAVE_CHAT = (
    "UPDATE chat SET status = ?, thread = ?, head = ?, hash = ?, internal_head = ?, internal_hash = ?, rev = ?, "
    "agent_id = ?, last_agent_id = ?, waiting_since_ms = ?, updated_ms = ? WHERE pk = ?"
)
MOVE_HEAD = "UPDATE chat SET head = ?, hash = ?, internal_head = ?, internal_hash = ?, updated_ms = ? WHERE pk = ?"
"""All that a message alone changes; naming an indexed column would rewrite the index, changed or not."""

ADD_EVENT = f"INSERT INTO event ({EVENT_COLUMNS}) VALUES ({', '.join('?' * len(EventRow._fields))})"  # noqa: S608
REDACT = "UPDATE event SET data = ?, digest = ? WHERE chat_pk = ? AND stream = ? AND seq = ?"
WHOLE = "SELECT stream, seq, data FROM event WHERE chat_pk = ? AND digest IS NULL"
BEFORE = "SELECT {} FROM event WHERE chat_pk = ? AND stream = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
SAVE_MARKS = "UPDATE participant SET read = ?, delivered = ? WHERE id = ?"

PAGE_LIMIT = 200
"""How many events a page holds at most."""


class Ack(NamedTuple):
    """The answer to a command that is in the log."""

    chat_id: str
    id: str
    seq: int
    hash: str
    at_ms: int
    duplicate: bool = False


def ack_fields(ack: Ack) -> dict[str, Any]:
    """An ack as an object, for the socket and for HTTP."""
    return {
        "chat": ack.chat_id,
        "id": ack.id,
        "seq": ack.seq,
        "hash": ack.hash,
        "at": rfc3339(ack.at_ms),
        "duplicate": ack.duplicate,
    }


@dataclass(frozen=True, slots=True)
class Join:
    """Somebody gets a place in the chat."""

    place: Place


class Mark(NamedTuple):
    """How far a participant's device has the chat, and how far it was on screen. Marks only rise."""

    place: Place
    read: int = 0
    delivered: int = 0


class Commit(NamedTuple):
    """What a transaction did to a chat, for those who follow the log."""

    chat_pk: int
    chat_id: str
    events: tuple[EventRow, ...]
    state_changed: bool
    marks: tuple[tuple[str, int, int], ...] = ()
    """(participant, read, delivered)"""


RIGHTS_ENDED = Commit(0, "", (), state_changed=False)
"""Put among a transaction's commits by whoever takes somebody's rights away: rings like a chat that has no number."""

Command = Send | Act | Join | Mark | Requeue | Idle
Outcome = Ack | StillhereError | None


def writing(policy: MailPolicy) -> Callable[[Transaction, list[Command]], list[Outcome]]:
    """`apply` for a writer, whose batches follow each other."""
    return partial(apply, policy, memory=Memory())


def apply(
    policy: MailPolicy, transaction: Transaction, commands: list[Command], memory: Memory | None = None
) -> list[Outcome]:
    """Decides and writes a batch. Returns an Ack or a refusal for each message and act, None for anything else.

    A `memory` belongs to one writer; what is applied with it is undone with its whole transaction or not at all.
    """
    batch = Batch(transaction, commands, memory or Memory())
    outcomes: list[Outcome] = []
    for command in commands:
        try:
            outcomes.append(decide(batch, command))
        except StillhereError as refusal:
            outcomes.append(refusal)
    save(transaction, policy, batch)
    batch.keep(transaction)
    return outcomes


def decide(batch: Batch, command: Command) -> Outcome:
    """One command against the chats as the commands before it left them."""
    change = batch.changes.get(command.place.chat_pk)
    if change is None:
        raise NotFound("There is no such chat")
    match command:
        case Send() | Act():
            return append(batch, change, command)
        case Mark():
            raise_marks(batch, change, command)
        case Join():
            chats.join(change, command.place, batch.now_ms)
        case Requeue() | Idle():
            follow_rule(batch, change, command)
    return None


def append(batch: Batch, change: Change, command: Send | Act) -> Ack:
    """A message or an act, unless it is in the log already."""
    row = change.row
    if row.erased:
        raise Erased
    twin = batch.twin(command)
    if twin is not None:
        check_same(twin, command)
        return Ack(row.id, twin.id, twin.seq, twin.hash, twin.at_ms, duplicate=True)
    if isinstance(command, Send):
        check_previous(batch, command)
        event = chats.send(change, command, batch.now_ms, batch)
    else:
        done = chats.act(change, command, batch.now_ms, batch)
        if done is None:
            return Ack(row.id, command.id, row.head, row.hash, row.updated_ms, duplicate=True)
        event = done
    batch.remember(event)
    return Ack(row.id, event.id, event.seq, event.hash, event.at_ms)


def follow_rule(batch: Batch, change: Change, command: Requeue | Idle) -> None:
    """A rule seems to concern the chat; now that it is locked, this is looked at again."""
    if isinstance(command, Requeue):
        if batch.is_left(change, command):
            chats.requeue(change, command.place, batch.now_ms)
    elif quiet := batch.quiet(change):
        match next_step(quiet, command.rule, batch.now_ms):
            case "warn":
                chats.warn_idle(change, command.place, quiet.warning, batch.now_ms)
            case "close":
                chats.close(change, command.place, new_id(), batch.now_ms, "idle")


ACTION_KINDS = {
    "accept": "assign",
    "release": "assign",
    "transfer": "transfer",
    "close": "close",
    "reopen": "reopen",
    "rate": "rating",
    "redact": "redact",
}


def check_same(twin: EventRow, command: Send | Act) -> None:
    """The same id must stand for the same thing; redacted data can no longer be compared."""
    if isinstance(command, Send):
        same = twin.stream == command.stream and (twin.digest is not None or twin.data == command.data)
    else:
        same = twin.kind == ACTION_KINDS.get(command.action)
    if not same:
        raise IdConflict("This id was used for something else in this chat")


def check_previous(batch: Batch, command: Send) -> None:
    if command.prev and not batch.knows((command.prev, command.place.chat_pk, command.place.participant)):
        raise PreviousMissing("The message before this one is not here yet", need=command.prev)


def raise_marks(batch: Batch, change: Change, command: Mark) -> None:
    """Marks never fall, never pass the head, and what was read was delivered."""
    participant = command.place.participant
    if participant not in batch.marks:
        return  # an agent who only watches has no place yet
    read, delivered = batch.marks[participant]
    new_read = max(read, min(command.read, change.row.head))
    new_delivered = max(delivered, new_read, min(command.delivered, change.row.head))
    if (new_read, new_delivered) != (read, delivered):
        batch.marks[participant] = change.raised[participant] = (new_read, new_delivered)


def save(transaction: Transaction, policy: MailPolicy, batch: Batch) -> None:
    """Writes what the batch decided."""
    changed = [c for c in batch.changes.values() if c.events or c.state_changed or c.raised]
    save_changes(transaction, changed)
    for change in changed:
        if change.joins or change.threads:
            save_rows_beside(transaction, policy, change)
        if change.redacted:
            outbox.drop_bodies(transaction, change.row.pk)


def save_changes(transaction: Transaction, changes: list[Change]) -> None:
    """Writes events, marks and the chats' rows, and notes them for the bell after the commit."""
    driver = transaction.driver
    driver.run_many(ADD_EVENT, [event for change in changes for event in change.events])
    driver.run_many(REDACT, [(REDACTED, digest, c.row.pk, *at) for c in changes for at, digest in c.redacted.items()])
    driver.run_many(SAVE_CHAT, [saved(c.row) for c in changes if c.state_changed])
    driver.run_many(MOVE_HEAD, [moved(c.row) for c in changes if c.events and not c.state_changed])
    driver.run_many(SAVE_MARKS, [(*marks, id) for c in changes for id, marks in c.raised.items()])
    for change in changes:
        marks = tuple((id, *raised) for id, raised in change.raised.items())
        events = tuple(change.events)
        transaction.commits.append(Commit(change.row.pk, change.row.id, events, change.state_changed, marks))


def saved(row: ChatRow) -> tuple[Any, ...]:
    return (
        row.status,
        row.thread,
        row.head,
        row.hash,
        row.internal_head,
        row.internal_hash,
        row.rev,
        row.agent_id,
        row.last_agent_id,
        row.waiting_since_ms,
        row.updated_ms,
        row.pk,
    )


def moved(row: ChatRow) -> tuple[Any, ...]:
    return row.head, row.hash, row.internal_head, row.internal_hash, row.updated_ms, row.pk


def save_rows_beside(transaction: Transaction, policy: MailPolicy, change: Change) -> None:
    """Participants, threads and the outbox: what joins, openings and closings bring with them."""
    pk = change.row.pk
    for place, joined_ms in change.joins:
        values = {
            "id": place.participant,
            "chat_pk": pk,
            "role": place.role,
            "person_id": place.person_id,
            "name": place.name,
            "joined_ms": joined_ms,
            "read": 0,
            "delivered": 0,
            "online_until_ms": 0,
        }
        transaction.connection.execute(insert(Participant).values(values))
    number = change.row.thread - sum(what == "open" for what, _ in change.threads)
    for what, values in change.threads:
        if what == "open":
            number += 1
            transaction.connection.execute(insert(Thread).values(chat_pk=pk, number=number, **values))
            outbox.cancel_for_chat(transaction, pk, "reopened")
            continue
        if what == "accept":  # the first agent ended the waiting, whoever comes after
            values = values | {"accepted_ms": func.coalesce(Thread.accepted_ms, values["accepted_ms"])}
        where = (Thread.chat_pk == pk) & (Thread.number == number)
        transaction.connection.execute(update(Thread).where(where).values(values))  # type: ignore[arg-type]
        if what == "close":
            put_transcript(transaction, policy, pk, number)


def redact_all(driver: Driver, chat_pk: int) -> int:
    """Takes the data out of all events of a chat. Returns how many had them still."""
    whole = driver.rows(WHOLE, chat_pk)
    driver.run_many(REDACT, [(REDACTED, digest_of(data), chat_pk, stream, seq) for stream, seq, data in whole])
    return len(whole)


def read_after(driver: Driver, chat_pk: int, stream: int, after: int, limit: int) -> list[EventRow]:
    """The first `limit` events after seq `after`, ascending."""
    return rows(
        driver.rows(
            f"SELECT {EVENT_COLUMNS} FROM event WHERE chat_pk = ? AND stream = ? AND seq > ? "  # noqa: S608
            "ORDER BY seq LIMIT ?",
            chat_pk,
            stream,
            after,
            limit,
        )
    )


def read_before(driver: Driver, chat_pk: int, stream: int, before: int, limit: int) -> list[EventRow]:
    """The last `limit` events before seq `before`, ascending."""
    return rows(reversed(driver.rows(BEFORE.format(EVENT_COLUMNS), chat_pk, stream, before, limit)))


def shown_before(driver: Driver, chat_pk: int, before: int, limit: int) -> list[str]:
    """The last `limit` public events before seq `before`, ascending, as JSON texts."""
    found = driver.rows(BEFORE.format(SHOWN_COLUMNS), chat_pk, PUBLIC, before, limit)
    return ["{" + event_fields(*row) + "}" for row in reversed(found)]


def hash_at(driver: Driver, chat_pk: int, seq: int) -> str | None:
    """The stored hash of a public event; None if there is no such event."""
    row = driver.row("SELECT hash FROM event WHERE chat_pk = ? AND stream = ? AND seq = ?", chat_pk, PUBLIC, seq)
    return row[0] if row else None


def rows(found: Iterable[Any]) -> list[EventRow]:
    return [EventRow(*row) for row in found]
