"""A chat's life: what customers and agents may do in which status, and what it writes into the log.

Called by the journal, inside the writer's transaction, with the chat's row locked. Everything here works on values;
what must be stored besides events is in the `Change` of the chat. Checks come first, so a refusal changes nothing.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from history.access import Place
from history.change import TRANSITIONS, Change
from history.content import check_line, check_seq, check_stream
from history.errors import Closed, Conflict, Forbidden, Invalid
from history.events import EventRow, canonical
from history.models import INTERNAL, PUBLIC
from history.times import new_id

COMMENT_LETTERS = 2000
NOTE_LETTERS = 500
REASON_LETTERS = 200

ONLY_AGENTS = frozenset({"accept", "release", "transfer", "redact"})
REDACTABLE_KINDS = ("message", "note")

IDLE_WARNING = "idle"
"""The `code` of the notice that the thread will be closed."""


class Send(NamedTuple):
    """A message or, on the internal stream, a note. `data` is canonical JSON, checked at the door."""

    place: Place
    id: str
    prev: str | None
    data: str
    stream: int = PUBLIC
    reopen: bool = False
    by_mail: bool = False
    """Whether it came as an answer to a mail."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to the chat: accept, release, transfer, close, reopen, rate or redact."""

    place: Place
    id: str
    action: str
    data: dict[str, Any]
    expect_rev: int | None = None


class Around(Protocol):
    """What a decision may have to know beyond the row of its chat; each is read only when it is asked for."""

    @property
    def agent_online(self) -> bool:
        """Whether any agent is there."""

    def colleague(self, change: Change, named: str) -> Place | None:
        """The place in the chat of the agent with this agent or participant id; null if none works here."""

    def event_at(self, change: Change, stream: int, seq: int) -> EventRow | None:
        """The event of the chat at this place; null if there is none."""


def send(change: Change, command: Send, now_ms: int, around: Around) -> EventRow:
    """Appends a message, and whatever must come before it: a reopen, an accept, a join. Raises Closed or Forbidden."""
    place, row = command.place, change.row
    if command.stream == INTERNAL:
        if place.role not in ("agent", "system"):
            raise Forbidden("Only agents write notes")
        return change.append("note", place.participant, command.id, command.data, now_ms, INTERNAL, command.prev)
    if row.status == "closed":
        if not command.reopen:
            raise Closed("The chat is closed; send with `reopen` to continue it")
        reopen(change, place, new_id(), now_ms, around, "email" if command.by_mail else place.role)
    elif place.role == "agent" and row.status in ("open", "waiting"):
        accept(change, place, new_id(), now_ms)
    join(change, place, now_ms)
    if place.role == "customer" and row.agent_id is None and row.waiting_since_ms is None:
        wait_for_agent(change, now_ms, around)
    return change.append("message", place.participant, command.id, command.data, now_ms, prev=command.prev)


def act(change: Change, command: Act, now_ms: int, around: Around) -> EventRow | None:
    """Does an action and returns its event; None when it was so already.

    Raises Invalid for an unknown action, Forbidden for one that is not this person's, Conflict when somebody was first.
    """
    place, id, row = command.place, command.id, change.row
    if command.expect_rev is not None and command.expect_rev != row.rev:
        raise Conflict("The chat has changed since you looked", row=row)
    if command.action in ONLY_AGENTS and place.role != "agent":
        raise Forbidden("Only agents may do this")
    match command.action:
        case "accept":
            return None if row.agent_id == place.person_id else accept(change, place, id, now_ms)
        case "release":
            return release(change, place, id, now_ms)
        case "transfer":
            return transfer(change, command, now_ms, around)
        case "close":
            return None if row.status == "closed" else close(change, place, id, now_ms, place.role)
        case "reopen":
            return None if row.status != "closed" else reopen(change, place, id, now_ms, around, place.role)
        case "rate":
            return rate(change, place, id, command.data, now_ms)
        case "redact":
            return redact(change, command, now_ms, around)
    raise Invalid("`action` must be accept, release, transfer, close, reopen, rate or redact")


def join(change: Change, place: Place, now_ms: int) -> None:
    """Makes the person a participant of the chat, unless it is one."""
    if place.participant in change.joined:
        return
    change.joined.add(place.participant)
    change.joins.append((place, now_ms))
    who = {"id": place.participant, "role": place.role, "name": place.name}
    change.append("join", place.participant, new_id(), canonical({"participant": who}), now_ms)
    change.touch()


def wait_for_agent(change: Change, now_ms: int, around: Around) -> None:
    """The thread has something for an agent: open while one is there to take it, waiting otherwise."""
    change.row.waiting_since_ms = now_ms
    change.touch()
    if change.row.status == "open" and not around.agent_online:
        change.move("wait")


def accept(change: Change, place: Place, id: str, now_ms: int) -> EventRow:
    """The agent takes charge of the waiting thread. Raises Conflict."""
    row = change.row
    if (row.status, "accept") not in TRANSITIONS:
        raise Conflict("Somebody else was first" if row.agent_id else "The chat is closed", row=row)
    join(change, place, now_ms)
    event = change.append("assign", place.participant, id, canonical({"agent": place.participant}), now_ms)
    change.move("accept")
    put_in_charge(change, place, now_ms)
    return event


