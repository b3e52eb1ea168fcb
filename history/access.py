"""The only way from a person and an id to a chat. Looking a thing up through what the viewer may reach *is* the
permission check; absent and forbidden look alike.
"""

from dataclasses import dataclass
from typing import Literal

from history.db import Driver
from history.errors import NotFound
from history.times import participant_id

Role = Literal["customer", "agent"]

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


def place_in(driver: Driver, viewer: Viewer, chat_id: str) -> Place:
    """The viewer's place in the chat `chat_id`. Raises NotFound when there is none to be seen."""
    row = driver.row("SELECT pk, customer_id FROM chat WHERE id = ?", str(chat_id))
    if row is None or not may_see(viewer, chat_id, row[1]):
        raise NotFound("There is no such chat")
    return Place(row[0], chat_id, viewer.participant_in(chat_id), viewer.role, viewer.name, viewer.person_id)


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
    """(pk, id, updated_ms) of the chats that the viewer may see, updated before `before_ms`, newest first."""
    if viewer.role == "agent":
        return [
            (pk, id, updated)
            for pk, id, updated in driver.rows(
                "SELECT pk, id, updated_ms FROM chat WHERE updated_ms < ? ORDER BY updated_ms DESC, pk DESC LIMIT ?",
                before_ms,
                limit,
            )
        ]
    return [
        (pk, id, updated)
        for pk, id, updated in driver.rows(
            "SELECT pk, id, updated_ms FROM chat WHERE customer_id = ? AND id = coalesce(?, id) AND updated_ms < ? "
            "ORDER BY updated_ms DESC, pk DESC LIMIT ?",
            viewer.person_id,
            viewer.only_chat,
            before_ms,
            limit,
        )
    ]
