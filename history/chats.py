"""A chat's life: what customers and agents may do in which status, and what it writes into the log.

Called by the journal, inside the writer's transaction, with the chat's row locked. Everything here works on values;
what must be stored besides events is in the `Change` of the chat. Checks come first, so a refusal changes nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from history.access import Place
from history.content import check_line
from history.errors import Closed, Conflict, Forbidden, Invalid
from history.events import EventRow, canonical, chain, digest_of
from history.models import INTERNAL, PUBLIC
from history.times import new_id

COMMENT_LETTERS = 2000

Status = Literal["open", "waiting", "active", "closed"]

TRANSITIONS: dict[tuple[Status, str], Status] = {
    ("open", "wait"): "waiting",
    ("open", "accept"): "active",
    ("waiting", "accept"): "active",
    ("active", "release"): "waiting",
    ("open", "close"): "closed",
    ("waiting", "close"): "closed",
    ("active", "close"): "closed",
    ("closed", "reopen"): "open",
}
"""From where, what, to where. Whatever is not here is refused, or was done already. A reopen by an agent is followed
by an accept in the same commit."""


@dataclass(slots=True)
class ChatRow:
    """The row of a chat as this transaction has it. Field order is that of `journal.CHAT_COLUMNS`."""

    pk: int
    id: str
    customer_id: str
    status: Status
    thread: int
    head: int
    hash: str
    internal_head: int
    internal_hash: str
    rev: int
    agent_id: str | None
    last_agent_id: str | None
    waiting_since_ms: int | None
    updated_ms: int


@dataclass(slots=True)
class Change:
    """What one transaction does to one chat: its row, its new events, and the rows beside them."""

    row: ChatRow
    joined: set[str]
    """Participants of this chat who are known to have joined."""
    salts: Iterator[str]
    events: list[EventRow] = field(default_factory=list)
    joins: list[tuple[Place, int]] = field(default_factory=list)
    """(who, when) for new participant rows."""
    threads: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """("open" | "accept" | "close" | "rate", values) for the thread's row, in order."""
    raised: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Participants whose marks (read, delivered) have risen."""
    state_changed: bool = False

    def append(
        self,
        kind: str,
        by: str,
        id: str,
        data: str,
        now_ms: int,
        stream: int = PUBLIC,
        prev: str | None = None,
    ) -> EventRow:
        """Numbers, chains and keeps a new event."""
        row = self.row
        before, hash_before = (row.head, row.hash) if stream == PUBLIC else (row.internal_head, row.internal_hash)
        seq, salt = before + 1, next(self.salts)
        hash = chain(hash_before, seq, kind, by, id, digest_of(data), salt)
        event = EventRow(row.pk, stream, seq, kind, by, id, prev, row.thread, now_ms, data, None, salt, hash)
        if stream == PUBLIC:
            row.head, row.hash = seq, hash
        else:
            row.internal_head, row.internal_hash = seq, hash
        row.updated_ms = now_ms
        self.events.append(event)
        return event

    def move(self, what: str) -> None:
        """Takes a step of the transition table, which the caller has checked to be there."""
        self.row.status = TRANSITIONS[self.row.status, what]
        self.touch()

    def touch(self) -> None:
        """The chat's state differs from now on: clients get it anew."""
        if not self.state_changed:
            self.row.rev += 1
            self.state_changed = True


