"""A chat's state as clients get it (protocol 3.4), and the waiting list. Read from rows in one snapshot; states are
always made whole.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from history.access import Role, is_erased
from history.db import Driver
from history.models import GENESIS_HASH
from history.queue_time import Pace, eta_s, pace_of
from history.times import DAY_MS, rfc3339

LAST_LETTERS = 140

STATE = (
    "SELECT c.id, c.status, c.thread, c.head, c.hash, c.rev, c.floor, c.subject, c.agent_id, c.waiting_since_ms, "
    "u.email, t.score FROM chat c JOIN customer u ON u.id = c.customer_id "
    "LEFT JOIN thread t ON t.chat_pk = c.pk AND t.number = c.thread WHERE c.pk = ?"
)
PARTICIPANTS = (
    "SELECT p.id, p.role, p.person_id, p.name, p.read, p.delivered, coalesce(a.online_until_ms, p.online_until_ms), "
    "p.last_seen_ms FROM participant p LEFT JOIN agent a ON a.id = p.person_id "
    "WHERE p.chat_pk = ? AND p.left_ms IS NULL ORDER BY p.joined_ms, p.id"
)
POSITION = (
    "SELECT count(*) FROM chat WHERE status IN ('open', 'waiting') AND waiting_since_ms IS NOT NULL "
    "AND (waiting_since_ms < ? OR (waiting_since_ms = ? AND pk <= ?))"
)
WAITING = (
    "SELECT c.pk, c.id, c.subject, c.waiting_since_ms, u.id, u.name FROM chat c "
    "JOIN customer u ON u.id = c.customer_id WHERE c.status IN ('open', 'waiting') AND c.waiting_since_ms IS NOT NULL "
    "ORDER BY c.waiting_since_ms, c.pk LIMIT ?"
)
PLACES = (
    "SELECT pk, waiting_since_ms FROM chat WHERE status IN ('open', 'waiting') AND waiting_since_ms IS NOT NULL "
    "ORDER BY waiting_since_ms, pk"
)
WAITS = (
    "SELECT opened_ms, accepted_ms FROM thread WHERE accepted_ms > ? AND accepted_ms > opened_ms "
    "ORDER BY accepted_ms DESC LIMIT ?"
)
PLACES_AGE_MS = 300
PACE_AGE_MS = 10_000
PACE_SPAN_MS = DAY_MS
PACE_THREADS = 50
"""The pace of the queue is that of so many threads at most, accepted within this time."""

MINE = (
    "SELECT c.pk, c.id, c.subject, c.updated_ms, u.id, u.name FROM chat c JOIN customer u ON u.id = c.customer_id "
    "WHERE c.agent_id = ? AND c.status = 'active' ORDER BY c.updated_ms DESC, c.pk LIMIT ?"
)
LAST_MESSAGE = (
    "SELECT data, at_ms, by FROM event WHERE chat_pk = ? AND stream = 0 AND kind = 'message' ORDER BY seq DESC LIMIT 1"
)
QUEUE_LIMIT = 200


class Places:
    """The places of waiting chats in the queue, from 1, read for all at once and kept for PLACES_AGE_MS: when many
    wait, counting for one costs nearly as much. The queue's pace is kept for PACE_AGE_MS. Any thread may ask.
    """

    def __init__(self) -> None:
        self.read_ms = 0
        self.known: dict[tuple[int, int], int] = {}
        self.pace_ms = 0
        self.known_pace: Pace | None = None

    def place(self, driver: Driver, chat_pk: int, since: int, now_ms: int) -> int:
        """The place of a chat that waits `since` then."""
        if not 0 <= now_ms - self.read_ms < PLACES_AGE_MS:
            self.read_ms = now_ms
            self.known = read_places(driver)
        return self.known.get((chat_pk, since)) or position(driver, chat_pk, since)

    def pace(self, driver: Driver, now_ms: int) -> Pace | None:
        if not 0 <= now_ms - self.pace_ms < PACE_AGE_MS:
            self.pace_ms = now_ms
            self.known_pace = read_pace(driver, now_ms)
        return self.known_pace


def chat_state(driver: Driver, chat_pk: int, role: Role, now_ms: int, queue: Places | None = None) -> dict[str, Any]:
    """The state of a chat as a customer or an agent may see it. With `queue`, its place may be a moment old."""
    row = driver.row(STATE, chat_pk)
    assert row is not None, "the caller has looked the chat up"
    id, status, thread, head, hash, rev, floor, subject, agent_id, since, email, score = row
    people = driver.rows(PARTICIPANTS, chat_pk)
    agent = next((person for person in people if agent_id and person[2] == agent_id), None)
    waits = since is not None and status in ("open", "waiting")
    lives = not is_erased(head, floor)
    return {
        "chat": id,
        "status": status,
        "thread": thread,
        "head": head,
        "hash": hash if head else GENESIS_HASH,
        "rev": rev,
        "floor": floor,
        "agent": {"id": agent[0], "name": agent[3]} if agent else None,
        "queue": queue_entry(driver, chat_pk, since, now_ms, queue) if waits else None,
        "participants": [participant(person, now_ms) for person in people],
        "can": {
            "send": lives,
            "close": status != "closed" and head > 0,
            "reopen": lives and status == "closed",
            "rate": lives and role == "customer" and score is None and any(p[1] == "agent" for p in people),
        },
        "subject": subject,
        "email": email,
        "keep_until": None,
    }


def participant(person: Any, now_ms: int) -> dict[str, Any]:
    id, role, _, name, read, delivered, online_until, last_seen = person
    return {
        "id": id,
        "role": role,
        "name": name,
        "read": read,
        "delivered": delivered,
        "online": online_until > now_ms,
        "last_seen": rfc3339(last_seen) if last_seen else None,
    }


def queue_entry(driver: Driver, chat_pk: int, since: int, now_ms: int, queue: Places | None) -> dict[str, Any]:
    """Where a chat that waits `since` then is in the queue, and how long it may still wait."""
    if queue:
        place, pace = queue.place(driver, chat_pk, since, now_ms), queue.pace(driver, now_ms)
    else:
        place, pace = position(driver, chat_pk, since), read_pace(driver, now_ms)
    return {"position": place, "eta_s": eta_s(pace, place)}


def read_pace(driver: Driver, now_ms: int) -> Pace | None:
    """How quickly the queue has moved of late."""
    return pace_of(driver.rows(WAITS, now_ms - PACE_SPAN_MS, PACE_THREADS))


def position(driver: Driver, chat_pk: int, since: int) -> int:
    """The place of a waiting chat in the queue, from 1."""
    row = driver.row(POSITION, since, since, chat_pk)
    return int(row[0]) if row else 1


def places(driver: Driver, now_ms: int) -> dict[int, dict[str, Any]]:
    """The `queue` of each waiting chat's state, by the chat's pk."""
    pace = read_pace(driver, now_ms)
    return {pk: {"position": place, "eta_s": eta_s(pace, place)} for (pk, _), place in read_places(driver).items()}


def read_places(driver: Driver) -> dict[tuple[int, int], int]:
    """The place in the queue, from 1, of each chat by its pk and since when it waits."""
    return {(pk, since): place for place, (pk, since) in enumerate(driver.rows(PLACES), start=1)}


def queues(driver: Driver, agent_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """For each agent: the waiting list, oldest first, and the agent's own active chats, newest first."""
    waiting = [entry(driver, row, place) for place, row in enumerate(driver.rows(WAITING, QUEUE_LIMIT), start=1)]
    return {
        agent_id: {
            "waiting": waiting,
            "mine": [entry(driver, row, None) for row in driver.rows(MINE, agent_id, QUEUE_LIMIT)],
        }
        for agent_id in agent_ids
    }


def entry(driver: Driver, row: Any, place: int | None) -> dict[str, Any]:
    pk, id, subject, since, customer_id, name = row
    last = driver.row(LAST_MESSAGE, pk)
    text = orjson.loads(last[0]).get("text", "") if last else ""
    return {
        "chat": id,
        "subject": subject,
        "since": rfc3339(since),
        "position": place,
        "customer": {"id": customer_id, "name": name},
        "last": {"text": text[:LAST_LETTERS], "at": rfc3339(last[1]), "by": last[2]} if last else None,
    }
