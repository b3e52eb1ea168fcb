"""Brings dialogues from elsewhere into the record, as closed chats with times spread over the last year.

A file holds one JSON object a line: `{"id", "turns": [["customer", "text"], ["agent", "text"], …]}`, with optional
`topics` (the subject), `customer` and `agent` (names). The whole file is checked before anything is stored, and a
dialogue that is here already is passed over, so an import may be repeated.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from uuid_utils import UUID

from history import agents, journal
from history.access import Place
from history.batch import salts
from history.change import Change, ChatRow
from history.content import NAME_LETTERS, SUBJECT_LETTERS, check_line, check_message
from history.db import Transaction
from history.errors import Invalid, StillhereError
from history.events import canonical
from history.models import GENESIS_HASH, Chat, Customer, Participant, Thread
from history.times import DAY_MS, SECOND_MS, participant_id
from history.writer import Writer

BATCH = 200
"""Dialogues a transaction."""

SPREAD_MS = 365 * DAY_MS
TURN_MS = (4 * SECOND_MS, 70 * SECOND_MS)
"""The shortest and the longest time between two turns."""

AGENT_DOMAIN = "import.invalid"
"""No mail can reach the agents of imported dialogues (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One line of the file. `turns` are (role, canonical data of the message)."""

    id: str
    subject: str | None
    customer: str
    agent: str
    turns: tuple[tuple[str, str], ...]


def read_dialogues(path: Path) -> list[Dialogue]:
    """All dialogues of a file. Raises Invalid, naming the line and what is wrong with it."""
    dialogues = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    dialogue = read_dialogue(line)
                except StillhereError as error:
                    raise Invalid(f"{path.name}, line {number}: {error.detail}") from error
                if dialogue.turns:
                    dialogues.append(dialogue)
    return dialogues


def read_dialogue(line: bytes) -> Dialogue:
    try:
        value = orjson.loads(line)
    except ValueError as error:
        raise Invalid(f"this is not JSON ({error})") from error
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        raise Invalid("a dialogue must be an object with an `id`")
    turns = value.get("turns")
    if not isinstance(turns, list) or not turns:
        raise Invalid("`turns` must be a list that is not empty")
    topics = value.get("topics") or []
    if not isinstance(topics, list):
        raise Invalid("`topics` must be a list of texts")
    return Dialogue(
        value["id"],
        check_line(", ".join(map(str, topics)).replace("_", " "), "topics", SUBJECT_LETTERS) or None,
        check_line(value.get("customer"), "customer", NAME_LETTERS) or "Customer",
        check_line(value.get("agent"), "agent", NAME_LETTERS) or "Agent",
        tuple(read_turn(turn) for turn in turns if not is_silent(turn)),
    )


def is_silent(turn: Any) -> bool:
    """Real dialogues have turns without words now and then; there is nothing in them to keep."""
    return isinstance(turn, list) and len(turn) == 2 and isinstance(turn[1], str) and not turn[1].strip()


def read_turn(turn: Any) -> tuple[str, str]:
    if not isinstance(turn, list) or len(turn) != 2 or turn[0] not in ("customer", "agent"):
        raise Invalid('a turn must be ["customer" or "agent", text]')
    return turn[0], check_message({"text": turn[1]})


def import_dialogues(writer: Writer, dialogues: Iterable[Dialogue], until_ms: int) -> Iterator[tuple[int, int]]:
    """Stores the dialogues as chats that ended before `until_ms`. Yields, for each batch, how many dialogues were
    looked at and how many messages were stored.
    """
    waiting = iter(dialogues)
    while batch := list(islice(waiting, BATCH)):
        yield len(batch), writer.write(lambda transaction, batch=batch: store(transaction, batch, until_ms))  # type: ignore[misc]


def store(transaction: Transaction, dialogues: list[Dialogue], until_ms: int) -> int:
    """One batch in the caller's transaction. Returns how many messages it stored."""
    known = {first_id(dialogue): dialogue for dialogue in dialogues}
    driver = transaction.driver
    for (id,) in driver.rows("SELECT id FROM event WHERE id IN_LIST", driver.list_param(list(known))):
        known.pop(id, None)
    staff = {name: agent_named(transaction, name) for name in {dialogue.agent for dialogue in known.values()}}
    drafts = [Draft(dialogue, staff[dialogue.agent], until_ms) for dialogue in known.values()]
    transaction.db.add_all(draft.customer for draft in drafts)
    transaction.db.flush()
    transaction.db.add_all(draft.chat for draft in drafts)
    transaction.db.flush()
    new_salts = salts()
    changes = [draft.play(new_salts) for draft in drafts]
    transaction.db.add_all(row for draft in drafts for row in draft.rows_beside())
    transaction.db.flush()
    journal.save_changes(transaction, changes)
    return sum(len(draft.dialogue.turns) for draft in drafts)


def agent_named(transaction: Transaction, name: str) -> str:
    """The id of the agent with this name among those who came by an import."""
    local = hashlib.sha256(name.encode()).hexdigest()[:16]
    return agents.find_or_add(transaction, name, f"agent-{local}@{AGENT_DOMAIN}")


def first_id(dialogue: Dialogue) -> str:
    return message_id(dialogue, 0)


def message_id(dialogue: Dialogue, number: int) -> str:
    """The same dialogue gives the same message ids, so that it is known when it comes again."""
    return hashlib.sha256(f"{dialogue.id}:{number}".encode()).hexdigest()[:32]


class Draft:
    """A dialogue on its way to being a chat."""

    def __init__(self, dialogue: Dialogue, agent_id: str, until_ms: int) -> None:
        self.dialogue = dialogue
        self.agent_id = agent_id
        self.chance = random.Random(dialogue.id)  # noqa: S311  (the same dialogue always gets the same course)
        span = len(dialogue.turns) * TURN_MS[1]
        self.start_ms = until_ms - span - self.chance.randrange(SPREAD_MS)
        self.customer = Customer(id=self._new_id(), name=dialogue.customer, created_ms=self.start_ms)
        self.chat = Chat(
            id=self._new_id(),
            customer_id=self.customer.id,
            subject=dialogue.subject,
            status="closed",
            last_agent_id=agent_id,
            created_ms=self.start_ms,
            updated_ms=self.start_ms,
        )
        self.end_ms = self.start_ms

    def _new_id(self) -> str:
        """A UUIDv7 of the dialogue's own time."""
        tail = self.chance.getrandbits(74)
        value = self.start_ms << 80 | 7 << 76 | (tail >> 62) << 64 | 2 << 62 | tail & (1 << 62) - 1
        return str(UUID(int=value))

    def place(self, role: str) -> Place:
        assert self.chat.pk is not None, "the database has numbered it"
        person = self.customer.id if role == "customer" else self.agent_id
        name = self.dialogue.customer if role == "customer" else self.dialogue.agent
        who = participant_id(self.chat.id, person)
        return Place(self.chat.pk, self.chat.id, who, "customer" if role == "customer" else "agent", name, person)

    def play(self, new_salts: Iterator[str]) -> Change:
        """The events of the dialogue, from the first join to the close."""
        change = Change(self._row(), set(), new_salts)
        now_ms = self.start_ms
        places = {role: self.place(role) for role in ("customer", "agent")}
        for number, (role, data) in enumerate(self.dialogue.turns):
            self._join(change, places[role], now_ms)
            change.append("message", places[role].participant, message_id(self.dialogue, number), data, now_ms)
            now_ms += self.chance.randrange(*TURN_MS)
        data = canonical({"reason": "agent", "by_name": places["agent"].name})
        change.append("close", places["agent"].participant, self._new_id(), data, now_ms)
        self.end_ms = now_ms
        return change

    def _join(self, change: Change, place: Place, now_ms: int) -> None:
        if place.participant not in change.joined:
            change.joined.add(place.participant)
            who: Mapping[str, str] = {"id": place.participant, "role": place.role, "name": place.name}
            change.append("join", place.participant, self._new_id(), canonical({"participant": who}), now_ms)

    def _row(self) -> ChatRow:
        assert self.chat.pk is not None, "the database has numbered it"
        return ChatRow(
            self.chat.pk, self.chat.id, self.customer.id, "closed", 1, 0, GENESIS_HASH, 0, GENESIS_HASH, 1,
            None, self.agent_id, None, self.start_ms,
        )  # fmt: skip

    def rows_beside(self) -> Iterator[Thread | Participant]:
        """The thread and the places of the two."""
        assert self.chat.pk is not None, "the database has numbered it"
        yield Thread(
            chat_pk=self.chat.pk,
            number=1,
            opened_ms=self.start_ms,
            opened_by="start",
            first_seq=1,
            accepted_ms=self.start_ms,
            agent_id=self.agent_id,
            closed_ms=self.end_ms,
            close_reason="agent",
        )
        for role in {role for role, _ in self.dialogue.turns} | {"customer"}:
            place = self.place(role)
            yield Participant(
                id=place.participant,
                chat_pk=self.chat.pk,
                role=place.role,
                person_id=place.person_id,
                name=place.name,
                joined_ms=self.start_ms,
                last_seen_ms=self.end_ms,
            )