class Send(NamedTuple):
    """A message or, on the internal stream, a note. `data` is canonical JSON, checked at the door."""

    place: Place
    id: str
    prev: str | None
    data: str
    stream: int = PUBLIC
    reopen: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to the chat: accept, release, close, reopen or rate."""

    place: Place
    id: str
    action: str
    data: dict[str, Any]
    expect_rev: int | None = None


def send(change: Change, command: Send, now_ms: int, agent_online: Callable[[], bool]) -> EventRow:
    """Appends a message, and whatever must come before it: a reopen, an accept, a join. Raises Closed or Forbidden."""
    place, row = command.place, change.row
    if command.stream == INTERNAL:
        if place.role != "agent":
            raise Forbidden("Only agents write notes")
        return change.append("note", place.participant, command.id, command.data, now_ms, INTERNAL, command.prev)
    if row.status == "closed":
        if not command.reopen:
            raise Closed("The chat is closed; send with `reopen` to continue it")
        reopen(change, place, new_id(), now_ms, agent_online)
    elif place.role == "agent" and row.status in ("open", "waiting"):
        accept(change, place, new_id(), now_ms)
    join(change, place, now_ms)
    if place.role == "customer" and row.agent_id is None and row.waiting_since_ms is None:
        wait_for_agent(change, now_ms, agent_online)
    return change.append("message", place.participant, command.id, command.data, now_ms, prev=command.prev)


def act(change: Change, command: Act, now_ms: int, agent_online: Callable[[], bool]) -> EventRow | None:
    """Does an action and returns its event; None when it was so already.

    Raises Invalid for an unknown action, Forbidden for one that is not this person's, Conflict when somebody was first.
    """
    place, row = command.place, change.row
    if command.expect_rev is not None and command.expect_rev != row.rev:
        raise Conflict("The chat has changed since you looked", row=row)
    if command.action == "accept":
        check_agent(place)
        if row.agent_id == place.person_id:
            return None
        if (row.status, "accept") not in TRANSITIONS:
            raise Conflict("Somebody else was first" if row.agent_id else "The chat is closed", row=row)
        return accept(change, place, command.id, now_ms)
    if command.action == "release":
        check_agent(place)
        if row.agent_id != place.person_id:
            raise Conflict("You are not in charge of this chat", row=row)
        return release(change, place, command.id, now_ms)
    if command.action == "close":
        return None if row.status == "closed" else close(change, place, command.id, now_ms)
    if command.action == "reopen":
        return None if row.status != "closed" else reopen(change, place, command.id, now_ms, agent_online)
    if command.action == "rate":
        return rate(change, place, command.id, command.data, now_ms)
    raise Invalid("`action` must be accept, release, close, reopen or rate")


def check_agent(place: Place) -> None:
    if place.role != "agent":
        raise Forbidden("Only agents may do this")


def join(change: Change, place: Place, now_ms: int) -> None:
    """Makes the person a participant of the chat, unless it is one."""
    if place.participant in change.joined:
        return
    change.joined.add(place.participant)
    change.joins.append((place, now_ms))
    who = {"id": place.participant, "role": place.role, "name": place.name}
    change.append("join", place.participant, new_id(), canonical({"participant": who}), now_ms)
    change.touch()


def wait_for_agent(change: Change, now_ms: int, agent_online: Callable[[], bool]) -> None:
    """The thread has something for an agent: open while one is there to take it, waiting otherwise."""
    change.row.waiting_since_ms = now_ms
    change.touch()
    if change.row.status == "open" and not agent_online():
        change.move("wait")


def accept(change: Change, place: Place, id: str, now_ms: int) -> EventRow:
    """The agent takes charge of the waiting thread."""
    join(change, place, now_ms)
    event = change.append("assign", place.participant, id, canonical({"agent": place.participant}), now_ms)
    change.move("accept")
    change.row.agent_id = change.row.last_agent_id = place.person_id
    change.row.waiting_since_ms = None
    change.threads.append(("accept", {"accepted_ms": now_ms, "agent_id": place.person_id}))
    return event


def release(change: Change, place: Place, id: str, now_ms: int) -> EventRow:
    """The agent gives the thread back; it waits again."""
    data = canonical({"agent": None, "from": place.participant})
    event = change.append("assign", place.participant, id, data, now_ms)
    change.move("release")
    change.row.agent_id, change.row.waiting_since_ms = None, now_ms
    return event


def close(change: Change, place: Place, id: str, now_ms: int) -> EventRow:
    """Ends the thread. The chat stays, and can be continued at any time."""
    data = canonical({"reason": place.role, "by_name": place.name})
    event = change.append("close", place.participant, id, data, now_ms)
    change.move("close")
    change.row.agent_id, change.row.waiting_since_ms = None, None
    change.threads.append(("close", {"closed_ms": now_ms, "close_reason": place.role}))
    return event


def reopen(change: Change, place: Place, id: str, now_ms: int, agent_online: Callable[[], bool]) -> EventRow:
    """Opens the closed chat again with its next thread. An agent who reopens takes charge; a customer waits for one."""
    change.move("reopen")
    change.row.thread += 1
    event = change.append("reopen", place.participant, id, canonical({"reason": place.role}), now_ms)
    change.threads.append(("open", {"opened_ms": now_ms, "opened_by": place.role, "first_seq": event.seq}))
    if place.role == "agent":
        accept(change, place, new_id(), now_ms)
    else:
        wait_for_agent(change, now_ms, agent_online)
    return event


def rate(change: Change, place: Place, id: str, data: dict[str, Any], now_ms: int) -> EventRow:
    """The customer says how the thread was: a score of 1 to 5 and perhaps a comment."""
    if place.role != "customer":
        raise Forbidden("Only the customer rates a chat")
    score = data.get("score")
    if isinstance(score, bool) or not isinstance(score, int) or not 1 <= score <= 5:
        raise Invalid("`data.score` must be a whole number from 1 to 5")
    comment = check_line(data.get("comment"), "data.comment", COMMENT_LETTERS)
    kept = {"score": score, "comment": comment} if comment else {"score": score}
    change.threads.append(("rate", {"score": score, "comment": comment or None}))
    change.touch()
    return change.append("rating", place.participant, id, canonical(kept), now_ms)