def put_in_charge(change: Change, place: Place, now_ms: int) -> None:
    change.row.agent_id = change.row.last_agent_id = place.person_id
    change.threads.append(("accept", {"accepted_ms": now_ms, "agent_id": place.person_id}))


def release(change: Change, place: Place, id: str, now_ms: int) -> EventRow:
    """The agent gives the thread back. Raises Conflict."""
    if change.row.agent_id != place.person_id:
        raise Conflict("You are not in charge of this chat", row=change.row)
    data = canonical({"agent": None, "from": place.participant})
    event = change.append("assign", place.participant, id, data, now_ms)
    wait_again(change, now_ms)
    return event


def requeue(change: Change, place: Place, now_ms: int) -> None:
    """The agent in charge has been away for too long, so the thread goes back by itself."""
    data = canonical({"agent": None, "from": place.participant, "reason": "away"})
    change.append("assign", place.participant, new_id(), data, now_ms)
    wait_again(change, now_ms)


def wait_again(change: Change, now_ms: int) -> None:
    """Nobody is in charge any more: the thread has its old place in the queue, a new one only if it never waited."""
    change.move("release")
    change.row.agent_id = None
    change.row.waiting_since_ms = change.row.waiting_since_ms or now_ms


def transfer(change: Change, command: Act, now_ms: int, around: Around) -> EventRow | None:
    """Hands the thread to a colleague, or back to the queue. If an agent is in charge, nobody else may do so.

    Raises Invalid for what is no colleague, Conflict.
    """
    place, row = command.place, change.row
    named, note = check_handover(command.data)
    if (row.status, "transfer") not in TRANSITIONS:
        raise Conflict("The chat is closed", row=row)
    if row.agent_id not in (None, place.person_id):
        raise Conflict("You are not in charge of this chat", row=row)
    colleague = None if named is None else around.colleague(change, named)
    if named is not None and colleague is None:
        raise Invalid("`data.agent` must name an agent who works here")
    if row.agent_id == (colleague.person_id if colleague else None):
        return None
    if colleague:
        join(change, colleague, now_ms)
    told = {
        "agent": colleague.participant if colleague else None,
        **({"from": place.participant} if row.agent_id else {}),
        **({"note": note} if note else {}),
    }
    event = change.append("transfer", place.participant, command.id, canonical(told), now_ms)
    if colleague:
        change.move("transfer")
        put_in_charge(change, colleague, now_ms)
    else:
        wait_again(change, now_ms)
    return event


def check_handover(data: dict[str, Any]) -> tuple[str | None, str]:
    """To whom, null for the queue, and with what words. Raises Invalid."""
    named = data.get("agent", "")
    if named is not None and (not isinstance(named, str) or not named):
        raise Invalid("`data.agent` must be the id of an agent, or null for the queue")
    return named, check_line(data.get("note"), "data.note", NOTE_LETTERS)


def warn_idle(change: Change, place: Place, words: str, now_ms: int) -> None:
    """Nobody has said anything for long, and the thread will be closed if it stays so."""
    told = {"code": IDLE_WARNING, "text": words}
    change.append("notice", place.participant, new_id(), canonical(told), now_ms)


def close(change: Change, place: Place, id: str, now_ms: int, reason: str) -> EventRow:
    """Ends the thread. The chat stays, and can be continued at any time."""
    data = canonical({"reason": reason, "by_name": place.name})
    event = change.append("close", place.participant, id, data, now_ms)
    change.move("close")
    change.row.agent_id, change.row.waiting_since_ms = None, None
    change.threads.append(("close", {"closed_ms": now_ms, "close_reason": reason}))
    return event


def reopen(change: Change, place: Place, id: str, now_ms: int, around: Around, reason: str) -> EventRow:
    """Opens the closed chat again with its next thread. An agent who reopens takes charge; anybody else waits for one.

    `reason` is customer, agent or email.
    """
    change.move("reopen")
    change.row.thread += 1
    event = change.append("reopen", place.participant, id, canonical({"reason": reason}), now_ms)
    change.threads.append(("open", {"opened_ms": now_ms, "opened_by": reason, "first_seq": event.seq}))
    if place.role == "agent":
        accept(change, place, new_id(), now_ms)
    else:
        wait_for_agent(change, now_ms, around)
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


def redact(change: Change, command: Act, now_ms: int, around: Around) -> EventRow | None:
    """Takes away what a message or note says; that it was there stays. Told in the stream in which it stood."""
    data = command.data
    seq, stream = check_seq(data.get("seq"), "data.seq"), check_stream(data.get("stream"))
    reason = check_line(data.get("reason"), "data.reason", REASON_LETTERS)
    event = around.event_at(change, stream, seq)
    if event is None or event.kind not in REDACTABLE_KINDS:
        raise Invalid("`data.seq` must be the number of a message or a note")
    if not change.redact(event):
        return None
    told = canonical({"seq": seq, "reason": reason} if reason else {"seq": seq})
    return change.append("redact", command.place.participant, command.id, told, now_ms, stream)
