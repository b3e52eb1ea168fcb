"""The waiting list as this process shows it: `queue` frames to the agents who asked for it, and their new places to the
customers who wait. Changes within a moment are sent together. Lives on the loop's thread.
"""

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from history import state
from history.db import Driver
from history.errors import StillhereError
from history.times import now_ms
from resume.live.frames import dump, state_frame
from resume.live.loop import Timer
from resume.live.plain_frames import encode_text

if TYPE_CHECKING:
    from resume.live.client import Client
    from resume.live.hub import Hub

PLACES_PAUSE_S = 0.3
WORDS_PAUSE_S = 1.5
"""Changes within this time are sent together: of places in the list, and of the last words in it."""


class WaitingList:
    """See the module. Part of the hub."""

    def __init__(self, hub: "Hub") -> None:
        self.hub = hub
        self.agents: set[Client] = set()
        """Who asked for the list."""
        self.chats: set[int] = set()
        """Followed chats that wait."""
        self.timer: Timer | None = None
        self.places_changed = False

    def show_to(self, client: "Client") -> None:
        """From now on the agent gets the list, and at once."""
        self.agents.add(client)
        self._read({client})

    def note(self, chat_pk: int, *, waits: bool) -> None:
        (self.chats.add if waits else self.chats.discard)(chat_pk)

    def changed(self, *, places: bool) -> None:
        """The list is to be shown anew; soon if somebody's place in it may be another one."""
        pause_s = PLACES_PAUSE_S if places else WORDS_PAUSE_S
        self.places_changed |= places
        if self.timer is None or self.timer.due > time.monotonic() + pause_s:
            if self.timer is not None:
                self.timer.cancel()
            self.timer = self.hub.loop.call_later(pause_s, self._show)

    def _show(self) -> None:
        self.timer = None
        self._read(self.agents)
        if self.places_changed and self.chats:
            self.hub.read(places_now, self._show_places)
        self.places_changed = False

    def _read(self, clients: "set[Client]") -> None:
        by_agent: dict[str, list[Client]] = {}
        for client in clients:
            if client.conversation.viewer:
                by_agent.setdefault(client.conversation.viewer.person_id, []).append(client)
        if by_agent:
            self.hub.read(partial(queues_of, list(by_agent)), partial(self._show_to, by_agent))

    def _show_to(self, by_agent: "dict[str, list[Client]]", queues: Any) -> None:
        if isinstance(queues, StillhereError):
            return
        for agent_id, clients in by_agent.items():
            frame = encode_text(dump({"type": "queue", **queues[agent_id]}))
            for client in clients:
                client.connection.write(frame)

    def _show_places(self, places: Any) -> None:
        """A new place is all that differs in a state, so it is not read anew."""
        if isinstance(places, StillhereError):
            return
        for chat_pk in self.chats & places.keys():
            for client, cursor in self.hub.following.followers.get(chat_pk, {}).items():
                known = self.hub.following.shown.get((chat_pk, cursor.place.role))
                if known is None:
                    self.hub.following.refresh(chat_pk)
                elif known["queue"] and known["queue"]["position"] != places[chat_pk]["position"]:
                    client.say(state_frame(known | {"queue": places[chat_pk], "head": cursor.sent}))
            self._remember_place(chat_pk, places[chat_pk])

    def _remember_place(self, chat_pk: int, place: dict[str, Any]) -> None:
        for role in ("customer", "agent"):
            known = self.hub.following.shown.get((chat_pk, role))
            if known and known["queue"]:
                known["queue"] = place


def places_now(driver: Driver) -> dict[int, dict[str, Any]]:
    return state.places(driver, now_ms())


def queues_of(agent_ids: list[str], driver: Driver) -> dict[str, Any]:
    return state.queues(driver, agent_ids)
