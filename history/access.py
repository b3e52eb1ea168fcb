"""The only way from a person and an id to a chat. Looking a thing up through what the viewer may reach *is* the
permission check; absent and forbidden look alike.
"""

from dataclasses import dataclass
from typing import Literal

from history.db import Driver
from history.errors import Erased, NotFound
from history.times import participant_id

Role = Literal["customer", "agent", "system"]
"""`system` is the service itself, in whose name rules act; nobody proves to be it."""

SERVICE = "stillhere"
"""The service's person id."""

LIVES = "(floor = 0 OR floor < head)"
"""The condition on a row of `chat` that it was not erased, as `is_erased` tells."""

AGENT = (
    "SELECT id, name FROM agent WHERE disabled_ms IS NULL "
    "AND (id = ? OR id = (SELECT person_id FROM participant WHERE id = ? AND chat_pk = ?))"
)
LEFT = (
    "SELECT c.pk, c.id, p.id, a.name, a.id FROM chat c JOIN agent a ON a.id = c.agent_id "
    "JOIN participant p ON p.chat_pk = c.pk AND p.person_id = a.id "
    "WHERE c.status = 'active' AND a.online_until_ms < ? AND NOT EXISTS (SELECT 1 FROM event e "
    "WHERE e.chat_pk = c.pk AND e.thread = c.thread AND e.at_ms >= ? "
    "AND (e.by = p.id OR e.kind IN ('assign', 'transfer')))"
)
"""Active chats whose agent is away and neither wrote nor was put in charge since a moment: a program that uses HTTP
has no lease, and whoever gets a chat while away has a while to come."""

NEWEST = (
    "SELECT id FROM chat WHERE customer_id = ? AND id = coalesce(?, id) "  # noqa: S608
    f"ORDER BY {LIVES} DESC, updated_ms DESC, pk DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who has proved who they are."""

    role: Role
    person_id: str
    """The customer's or the agent's id."""
    name: str
    only_chat: str | None = None
    """The one chat that a link's session may see; null for all that the person may see."""
    session_id: str | None = None
    """The customer's session, or the credential with which the agent has signed in."""
    is_stale: bool = False
    """The session was not seen for so long that its sliding life is to be moved on."""

    def participant_in(self, chat_id: str) -> str:
        """The viewer's participant id in a chat."""
        return participant_id(chat_id, self.person_id)


@dataclass(frozen=True, slots=True)
class Place:
    """A chat that the viewer may see, and who the viewer is in it."""

    chat_pk: int
    chat_id: str
    participant: str
    role: Role
    name: str
    person_id: str


def check_agent(viewer: Viewer) -> None:
    """What only agents may see is not there for anybody else. Raises NotFound."""
    if viewer.role != "agent":
        raise NotFound


def may_see(viewer: Viewer, chat_id: str, customer_id: str) -> bool:
    """Agents see every chat; customers their own; a link's session its one chat only."""
    if viewer.role == "agent":
        return True
    return customer_id == viewer.person_id and viewer.only_chat in (None, chat_id)


def is_erased(head: int, floor: int) -> bool:
    """Whether a chat was erased: its events were up to its head, and nothing follows."""
    return 0 < head <= floor


def place_in(driver: Driver, viewer: Viewer, chat_id: str) -> Place:
    """The viewer's place in the chat `chat_id`. Raises NotFound when there is none to be seen, Erased."""
    place, erased = place_left_in(driver, viewer, chat_id)
    if erased:
        raise Erased
    return place


def place_left_in(driver: Driver, viewer: Viewer, chat_id: str) -> tuple[Place, bool]:
    """The viewer's place in a chat that may have been erased, and whether it was. Raises NotFound."""
    row = driver.row("SELECT pk, customer_id, head, floor FROM chat WHERE id = ?", str(chat_id))
    if row is None or not may_see(viewer, chat_id, row[1]):
        raise NotFound("There is no such chat")
    place = Place(row[0], chat_id, viewer.participant_in(chat_id), viewer.role, viewer.name, viewer.person_id)
    return place, is_erased(row[2], row[3])


def service_place(chat_pk: int, chat_id: str) -> Place:
    """The place of the service itself in a chat, which it never joins."""
    return Place(chat_pk, chat_id, participant_id(chat_id, SERVICE), "system", "", SERVICE)


def newest_chat(driver: Driver, viewer: Viewer) -> str | None:
    """The id of the customer's newest chat; of an erased one only if nothing else is left."""
    row = driver.row(NEWEST, viewer.person_id, viewer.only_chat)
    return row and row[0]


def agent_in(driver: Driver, chat_pk: int, chat_id: str, named: str) -> Place | None:
    """The place in a chat of the enabled agent with this agent or participant id, joined or not; null for no agent."""
    row = driver.row(AGENT, named, named, chat_pk)
    return row and Place(chat_pk, chat_id, participant_id(chat_id, row[0]), "agent", row[1], row[0])


def places_left(driver: Driver, before_ms: int, chat_pk: int | None = None) -> list[Place]:
    """The places of agents in charge of active chats, or of this one, who have been away since `before_ms`."""
    only, params = ("", ()) if chat_pk is None else (" AND c.pk = ?", (chat_pk,))
    found = driver.rows(LEFT + only, before_ms, before_ms, *params)
    return [Place(pk, chat, participant, "agent", name, agent) for pk, chat, participant, name, agent in found]


def chats_of(driver: Driver, viewer: Viewer, before_ms: int, limit: int) -> list[tuple[int, str, int]]:
    """(pk, id, updated_ms) of the chats that the viewer may see, updated before `before_ms`, newest first, without
    those that were erased."""
    if viewer.role == "agent":
        return [
            (pk, id, updated)
            for pk, id, updated in driver.rows(
                f"SELECT pk, id, updated_ms FROM chat WHERE updated_ms < ? AND {LIVES} "  # noqa: S608
                "ORDER BY updated_ms DESC, pk DESC LIMIT ?",
                before_ms,
                limit,
            )
        ]
    return [
        (pk, id, updated)
        for pk, id, updated in driver.rows(
            "SELECT pk, id, updated_ms FROM chat WHERE customer_id = ? AND id = coalesce(?, id) "  # noqa: S608
            f"AND updated_ms < ? AND {LIVES} ORDER BY updated_ms DESC, pk DESC LIMIT ?",
            viewer.person_id,
            viewer.only_chat,
            before_ms,
            limit,
        )
    ]
